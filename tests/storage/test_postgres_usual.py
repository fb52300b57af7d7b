"""What nearly all appends are is written by parts of its own, and comes to the same as by all of them."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from attrs import evolve

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.rows import AttemptRow, IndexRows, RowChanges, RunRow
from squidmesh_core.values.deadline import Thresholds
from squidmesh_storage.api import Batch, Conflict, RunFilter
from squidmesh_storage.conformance.kit import (
    EPOCH,
    attempt,
    commit,
    correlation,
    drops,
    first,
    head_of,
    key,
    notice,
    puts,
    run_id,
    run_row,
    then,
)
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.postgres.statements import Names, Statements
from squidmesh_storage.postgres.usual import Sort, usual
from squidmesh_storage.postgres.writing import write_call
from support.postgres import execute

HOUR = timedelta(hours=1)
SQL = Statements(Names())
#: Texts that an array would take for something else.
HOSTILE = ("null", '"', "\\", '{"a",b}', "", " \t\n", "%s %(run_id)s", "🦑 ß'")


@pytest.fixture
def journal(postgres_dsn: str) -> Iterator[PostgresJournal]:
    journal = PostgresJournal(postgres_dsn)
    yield journal
    journal.close()


def held(number: int, step: str = "work") -> AttemptRow:
    """A claimed attempt of a run."""
    return attempt(run_id(number), step=step, held_until=EPOCH + HOUR)


def start(number: int, *, row: AttemptRow | None = None, run: RunRow | None = None) -> Batch:
    """A run that begins with one attempt."""
    run_id_ = run_id(number)
    rows = RowChanges(run=run or run_row(run_id_), put=(row or held(number),))
    return first(run_id_, rows=rows)


def step(begun: Batch, number: int) -> Batch:
    """Its slot goes on."""
    return then(begun, rows=RowChanges(put=(held(number, "next"),), drop=(key(run_id(number)),)))


def end(begun: Batch, number: int, run: RunRow | None = None) -> Batch:
    """Its slot lets go, with which it ends."""
    ended = run or run_row(run_id(number), status="completed", ended_at=EPOCH)
    return then(begun, rows=RowChanges(run=ended, drop=(key(run_id(number)),)))


def sort_of(batch: Batch) -> Sort | None:
    """What an append is."""
    found = usual(batch)
    return None if found is None else found[0]


BEGUN = start(1)
WAITING = attempt(run_id(1))


@pytest.mark.parametrize(
    ("expected", "batch"),
    [
        ("beginning", BEGUN),
        ("beginning", start(1, row=WAITING)),
        (None, start(1, run=run_row(run_id(1), tags=("red",)))),
        (None, first(run_id(1), rows=puts(held(1)))),
        (None, first(run_id(1), rows=RowChanges(run=run_row(run_id(1))))),
        (None, evolve(BEGUN, notices=(notice("run_failed"),))),
        (None, evolve(BEGUN, rows=evolve(BEGUN.rows, correlations=(correlation(run_id(1)),)))),
        ("slot", step(BEGUN, 1)),
        (None, then(BEGUN, rows=RowChanges(put=(WAITING,), drop=(key(run_id(1), "a"),)))),
        (None, then(BEGUN, rows=RowChanges(put=(held(1),), drop=(key(run_id(1)),)))),
        (None, then(BEGUN, rows=drops(key(run_id(1))))),
        (None, evolve(step(BEGUN, 1), notices=(notice("gate_opened"),))),
        ("ending", end(BEGUN, 1)),
        ("ending", evolve(end(BEGUN, 1), notices=(notice("run_completed"),))),
        (None, evolve(end(BEGUN, 1), notices=(notice("run_failed", "1"), notice("gate_opened", "2")))),
        (None, end(BEGUN, 1, run_row(run_id(1), status="cancelled"))),
        (None, end(BEGUN, 1, run_row(run_id(1), status="idle"))),
        (None, then(BEGUN, rows=RowChanges(run=run_row(run_id(1), status="failed")))),
        (None, then(BEGUN)),
    ],
)  # fmt: skip
def test_appends_are_told_apart(expected: Sort | None, batch: Batch) -> None:
    """What needs more than the parts of its sort look at is something else."""
    assert expected == sort_of(batch)


def test_an_end_by_itself_looks_at_no_table_that_it_leaves_alone() -> None:
    """Neither unclaimed attempts nor tags nor what messages find: each costs the server as much."""
    text = write_call(SQL, [end(BEGUN, 1)], "me").text

    tables = {"journal", "held", "runs", "records", "quarantine", "waiting", "tags", "correlations"}
    left_alone = {"waiting", "tags", "correlations"}
    assert tables - left_alone == {one for one in tables if f'"squidmesh"."{one}"' in text}


def test_a_start_by_itself_looks_at_no_table_that_it_leaves_alone() -> None:
    """Its attempt is either claimed or not."""
    claimed = write_call(SQL, [BEGUN], "me").text
    unclaimed = write_call(SQL, [start(1, row=WAITING)], "me").text

    assert [True, False] == [f'"squidmesh"."{one}"' in claimed for one in ("held", "waiting")]
    assert [False, True] == [f'"squidmesh"."{one}"' in unclaimed for one in ("held", "waiting")]


@pytest.mark.parametrize("company", [1, 3], ids=["alone", "together"])
@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_stored_as_it_is(journal: PostgresJournal, text: str, company: int) -> None:
    """Whether values go by themselves or as arrays."""
    numbers = range(1, company + 1)
    due = Thresholds(due_at=EPOCH + HOUR, due_soon_at=EPOCH, escalated_at=None)
    rows = {
        number: run_row(
            run_id(number), workflow=text or "w", workflow_key=text, version=text, deadline=due
        )
        for number in numbers
    }
    claimed = {
        number: evolve(held(number), partition_key=text, queue=text or "q") for number in numbers
    }
    begun = [start(number, row=claimed[number], run=rows[number]) for number in numbers]

    commit(journal, *begun)

    for number in numbers:
        expected = IndexRows(run=rows[number], attempts=(claimed[number],))
        assert expected == journal.rows_of(run_id(number))

    ended = {
        number: evolve(rows[number], status="failed", error=text, ended_at=EPOCH, deadline=None)
        for number in numbers
    }
    ends = [end(one, number, ended[number]) for number, one in zip(numbers, begun, strict=True)]
    commit(journal, *ends)

    for number, batch in zip(numbers, ends, strict=True):
        assert IndexRows(run=ended[number]) == journal.rows_of(run_id(number))
        assert head_of(batch) == journal.load(run_id(number)).head


def test_sorts_travel_together(journal: PostgresJournal) -> None:
    """Starts of both kinds, a step, an end, and something else, in one append."""
    begun = [start(number) for number in (1, 2, 3)]
    commit(journal, *begun)
    waiting = attempt(run_id(5), visible_at=EPOCH + HOUR)
    together = [
        start(4),
        start(5, row=waiting),
        step(begun[0], 1),
        end(begun[1], 2),
        then(begun[2], rows=drops(key(run_id(3)))),
    ]

    commit(journal, *together)

    assert [(held(1, "next"),), (), (), (held(4),), (waiting,)] == [
        journal.rows_of(run_id(number)).attempts for number in range(1, 6)
    ]
    assert "completed" == _status(journal, 2)
    assert [head_of(one) for one in together] == [
        journal.load(one.record.run_id).head for one in together
    ]


def _status(journal: PostgresJournal, number: int) -> str | None:
    run = journal.rows_of(run_id(number)).run
    return None if run is None else run.status


def _unlist(journal: PostgresJournal, url: str, begun: Batch) -> Batch:
    del journal
    execute(url, "delete from squidmesh.runs")
    return end(begun, 1)


def _tag(journal: PostgresJournal, url: str, begun: Batch) -> Batch:
    del journal, url
    return end(begun, 1, run_row(run_id(1), status="completed", ended_at=EPOCH, tags=("new",)))


def _lose(journal: PostgresJournal, url: str, begun: Batch) -> Batch:
    del journal
    execute(url, "delete from squidmesh.held")
    return end(begun, 1)


def _wait(journal: PostgresJournal, url: str, begun: Batch) -> Batch:
    del url
    back = then(begun, rows=puts(WAITING))
    commit(journal, back)
    return end(back, 1)


@pytest.mark.parametrize("change", [_unlist, _tag, _lose, _wait])
def test_an_end_that_is_not_as_usual_is_written_all_the_same(
    journal: PostgresJournal,
    postgres_dsn: str,
    change: Callable[[PostgresJournal, str, Batch], Batch],
) -> None:
    """The run is not listed, has new tags, or its attempt is not held: the journal decides."""
    begun = start(1)
    commit(journal, begun)
    ended = change(journal, postgres_dsn, begun)

    commit(journal, ended)

    assert IndexRows(run=ended.rows.run) == journal.rows_of(run_id(1))
    tags = [run.row.tags for run in journal.runs(RunFilter(tag="new"), None, 5).items]
    assert ([("new",)] if change is _tag else []) == tags


@pytest.mark.parametrize("make", [step, end])
def test_an_attempt_that_somebody_else_settled_is_a_conflict(
    journal: PostgresJournal, make: Callable[[Batch, int], Batch]
) -> None:
    """Alone and in company: nothing of it is written."""
    begun = [start(number) for number in (1, 2, 3)]
    commit(journal, *begun)
    commit(journal, step(begun[0], 1))
    stale, others = make(begun[0], 1), [make(begun[1], 2), make(begun[2], 3)]

    outcomes = [*journal.append([stale]), *journal.append([stale, *others])]

    assert [False, False, True, True] == [hasattr(one, "revision") for one in outcomes]
    assert (held(1, "next"),) == journal.rows_of(run_id(1)).attempts
    assert "running" == _status(journal, 1)


@pytest.mark.parametrize("make", [step, end])
@pytest.mark.parametrize("ahead", [0, 4], ids=["behind", "ahead"])
def test_an_attempt_that_is_held_is_not_enough(
    journal: PostgresJournal, make: Callable[[Batch, int], Batch], ahead: int
) -> None:
    """Whoever decided on another head than the journal's is told where that is."""
    begun = start(1)
    commit(journal, begun)
    commit(journal, then(begun))
    elsewhere = evolve(begun, record=evolve(begun.record, last=Revision(1 + ahead)))

    (outcome,) = journal.append([make(elsewhere, 1)])

    assert Conflict(run_id=run_id(1), expected=Revision(1 + ahead), actual=Revision(2)) == outcome
    assert (held(1),) == journal.rows_of(run_id(1)).attempts
