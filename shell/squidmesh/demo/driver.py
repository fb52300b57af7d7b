"""The demonstration: take the orders in, work them, and close the books."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Final

from attrs import frozen

from squidmesh.demo.books import Books, read_books
from squidmesh.demo.folder import Folder, wrong
from squidmesh.demo.gateway import Gateway
from squidmesh.demo.intake import Intake, take_in
from squidmesh.demo.ledger import Kind, Ledger
from squidmesh.demo.standins import People, StandIns
from squidmesh.demo.warehouse import Warehouse
from squidmesh.demo.workflow import OrderFulfilment, connect
from squidmesh.mesh import Mesh
from squidmesh_core.errors import WaitTimeout

#: Steps at once.
CONCURRENCY: Final = 8
#: Seconds that one run may keep everybody waiting, where no person is waited for.
PATIENCE: Final = 120

#: (runs that are over, runs there are)
Progress = Callable[[int, int], None]


@frozen(kw_only=True)
class Kill:
    """A worker that was killed between an effect and its record."""

    worker: int
    #: What it had done, and had not recorded.
    effect: Kind
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


def demonstrate(folder: Folder, progress: Progress, people: People | None) -> Told:
    """
    Work the shop's orders in this process.

    Args:
        folder: Where.
        progress: Told how many runs are over.
        people: Who answers; null: a stand-in does.

    Raises:
        ConfigError: The journal is in use.
        WaitTimeout: A run did not end in time, and no person was waited for.
    """
    ledger, stock = Ledger(folder.ledger), Ledger(folder.stock)
    connect(Gateway(ledger), Warehouse(stock))
    with begin_shop(folder) as mesh:
        began = mesh.door.journal.now()
        intake = take_in(mesh, folder.export)
        standins = StandIns(mesh, ledger, people)
        with mesh.worker(concurrency=CONCURRENCY), standins.acting() as acting:
            await_all(mesh, intake.started, progress, acting, PATIENCE if people is None else None)
        books = read_books(mesh, intake.started, ledger.lines() + stock.lines())
        seconds = seconds_since(began, mesh)
    return Told(folder=folder, intake=intake, books=books, seconds=seconds)


def begin_shop(folder: Folder) -> Mesh:
    """
    The shop's mesh on a journal that holds no runs yet.

    Raises:
        ConfigError: There are runs in it.
        StorageError: The storage is not what it should be.
    """
    mesh = open_shop(folder.url)
    if mesh.door.journal.run_ids(None, 1):
        mesh.close()
        reason = f"{folder.journal} holds runs already; name an empty database. Nothing was written"
        raise wrong("url", reason)
    return mesh


def open_shop(url: str) -> Mesh:
    """The shop's mesh; its log lines are not part of the demonstration."""
    logging.getLogger("squidmesh").addHandler(logging.NullHandler())
    return Mesh.open(url, workflows=[OrderFulfilment])


def await_all(
    mesh: Mesh,
    runs: Iterable[str],
    progress: Progress,
    acting: Future[None],
    patience: int | None = PATIENCE,
) -> None:
    """
    Wait until each run is over, in the order they were started.

    Args:
        mesh: Where the runs are.
        runs: Their ids.
        progress: Told how many are over.
        acting: What `StandIns.acting` gave; if it fails, nobody need wait on.
        patience: See `PATIENCE`; null: as long as it takes.

    Raises:
        WaitTimeout: One of them did not end in time.
    """
    waited_for = tuple(runs)
    progress(0, len(waited_for))
    for over, run_id in enumerate(waited_for, start=1):
        _await(mesh, run_id, acting, count() if patience is None else range(patience))
        progress(over, len(waited_for))


def _await(mesh: Mesh, run_id: str, acting: Future[None], seconds: Iterable[int]) -> None:
    for _ in seconds:
        with suppress(WaitTimeout):
            mesh.wait_for(run_id, timeout="1s")
            return
        if acting.done():
            acting.result()
    mesh.wait_for(run_id, timeout="1ms")


def seconds_since(began: datetime, mesh: Mesh) -> float:
    """Seconds on the journal's clock."""
    return (mesh.door.journal.now() - began).total_seconds()
