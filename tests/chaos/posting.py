"""
A process that posts lines and may be killed: `posting.py <url> <where> [runs]`.

    <where>    the fault site at which it kills itself, or `nowhere`: a worker until killed
"""

import os
import signal
import sys
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from squidmesh import Mesh
from squidmesh.opening import open_journal
from squidmesh.ports import Ports, Site
from support.ledger import ACTS, Ledger

#: Short, so that whoever comes next need not wait.
LEASE: Final = "300ms"


def _main(url: str, where: str) -> None:
    ACTS["return"] = lambda _tx: "E-1"

    def die(site: Site) -> None:
        if site == where:
            os.kill(os.getpid(), signal.SIGKILL)

    with Mesh(open_journal(url), workflows=[Ledger], ports=Ports(site=die)) as mesh:
        if where != "nowhere":
            mesh.execute_next(lease=LEASE)
        else:
            mesh.worker(concurrency=2, lease=LEASE).run()


if __name__ == "__main__":
    _main(*sys.argv[1:])
