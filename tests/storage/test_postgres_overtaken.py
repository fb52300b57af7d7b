"""An append that waits while somebody else stores that revision: a conflict, and no more than that."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from threading import Thread

import psycopg
import pytest

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Batch, Choice, Committed, Conflict, Offered, Outcome
from squidmesh_storage.conformance.kit import (
    attempt,
    commit,
    first,
    head_of,
    hold,
    key,
    puts,
    run_id,
    run_row,
    then,
)
from squidmesh_storage.postgres import PostgresJournal
from support.postgres import execute

_AHEAD = (
    "insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body)"
    " values (%s, %s, %s, now(), 1, 'ahead', '', '[]')"
)
_WAITS = "select count(*) from pg_locks where not granted and locktype = 'transactionid'"


@pytest.fixture
def journal(postgres_dsn: str) -> Iterator[PostgresJournal]:
    journal = PostgresJournal(postgres_dsn)
    yield journal
    journal.close()


def held_run(journal: PostgresJournal, number: int) -> Batch:
    """A run whose only attempt is held."""
    row = attempt(run_id(number), held_until=journal.now() + timedelta(hours=1))
    begun = first(run_id(number), rows=RowChanges(run=run_row(run_id(number)), put=(row,)))
    commit(journal, begun)
    return begun


def step(journal: PostgresJournal, begun: Batch) -> Batch:
    """Its slot goes on."""
    run = begun.record.run_id
    row = attempt(run, step="next", held_until=journal.now() + timedelta(hours=1))
    return then(begun, rows=RowChanges(put=(row,), drop=(key(run),)))


def end(_: PostgresJournal, begun: Batch) -> Batch:
    """It ends."""
    run = begun.record.run_id
    rows = RowChanges(
        run=run_row(run, status="completed", ended_at=begun.record.at), drop=(key(run),)
    )
    return then(begun, rows=rows)


def overtaken(
    journal: PostgresJournal, url: str, batches: Sequence[Batch], *, by: Batch
) -> list[Outcome]:
    """What becomes of these, sent while somebody stores that revision and commits afterwards."""
    return meanwhile(url, by, lambda: journal.append(batches))


def meanwhile(url: str, by: Batch, send: Callable[[], Sequence[Outcome]]) -> list[Outcome]:
    """What comes of sending something while somebody stores a revision and commits afterwards."""
    outcomes: list[Outcome] = []
    record = by.record
    with psycopg.connect(url) as other:
        other.execute(_AHEAD, (record.run_id, record.first, record.last))
        sending = Thread(target=lambda: outcomes.extend(send()))
        sending.start()
        while execute(url, _WAITS) == [(0,)]:
            assert sending.is_alive()
        other.commit()
        sending.join()
    return outcomes


@pytest.mark.parametrize("make", [step, end])
def test_a_lone_append_that_is_overtaken_is_a_conflict(
    journal: PostgresJournal,
    postgres_dsn: str,
    make: Callable[[PostgresJournal, Batch], Batch],
) -> None:
    """And the rows that it was to change are as they were."""
    begun = held_run(journal, 1)
    before = journal.rows_of(run_id(1))
    batch = make(journal, begun)

    outcomes = overtaken(journal, postgres_dsn, [batch], by=batch)

    assert [
        Conflict(run_id=run_id(1), expected=begun.record.last, actual=batch.record.last)
    ] == outcomes
    assert before == journal.rows_of(run_id(1))


def test_a_start_that_is_overtaken_is_a_conflict(
    journal: PostgresJournal, postgres_dsn: str
) -> None:
    """Of two that begin the same run one does."""
    begun = first(run_id(1), rows=RowChanges(run=run_row(run_id(1))))

    outcomes = overtaken(journal, postgres_dsn, [begun], by=begun)

    assert [Conflict(run_id=run_id(1), expected=Revision(0), actual=Revision(1))] == outcomes
    assert journal.rows_of(run_id(1)).run is None


def test_a_claim_that_is_overtaken_leaves_its_attempt_waiting(
    journal: PostgresJournal, postgres_dsn: str
) -> None:
    """Whoever else is claimed in that transaction is held."""
    begun, other = (first(run_id(number), rows=puts(attempt(run_id(number)))) for number in (1, 2))
    commit(journal, begun, other)

    def decide(offered: Offered) -> Choice:
        until = offered.now + timedelta(hours=1)
        return Choice(batches=[hold(one, until) for one in offered.candidates])

    outcomes = meanwhile(
        postgres_dsn,
        then(begun),
        lambda: journal.claimable(("default",), ("act",), 9, decide).outcomes,
    )

    assert [
        Conflict(run_id=run_id(1), expected=Revision(1), actual=Revision(2)),
        Committed(run_id=run_id(2), revision=Revision(2)),
    ] == outcomes
    assert [True, False] == [
        journal.rows_of(run_id(number)).attempts[0].held_until is None for number in (1, 2)
    ]


@pytest.mark.parametrize("make", [step, end])
def test_who_travels_with_one_that_is_overtaken_arrives(
    journal: PostgresJournal,
    postgres_dsn: str,
    make: Callable[[PostgresJournal, Batch], Batch],
) -> None:
    """Steps, ends and starts: all of them are written, with their rows."""
    begun = [held_run(journal, number) for number in range(1, 6)]
    batches = [
        make(journal, begun[0]),
        *(step(journal, one) for one in begun[1:3]),
        *(end(journal, one) for one in begun[3:]),
        first(run_id(6), rows=RowChanges(run=run_row(run_id(6)))),
    ]

    outcomes = overtaken(journal, postgres_dsn, batches, by=batches[0])

    assert isinstance(outcomes[0], Conflict)
    assert [
        Committed(run_id=batch.record.run_id, revision=batch.record.last) for batch in batches[1:]
    ] == outcomes[1:]
    for batch in batches[1:]:
        rows = journal.rows_of(batch.record.run_id)
        assert head_of(batch) == journal.load(batch.record.run_id).head
        assert batch.rows.put == rows.attempts
        assert batch.rows.run is None or batch.rows.run == rows.run
