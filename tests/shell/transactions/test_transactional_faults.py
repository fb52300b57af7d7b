"""Transactional steps when something goes wrong: both their writes and their completion, or neither."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest

from squidmesh import Mesh, TxContext
from squidmesh.ports import Ports, Site
from squidmesh.workers.carry import carry
from squidmesh_core.errors import OutcomeUnknown, StorageUnavailable
from squidmesh_core.protocol.entries import AttemptClaimed, AttemptCompleted, AttemptFailed
from squidmesh_storage.api import Joined, Journal
from support.books import LEASE, Books
from support.ledger import ACTS, Ledger, Patient, Posting, explode, posted
from support.stage import entries

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)

# -- whoever ends what is not theirs


def by_commit(tx: TxContext) -> object:
    return tx.connection.commit()


def by_rollback(tx: TxContext) -> object:
    return tx.connection.rollback()


def by_block(tx: TxContext) -> object:
    with tx.connection:
        return "E-1"


def by_close(tx: TxContext) -> object:
    tx.connection.close()
    return "E-1"


def by_script(tx: TxContext) -> object:
    return tx.connection.executescript("select 1;")


def by_conflict(tx: TxContext) -> object:
    tx.connection.execute("insert into account values ('x')")
    try:
        tx.connection.execute("insert or rollback into account values ('x')")
    except sqlite3.IntegrityError:
        return "E-1"
    return "it did not"


@pytest.mark.parametrize("end", [by_commit, by_rollback, by_block, by_close])
def test_a_step_that_ends_its_transaction_fails(
    books: Books, ledger: Mesh, end: Callable[[TxContext], object]
) -> None:
    """Half of it would be durable: so nothing is, and the attempt fails."""
    ACTS["end"] = end

    run = posted(ledger, "end")

    assert [] == books.lines()
    assert "failed" == ledger.inspect(run).status


@ON_SQLITE
@pytest.mark.parametrize("end", [by_script, by_conflict])
def test_what_ends_a_transaction_on_sqlite_only_fails_the_step(
    books: Books, ledger: Mesh, end: Callable[[TxContext], object]
) -> None:
    """As if it had said so."""
    ACTS["end"] = end

    run = posted(ledger, "end")

    assert [] == books.lines()
    assert "failed" == ledger.inspect(run).status


def test_what_the_database_will_not_commit_fails_the_step(books: Books, ledger: Mesh) -> None:
    """A constraint that is looked at late; the step's policy decides how often."""
    ACTS["orphan"] = lambda tx: tx.connection.execute("insert into entry values ('x')") and "E"

    run = posted(ledger, "orphan", by=Patient)

    assert [] == books.lines()
    error = ledger.inspect(run).error
    assert error is not None
    assert ("StorageError", True) == (error.kind, "foreign key" in error.message.lower())
    failed = [e for e in entries(books.journal, run.id) if isinstance(e, AttemptFailed)]
    assert 3 == len(failed)


# -- storage that goes away


class Unheard:
    """Nobody hears of the next COMMIT."""

    def __init__(self, books: Books, patch: pytest.MonkeyPatch, *, durable: bool) -> None:
        self.durable = durable
        self.met = False
        self._honest = type(books.journal).lend

        def lend(journal: Journal) -> AbstractContextManager[Joined]:
            return self._lend(journal)

        patch.setattr(type(books.journal), "lend", lend)

    @contextmanager
    def _lend(self, journal: Journal) -> Iterator[Joined]:
        """An honest transaction, but for the first."""
        if self.met:
            with self._honest(journal) as lent:
                yield lent
            return
        self.met = True
        with suppress(ZeroDivisionError), self._honest(journal) as lent:
            yield lent
            if not self.durable:
                raise ZeroDivisionError
        raise OutcomeUnknown("the line broke", "outcome_unknown", {})


def test_a_commit_that_was_not_heard_of_is_found(
    books: Books, ledger: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its append id: the step is not performed again."""
    Unheard(books, monkeypatch, durable=True)

    run = posted(ledger)

    assert ("completed", ["A-1"]) == (ledger.inspect(run).status, books.lines())
    claimed = [e for e in entries(books.journal, run.id) if isinstance(e, AttemptClaimed)]
    assert 2 == len(claimed)


def test_a_commit_that_never_was_is_done_again_after_the_lease(
    books: Books, ledger: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may still come: so nobody says that it failed, and the fence keeps it single."""
    Unheard(books, monkeypatch, durable=False)
    run = ledger.start(Ledger.due, Posting("A-1"))
    with pytest.raises(OutcomeUnknown):
        ledger.execute_next()
    assert (None, []) == (ledger.execute_next(), books.lines())

    books.clock.now += LEASE
    ledger.drain()

    assert ("completed", ["A-1"]) == (ledger.inspect(run).status, books.lines())


def test_a_worker_outlives_a_commit_that_never_was(
    books: Books,
    ledger: Mesh,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It lets go of that attempt, and performs the next one."""
    line = Unheard(books, monkeypatch, durable=False)
    with caplog.at_level(logging.CRITICAL, "squidmesh.worker"), ledger.worker(concurrency=1):
        ledger.start(Ledger.due, Posting("A-1"))
        while not line.met:
            pass
        other = ledger.start(Ledger.due, Posting("A-2"))
        assert "completed" == ledger.wait_for(other, timeout="60s").status

    assert ["A-2"] == books.lines()


def test_a_transaction_is_waited_for(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody else writes; the step is not called before."""
    tries = 0
    lend = type(books.journal).lend

    def busy_twice(self: Journal) -> object:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StorageUnavailable("locked", "storage_unavailable", {})
        return lend(self)

    monkeypatch.setattr(type(books.journal), "lend", busy_twice)
    with books.mesh(Ports(pause=lambda _seconds: None)) as mesh:
        run = posted(mesh)

        assert (3, "completed", ["A-1"]) == (tries, mesh.inspect(run).status, books.lines())


def test_without_a_transaction_the_step_is_never_called(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as the lease could live; then the error is the caller's."""
    now = [0.0]

    def pause(seconds: float) -> None:
        now[0] += seconds

    def busy(_self: Journal) -> object:
        raise StorageUnavailable("locked", "storage_unavailable", {})

    monkeypatch.setattr(type(books.journal), "lend", busy)
    with books.mesh(Ports(monotonic=lambda: now[0], pause=pause)) as mesh:
        mesh.start(Ledger.due, Posting("A-1"))
        with pytest.raises(StorageUnavailable):
            mesh.execute_next()

    assert [] == books.lines()
    assert 60 <= now[0] < 62


def test_where_the_hosts_rows_cannot_be_the_step_is_not_called() -> None:
    """Not with a policy either: the journal will not move."""
    ACTS["return"] = explode
    with Mesh.open("memory://", workflows=[Patient]) as mesh:
        run = mesh.start(Patient.due, Posting("A-1"))
        mesh.drain()

        snapshot = mesh.inspect(run, history=True)
        assert snapshot.error is not None
        assert "unsupported_transaction_storage" == snapshot.error.kind
        assert 1 == len(snapshot.attempts)


# -- crashes


@pytest.mark.parametrize(
    ("site", "durable"),
    [
        ("perform.before", False),
        ("perform.after", False),
        ("settle.before", False),
        ("append.after", False),
        ("settle.after", True),
    ],
)
def test_a_crash_leaves_both_or_neither(books: Books, site: Site, durable: bool) -> None:
    """Whenever the process dies, and the next one goes on."""

    class Died(BaseException):
        """The process is gone."""

    armed: list[Site] = []

    def crash(at: Site) -> None:
        if armed == [at]:
            armed.clear()
            raise Died(at)

    with books.mesh() as mesh:
        run = mesh.start(Ledger.due, Posting("A-1"))
    with books.mesh(Ports(site=crash)) as doomed:
        claim = doomed.engine.take(doomed.engine.crew(("default",), "60s"), 1)
        armed.append(site)
        assert 1 == len(claim.claims)
        crew = doomed.engine.crew(("default",), "60s")
        with pytest.raises(Died):
            carry(crew, claim.claims[0], lambda: True)

    history = entries(books.journal, run.id)
    completed = [e for e in history if isinstance(e, AttemptCompleted)]
    assert (durable, ["A-1"] if durable else []) == (bool(completed), books.lines())

    books.clock.now += LEASE
    with books.mesh() as mesh:
        mesh.drain()
        assert ("completed", ["A-1"]) == (mesh.inspect(run).status, books.lines())
