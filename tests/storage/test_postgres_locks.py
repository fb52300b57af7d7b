"""Whoever changes attempts and journal locks the attempts first, so nobody waits in a circle."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from threading import Barrier, Thread
from typing import Final

import psycopg
import pytest
from attrs import evolve

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_storage.api import Batch, Choice, Committed, Conflict, Offered, Outcome
from squidmesh_storage.conformance.kit import (
    attempt,
    commit,
    first,
    head_of,
    hold,
    key,
    on,
    puts,
    run_id,
    run_row,
    then,
)
from squidmesh_storage.postgres import PostgresJournal
from support.postgres import execute

HOUR = timedelta(hours=1)
ROUNDS = 60
#: Another row in the place of each.
_REBUILD: Final = (
    "create temporary table kept as select * from squidmesh.held",
    "delete from squidmesh.held",
    "insert into squidmesh.held select * from kept",
)
_WAITS: Final = "select count(*) from pg_locks where not granted and locktype = 'transactionid'"


@pytest.fixture
def journals(postgres_dsn: str) -> Iterator[tuple[PostgresJournal, PostgresJournal]]:
    """Two processes, as far as the server can tell."""
    pair = (PostgresJournal(postgres_dsn), PostgresJournal(postgres_dsn))
    yield pair
    for one in pair:
        one.close()


@pytest.fixture
def deadlocks(postgres_dsn: str) -> Callable[[], object]:
    """How often the server had to break a circle."""
    asked = "select deadlocks from pg_stat_database where datname = current_database()"
    return lambda: execute(postgres_dsn, asked)[0][0]


def _together(*jobs: Callable[[], object]) -> None:
    barrier = Barrier(len(jobs))

    def go(job: Callable[[], object]) -> None:
        barrier.wait(30)
        job()

    threads = [Thread(target=go, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _expired(journal: PostgresJournal, numbers: range) -> list[Batch]:
    """Runs whose only attempt is held, with the lease past."""
    past = journal.now() - HOUR
    begun = [
        first(run_id(number), rows=puts(attempt(run_id(number), held_until=past)))
        for number in numbers
    ]
    commit(journal, *begun)
    return begun


def _takeover(journal: PostgresJournal, answers: list[Outcome]) -> None:
    def claim(offered: Offered) -> Choice:
        until = offered.now + HOUR
        return Choice(batches=[hold(one, until) for one in offered.candidates])

    answers.extend(journal.claimable(("default",), ("act",), 8, claim).outcomes)


def _settle(journal: PostgresJournal, begun: Batch, end: bool, answers: list[Outcome]) -> None:
    run = begun.record.run_id
    until = journal.now() + HOUR
    rows = (
        RowChanges(run=run_row(run, status="completed"), drop=(key(run),))
        if end
        else RowChanges(put=(attempt(run, step="next", held_until=until),), drop=(key(run),))
    )
    answers.extend(journal.append((then(begun, rows=rows),)))


def _append(journal: PostgresJournal, batch: Batch, answers: list[Outcome]) -> None:
    answers.extend(journal.append((batch,)))


def _remove(
    journal: PostgresJournal, begun: Batch, stone: AppendRecord, answers: list[bool]
) -> None:
    answers.append(journal.remove(begun.record.run_id, begun.record.last, stone))


@pytest.mark.parametrize("end", [False, True], ids=["a step", "the end"])
def test_takeovers_and_late_settlements_never_deadlock(
    journals: tuple[PostgresJournal, PostgresJournal],
    deadlocks: Callable[[], object],
    end: bool,
) -> None:
    """Of a claim and a settlement of the same run one wins, and neither waits for the other for ever."""
    one, two = journals
    for turn in range(ROUNDS):
        begun = _expired(one, range(8 * turn + 1, 8 * turn + 9))
        claimed: list[Outcome] = []
        settled: list[Outcome] = []
        _together(
            partial(_takeover, two, claimed),
            *(partial(_settle, one, batch, end, settled) for batch in begun),
        )

        winners = [outcome.run_id for outcome in (*claimed, *settled) if _won(outcome)]
        assert sorted(winners) == sorted(batch.record.run_id for batch in begun)

        _takeover(two, [])  # whatever is left is out of the way of the next turn
    assert deadlocks() == 0


def _won(outcome: Outcome) -> bool:
    return isinstance(outcome, Committed)


def test_committers_of_two_processes_never_deadlock(
    journals: tuple[PostgresJournal, PostgresJournal], deadlocks: Callable[[], object]
) -> None:
    """Each writes many runs at once, in any order it likes."""
    runs = [run_id(number) for number in range(1, 41)]
    begun = [first(run, rows=puts(attempt(run, held_until=journals[0].now()))) for run in runs]
    commit(journals[0], *begun)
    outcomes: list[Outcome] = []

    def rival(journal: PostgresJournal, turn: int) -> None:
        batches = [
            then(one, rows=puts(attempt(one.record.run_id, held_until=journal.now())))
            for one in begun
        ]
        outcomes.extend(journal.append(batches if turn % 2 else batches[::-1]))

    _together(*(partial(rival, journals[turn % 2], turn) for turn in range(8)))

    assert len(runs) == sum(map(_won, outcomes))
    assert deadlocks() == 0


def test_a_rebuilt_index_loses_nothing_that_is_appended_meanwhile(
    journals: tuple[PostgresJournal, PostgresJournal], deadlocks: Callable[[], object]
) -> None:
    """Either the rebuild comes first and the append changes its rows, or it stands back."""
    one, two = journals
    until = one.now() + HOUR
    held = attempt(run_id(1), held_until=until)
    batch = first(run_id(1), rows=puts(held))
    commit(one, batch)
    for turn in range(ROUNDS):
        new = attempt(run_id(1), step=f"message-{turn}", visible_at=until)
        grown = then(batch, rows=puts(new))
        before = one.rows_of(run_id(1))
        outcomes: list[Outcome] = []
        _together(
            partial(_append, two, grown, outcomes),
            partial(one.index, run_id(1), batch.record.last, before),
        )

        assert [True] == [_won(outcome) for outcome in outcomes]
        assert new in one.rows_of(run_id(1)).attempts
        batch = grown
    assert deadlocks() == 0


def test_a_slot_that_goes_on_finds_the_row_that_a_rebuild_left(
    journals: tuple[PostgresJournal, PostgresJournal],
) -> None:
    """The row is another one then, and still the only one."""
    one, two = journals
    until = one.now() + HOUR
    row = attempt(run_id(1), step="s0", held_until=until)
    batch = first(run_id(1), rows=puts(row))
    commit(one, batch)
    for turn in range(1, ROUNDS):
        following = attempt(run_id(1), step=f"s{turn}", held_until=until)
        rows = RowChanges(put=(following,), drop=(row.attempt_key,))
        grown = then(batch, rows=rows)
        outcomes: list[Outcome] = []
        _together(
            partial(_append, two, grown, outcomes),
            partial(one.index, run_id(1), batch.record.last, IndexRows(attempts=(row,))),
        )

        assert [True] == [_won(outcome) for outcome in outcomes]
        assert (following,) == one.rows_of(run_id(1)).attempts
        batch, row = grown, following


def _append_as_a_guest(
    journal: PostgresJournal, url: str, batch: Batch, answers: list[Outcome]
) -> None:
    with psycopg.connect(url) as host:
        host.execute("select 1")
        answers.extend(journal.transaction(host).append((batch,)))


@pytest.mark.parametrize("group", [None, "g"], ids=["alone", "in a group"])
def test_a_slot_that_goes_on_in_a_hosts_transaction_finds_that_row_too(
    journals: tuple[PostgresJournal, PostgresJournal], postgres_dsn: str, group: str | None
) -> None:
    """It waits for the rebuild before it looks, and not only while it writes."""
    journal, _ = journals
    until = journal.now() + HOUR
    begun = first(run_id(1), rows=puts(attempt(run_id(1), held_until=until)))
    commit(journal, begun)
    following = attempt(run_id(1), step="next", held_until=until)
    grown = then(begun, rows=RowChanges(put=(following,), drop=(key(run_id(1)),)), group=group)
    outcomes: list[Outcome] = []

    with psycopg.connect(postgres_dsn) as rebuild:
        for statement in _REBUILD:
            rebuild.execute(statement)
        appending = Thread(target=_append_as_a_guest, args=(journal, postgres_dsn, grown, outcomes))
        appending.start()
        while execute(postgres_dsn, _WAITS) == [(0,)]:
            assert appending.is_alive()
        rebuild.commit()
        appending.join()

    assert [Committed(run_id=run_id(1), revision=Revision(2))] == outcomes
    assert (following,) == journal.rows_of(run_id(1)).attempts


def test_nothing_is_appended_to_a_run_that_is_being_removed(
    journals: tuple[PostgresJournal, PostgresJournal],
) -> None:
    """Whoever comes first: the other one finds the head elsewhere."""
    one, two = journals
    for number in range(1, ROUNDS):
        begun = first(run_id(number), entries=2)
        commit(one, begun)
        late = then(begun, rows=RowChanges(run=run_row(run_id(number))))
        stone = evolve(first(run_id(number)).record)
        outcomes: list[Outcome] = []
        removed: list[bool] = []
        _together(
            partial(_append, two, late, outcomes),
            partial(_remove, one, begun, stone, removed),
        )

        (appended,) = (_won(outcome) for outcome in outcomes)
        assert [not appended] == removed
        expected = (begun.record, late.record) if appended else (stone,)
        assert expected == one.load(run_id(number)).records


def test_a_step_of_a_run_whose_row_is_missing_is_written_all_the_same(
    journals: tuple[PostgresJournal, PostgresJournal], postgres_dsn: str
) -> None:
    """The index may have been dropped; the journal decides."""
    journal, _ = journals
    until = journal.now() + HOUR
    begun = first(run_id(1), rows=puts(attempt(run_id(1), held_until=until)))
    commit(journal, begun)
    execute(postgres_dsn, "delete from squidmesh.held")
    row = attempt(run_id(1), step="next", held_until=until)

    commit(journal, then(begun, rows=RowChanges(put=(row,), drop=(key(run_id(1)),))))

    assert (row,) == journal.rows_of(run_id(1)).attempts


def test_a_stale_step_says_where_the_head_is(
    journals: tuple[PostgresJournal, PostgresJournal],
) -> None:
    """After all that was tried, the answer is that of any other conflict."""
    journal, _ = journals
    until: datetime = journal.now() + HOUR
    begun = first(run_id(1), rows=puts(attempt(run_id(1), held_until=until)))
    commit(journal, begun)
    commit(journal, then(begun))
    row = attempt(run_id(1), step="next", held_until=until)

    (outcome,) = journal.append(
        (on(run_id(1), head_of(begun), rows=RowChanges(put=(row,), drop=(key(run_id(1)),))),)
    )

    assert Conflict(run_id=run_id(1), expected=Revision(1), actual=Revision(2)) == outcome
