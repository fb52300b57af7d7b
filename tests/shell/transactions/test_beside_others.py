"""Transactional steps on PostgreSQL, where others write meanwhile."""

from collections.abc import Callable

import pytest

from squidmesh import Mesh, TxContext
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.entries import AttemptCompleted, AttemptHeartbeat
from support.books import Books
from support.ledger import ACTS, Ledger, Posting
from support.stage import entries

pytestmark = pytest.mark.parametrize("url", ["postgres"], indirect=True)


def performed(ledger: Mesh, act: Callable[[TxContext], object], *, lease: str = "60s") -> RunId:
    """A run whose step does this."""
    ACTS["act"] = act
    run = ledger.start(Ledger.due, Posting("A-1", "act"))
    ledger.execute_next(lease=lease)
    return RunId(run.id)


def test_what_others_append_meanwhile_is_taken_into_account(books: Books, ledger: Mesh) -> None:
    """A hold, from outside: the completion is decided afresh, in the same transaction."""

    def held(tx: TxContext) -> str:
        ledger.pause(tx.run_id)
        return "E-1"

    run = performed(ledger, held)

    assert ["A-1"] == books.lines()
    assert "paused" == ledger.inspect(run).status
    assert 1 == sum(isinstance(e, AttemptCompleted) for e in entries(books.journal, run))


def test_a_run_cancelled_from_outside_takes_the_writes_with_it(books: Books, ledger: Mesh) -> None:
    """The cancel stands, and nothing of the step."""

    def cancelled(tx: TxContext) -> str:
        ledger.cancel(tx.run_id)
        return "E-1"

    run = performed(ledger, cancelled)

    assert ([], "cancelled") == (books.lines(), ledger.inspect(run).status)


def test_the_lease_is_kept_on_another_connection(books: Books, ledger: Mesh) -> None:
    """While the step writes; and no heartbeat is under way when it is settled."""

    def beats(tx: TxContext) -> int:
        history = entries(books.journal, tx.run_id)
        return sum(isinstance(entry, AttemptHeartbeat) for entry in history)

    def linger(tx: TxContext) -> str:
        while beats(tx) < 2:
            pass
        return "E-1"

    run = performed(ledger, linger, lease="300ms")

    assert (["A-1"], "completed") == (books.lines(), _ended(ledger, run))


def test_a_lost_connection_leaves_the_step_to_its_lease(books: Books, ledger: Mesh) -> None:
    """The server has rolled it back; nobody says that the step failed."""

    def killed(tx: TxContext) -> str:
        (pid,) = tx.connection.execute("select pg_backend_pid()").fetchone()
        with books.outside() as other:
            other.exec_driver_sql(f"select pg_terminate_backend({pid})")
        return "E-1"

    ACTS["act"] = killed
    run = ledger.start(Ledger.due, Posting("A-1", "act"))
    with pytest.raises(Exception, match="lost"):
        ledger.execute_next(lease="1ms")
    assert [] == books.lines()

    ACTS["act"] = lambda _tx: "E-1"
    books.clock.advance(1)
    ledger.drain()
    assert (["A-1"], "completed") == (books.lines(), ledger.inspect(run).status)


def _ended(ledger: Mesh, run: RunId) -> str:
    ledger.drain()
    return ledger.inspect(run).status
