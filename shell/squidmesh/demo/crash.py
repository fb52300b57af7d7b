"""
The demonstration with crashes: workers are killed between an effect and its record.

The worker says on its standard output what it has done and not yet recorded: a
charge, or the refund of one; then, and only then, it gets SIGKILL.  No timing is
involved.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from squidmesh.config import URL_VARIABLE
from squidmesh.demo.books import read_books
from squidmesh.demo.driver import Kill, Progress, Told, await_all, begin_shop, seconds_since
from squidmesh.demo.folder import Folder, wrong
from squidmesh.demo.intake import take_in
from squidmesh.demo.ledger import Kind, Ledger
from squidmesh.demo.standins import StandIns
from squidmesh_core.errors import SquidmeshError

#: When each worker is killed: as soon as the ledger holds so many lines of a kind.
KILL_AT: Final[tuple[tuple[Kind, int], ...]] = (("charged", 10), ("charged", 75), ("refunded", 1))
#: Short, so that the dead are taken over from within a second.
LEASE: Final = "1s"


def demonstrate_crashes(folder: Folder, progress: Progress) -> Told:
    """
    Work the shop's orders with workers that are killed, and one that is not.

    Raises:
        ConfigError: The journal is in use, or no other process could reach it.
        WaitTimeout: A run did not end in time.
        SquidmeshError: A worker ended before it could be killed.
    """
    ledger = Ledger(folder.ledger)
    if folder.url.startswith("memory:"):
        reason = "workers of other processes cannot reach memory://; leave out --crash or --url"
        raise wrong("url", reason)
    with begin_shop(folder) as mesh:
        began = mesh.door.journal.now()
        intake = take_in(mesh, folder.export)
        with StandIns(mesh, ledger).acting() as acting:
            kills = tuple(_kill_a_worker(folder, kind, lines) for kind, lines in KILL_AT)
            with _worker(folder):
                await_all(mesh, intake.started, progress, acting)
        lines = ledger.lines() + Ledger(folder.stock).lines()
        books = read_books(mesh, intake.started, lines)
        seconds = seconds_since(began, mesh)
    return Told(folder=folder, intake=intake, books=books, seconds=seconds, kills=kills)


def _kill_a_worker(folder: Folder, kind: Kind, lines: int) -> Kill:
    with _worker(folder, kind, str(lines)) as worker:
        order_id = worker.stdout.readline().strip() if worker.stdout is not None else ""
        if not order_id:
            message = f"the worker ended by itself, with exit code {worker.wait()}"
            raise SquidmeshError(message, "worker_lost")
        worker.kill()
        return Kill(worker=worker.pid, effect=kind, order_id=order_id, exit_code=worker.wait())


@contextmanager
def _worker(folder: Folder, *doom: str) -> Iterator[subprocess.Popen[str]]:
    # -P: a file in the working directory must not pass for a module.
    command = [sys.executable, "-P", "-m", "squidmesh.demo.doomed", str(folder.path), LEASE, *doom]
    # By the environment: arguments are shown to everybody on the host, and a URL may
    # hold a password.
    environ = {**os.environ, URL_VARIABLE: folder.url}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as worker:  # noqa: S603  # our own module
        try:
            yield worker
        finally:
            worker.terminate()
