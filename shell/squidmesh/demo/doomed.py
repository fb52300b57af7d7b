"""
A worker process that stops at a chosen moment, and waits to be killed.

    SQUIDMESH_URL=… python -m squidmesh.demo.doomed FOLDER LEASE [KIND LINES]

With KIND and LINES it stops dead as soon as the gateway's ledger holds so many lines
of that kind: the money was moved and that is written down there, and the journal
knows nothing of it.  It says so on standard output, and only SIGKILL ends it.
Without them it works until SIGTERM.
"""

import os
import sys
import threading
from pathlib import Path

from squidmesh.config import URL_VARIABLE
from squidmesh.demo.driver import CONCURRENCY, open_shop
from squidmesh.demo.folder import Folder
from squidmesh.demo.gateway import Gateway
from squidmesh.demo.ledger import Ledger, Line
from squidmesh.demo.warehouse import Warehouse
from squidmesh.demo.workflow import connect


def main(path: str, lease: str, kind: str = "", lines: str = "0") -> None:
    """Work until killed, or until told to stop."""
    folder = Folder(path=Path(path), given=os.environ[URL_VARIABLE])
    ledger = Ledger(folder.ledger)

    def stop_dead(line: Line) -> None:
        written = sum(one.kind == kind for one in ledger.lines())
        if line.kind == kind and written >= int(lines):
            sys.stdout.write(f"{line.order_id}\n")
            sys.stdout.flush()
            threading.Event().wait()

    gateway = Gateway(Ledger(folder.ledger, taken=stop_dead) if kind else ledger)
    connect(gateway, Warehouse(Ledger(folder.stock)))
    with open_shop(folder.url) as mesh:
        mesh.worker(concurrency=CONCURRENCY, lease=lease).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
