"""The demonstration: take the orders in, work them, and close the books."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from attrs import frozen

from squidmesh.demo.books import Books, read_books
from squidmesh.demo.folder import Folder
from squidmesh.demo.gateway import Gateway
from squidmesh.demo.intake import Intake, take_in
from squidmesh.demo.workflow import OrderFulfilment, connect
from squidmesh.mesh import Mesh

#: Steps at once.
CONCURRENCY: Final = 8
#: How long one run may keep everybody waiting.
PATIENCE: Final = "120s"

#: (runs that are over, runs there are)
Progress = Callable[[int, int], None]


@frozen(kw_only=True)
class Kill:
    """A worker that was killed between an effect and its record."""

    worker: int
    #: The order whose card it had charged, and had not recorded.
    order_id: str
    #: Minus the signal's number, as the operating system reports it.
    exit_code: int


@frozen(kw_only=True)
class Told:
    """What a demonstration has to tell."""

    folder: Folder
    intake: Intake
    books: Books
    seconds: float
    #: Who was killed; nobody without `--crash`.
    kills: tuple[Kill, ...] = ()

    @property
    def differences(self) -> tuple[str, ...]:
        """Everything that is not as it should be, a line for each."""
        recovered = {ending.order_id for ending in self.books.endings if ending.taken_over}
        lost = (kill for kill in self.kills if kill.order_id not in recovered)
        return (
            *self.books.differences,
            *(f"nobody took {kill.order_id} over from worker {kill.worker}" for kill in lost),
        )


def demonstrate(folder: Folder, progress: Progress) -> Told:
    """
    Work the shop's orders in this process.

    Raises:
        WaitTimeout: A run did not end in time.
    """
    gateway = Gateway(folder.ledger)
    connect(gateway)
    with open_shop(folder.url) as mesh:
        began = mesh.door.journal.now()
        intake = take_in(mesh, folder.export)
        with mesh.worker(concurrency=CONCURRENCY):
            await_all(mesh, intake.started, progress)
        books = read_books(mesh, intake.started, gateway.lines())
        seconds = seconds_since(began, mesh)
    return Told(folder=folder, intake=intake, books=books, seconds=seconds)


def open_shop(url: str) -> Mesh:
    """The shop's mesh; its log lines are not part of the demonstration."""
    logging.getLogger("squidmesh").addHandler(logging.NullHandler())
    return Mesh.open(url, workflows=[OrderFulfilment])


def await_all(mesh: Mesh, runs: Iterable[str], progress: Progress) -> None:
    """
    Wait until each run is over, in the order they were started.

    Raises:
        WaitTimeout: One of them did not end in time.
    """
    waited_for = tuple(runs)
    progress(0, len(waited_for))
    for over, run_id in enumerate(waited_for, start=1):
        mesh.wait_for(run_id, timeout=PATIENCE)
        progress(over, len(waited_for))


def seconds_since(began: datetime, mesh: Mesh) -> float:
    """Seconds on the journal's clock."""
    return (mesh.door.journal.now() - began).total_seconds()
