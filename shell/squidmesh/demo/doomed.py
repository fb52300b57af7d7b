"""
A worker process that can be told when to wait for its death.

    python -m squidmesh.demo.doomed URL LEDGER CHARGES LEASE

With CHARGES above 0 it stops dead as soon as the ledger holds so many charges: the
money is taken and written down there, and the journal knows nothing of it.  It says
so on standard output, and only SIGKILL ends it.  With 0 it works until SIGTERM.
"""

import sys
import threading
from pathlib import Path

from squidmesh.demo.driver import CONCURRENCY, open_shop
from squidmesh.demo.gateway import Gateway, Line
from squidmesh.demo.workflow import connect


def main(url: str, ledger: str, charges: int, lease: str) -> None:
    """Work until killed, or until told to stop."""
    gateway = Gateway(Path(ledger))

    def stop_dead(line: Line) -> None:
        written = sum(one.kind == "charged" for one in gateway.lines())
        if written >= charges:
            sys.stdout.write(f"{line.order_id}\n")
            sys.stdout.flush()
            threading.Event().wait()

    connect(Gateway(Path(ledger), taken=stop_dead) if charges else gateway)
    with open_shop(url) as mesh:
        mesh.worker(concurrency=CONCURRENCY, lease=lease).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
