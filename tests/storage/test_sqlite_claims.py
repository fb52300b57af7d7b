"""What a claim costs, in numbers that no machine changes: statements, and steps of SQLite."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from squidmesh_storage.api import Candidate, Choice, Offered
from squidmesh_storage.conformance.kit import (
    Clock,
    attempt,
    commit,
    first,
    hold,
    puts,
    run_id,
)
from squidmesh_storage.sqlite import SqliteJournal

HOUR = timedelta(hours=1)
#: A run with one due attempt each, of so many partition keys in turn.
FILL = """
with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < :rows)
insert into {table} select {columns} from n
"""
JOURNAL = "printf('run-%06d', i), 1, 1, printf('append-%06d', i), 0, 0, '[]', x'00', 1"
WAITING = """
    printf('run-%06d', i), 'work', 'default', 'act', 0, i, printf('key-%06d', i % :keys), 1
"""


@pytest.fixture
def journal() -> Iterator[SqliteJournal]:
    journal = SqliteJournal(":memory:", clock=Clock())
    yield journal
    journal.close()


@pytest.fixture
def statements(journal: SqliteJournal) -> list[str]:
    """What is executed, in order."""
    executed: list[str] = []
    journal._process.writer.connection.set_trace_callback(executed.append)
    return executed


def claim(journal: SqliteJournal, limit: int = 8) -> int:
    """Claim what is offered; how many attempts that were."""
    seen: list[Candidate] = []

    def decide(offered: Offered) -> Choice:
        seen.extend(offered.candidates)
        return Choice(batches=[hold(one, offered.now + HOUR) for one in seen[:limit]])

    journal.claimable(("default",), ("act",), limit, decide)
    return len(seen)


def steps(journal: SqliteJournal, limit: int = 8) -> tuple[int, int]:
    """What a look costs in thousands of SQLite's steps, and how many attempts it sees."""
    counted = [0]
    seen: list[Candidate] = []

    def count() -> int:
        counted[0] += 1
        return 0

    def decide(offered: Offered) -> Choice:
        seen.extend(offered.candidates)
        return Choice()

    connection = journal._process.writer.connection
    connection.set_progress_handler(count, 1_000)
    journal.claimable(("default",), ("act",), limit, decide)
    connection.set_progress_handler(None, 0)
    return counted[0], len(seen)


def filled(journal: SqliteJournal, *, rows: int, keys: int) -> None:
    """A backlog in a queue that is a lane."""
    journal.put_record("queue", "default", "{}")
    connection = journal._process.writer.connection
    for table, columns in (("squidmesh_journal", JOURNAL), ("squidmesh_waiting", WAITING)):
        asked = {"rows": rows, "keys": keys}
        connection.execute(FILL.format(table=table, columns=columns), asked)


def test_looking_in_an_empty_queue_is_four_reads(
    journal: SqliteJournal, statements: list[str]
) -> None:
    """Due, lost, delayed, and when to come back; lanes are not asked after."""
    assert 0 == claim(journal)

    assert 4 == len(statements)
    assert [] == [one for one in statements if "squidmesh_records" in one]


@pytest.mark.parametrize("count", [1, 5])
def test_claiming_asks_once_after_lanes_and_once_after_heads(
    journal: SqliteJournal, statements: list[str], count: int
) -> None:
    """However many attempts; beside that there is only what writes them."""
    for number in range(1, count + 1):
        commit(journal, first(run_id(number), rows=puts(attempt(run_id(number)))))
    statements.clear()

    assert count == claim(journal)

    begun = statements.index("begin immediate")
    reads = [one for one in statements[begun:] if one.startswith("select")]
    # Due and lost, before the transaction and in it; lanes, heads, when to come back.
    assert (2, 5) == (begun, len(reads))
    assert 1 == sum("squidmesh_records" in one for one in statements)


@pytest.mark.parametrize("keys", [1, 10, 200, 1_000, 100_000])
def test_a_claim_of_a_lane_costs_no_more_beneath_a_long_backlog(
    journal: SqliteJournal, keys: int
) -> None:
    """With 100,000 attempts that wait, of one key or of one each, a few hundred are looked at."""
    filled(journal, rows=100_000, keys=keys)

    thousands, seen = steps(journal)

    assert min(8 * keys, 256) == seen
    assert 150 >= thousands


def test_the_last_key_of_a_long_backlog_costs_no_walk(journal: SqliteJournal) -> None:
    """Nor do attempts without a key behind all that have one."""
    filled(journal, rows=100_000, keys=1)
    rows = [
        attempt(run_id(1), partition_key="z", priority=9),
        attempt(run_id(2), partition_key=None, priority=9),
    ]
    for row in rows:
        commit(journal, first(row.run_id, rows=puts(row)))

    assert 5 >= steps(journal)[0]
    assert 10 == steps(journal)[1]
