"""Claims and lists look things up: no statement walks a table that grows."""

import re
import sqlite3
from collections.abc import Iterator
from typing import get_args

import pytest

from squidmesh_core.ids import RunId
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_storage.api import RunFilter
from squidmesh_storage.conformance.kit import EPOCH
from squidmesh_storage.sqlite import listing, schema
from squidmesh_storage.sqlite.statements import SQL

#: Held attempts (h) are as few as worker slots: walking them is the plan.
GROWING = re.compile(
    r"SCAN (w|l|r|j|squidmesh_(waiting|runs|journal|tags|checkpoints|correlations))\b"
)

FILTERS = [
    RunFilter(),
    RunFilter(workflow="w"),
    RunFilter(status="failed"),
    RunFilter(workflow="w", status="failed"),
    RunFilter(parent=RunId("p")),
    RunFilter(tag="t"),
    RunFilter(queue="q", version="1", text="x"),
    RunFilter(since=EPOCH, until=EPOCH),
]


DEADLINES = [
    *(RunFilter(deadline=one, deadline_at=EPOCH) for one in get_args(DeadlineStatus)),
    RunFilter(deadline="overdue", deadline_at=EPOCH, workflow="w", status="paused"),
]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate_here(connection, schema.MIGRATIONS)
    yield connection
    connection.close()


def _plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    names = dict.fromkeys(re.findall(r":(\w+)", statement), None)
    plain = statement.count("?") and max(
        [statement.count("?"), *(int(n) for n in re.findall(r"\?(\d+)", statement))]
    )
    numbered = len(set(re.findall(r"\?(\d+)", statement)))
    values = names or (None,) * (numbered or plain)
    rows = connection.execute(f"explain query plan {statement}", values)
    return [str(row[3]) for row in rows]


@pytest.mark.parametrize(
    "name",
    [name for name in sorted(SQL) if name != "runs" and not name.startswith(("survey_", "tally_"))],
)
def test_no_statement_scans_a_table_that_grows(connection: sqlite3.Connection, name: str) -> None:
    """Every lookup goes by a key or an index; only a survey walks."""
    assert [] == [line for line in _plan(connection, SQL[name]) if GROWING.match(line)]


@pytest.mark.parametrize("where", [*FILTERS, *DEADLINES], ids=str)
def test_no_list_scans_the_runs(connection: sqlite3.Connection, where: RunFilter) -> None:
    """Whatever is filtered, the walk begins at the cursor."""
    plan = _plan(connection, listing.statement(where))

    assert [] == [line for line in plan if GROWING.match(line)]


@pytest.mark.parametrize("where", [one for one in FILTERS if one.tag is None], ids=str)
def test_lists_come_sorted_out_of_an_index(
    connection: sqlite3.Connection, where: RunFilter
) -> None:
    """A page costs what it shows, at any depth."""
    plan = _plan(connection, listing.statement(where))

    assert [] == [line for line in plan if "TEMP B-TREE" in line]


@pytest.mark.parametrize("where", [RunFilter(), *DEADLINES], ids=str)
def test_deadlines_come_sorted_out_of_their_index(
    connection: sqlite3.Connection, where: RunFilter
) -> None:
    """Runs without a deadline are not in it, so they cost the board nothing."""
    plan = _plan(connection, listing.due_statement(where))

    assert any(" squidmesh_runs_due " in line for line in plan), plan
    assert [] == [line for line in plan if "TEMP B-TREE" in line]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("due", "squidmesh_waiting_due (queue=?)"),
        ("overdue", "squidmesh_waiting_timer (queue=? AND visible_at<?)"),
        ("promote", "squidmesh_waiting_timer (queue=? AND visible_at<?)"),
        ("next_due", "squidmesh_waiting_timer (queue=? AND visible_at>?)"),
        ("many_keys", "squidmesh_waiting_lane (queue=? AND partition_key>?)"),
        ("finished", "squidmesh_runs_ended ((ended_at,run_id)>(?,?) AND ended_at<?)"),
        ("heads", "squidmesh_journal_revision (run_id=? AND first=?)"),
        ("append", "squidmesh_journal_revision (run_id=?)"),
        ("correlated", "squidmesh_correlations_found (workflow=? AND node=? AND correlation=?)"),
    ],
)
def test_claims_and_appends_use_the_index_made_for_them(
    connection: sqlite3.Connection, name: str, index: str
) -> None:
    """And claims come out of it in order."""
    plan = _plan(connection, SQL[name])

    assert any(line.endswith(index) for line in plan), plan
    assert [] == [line for line in plan if "TEMP B-TREE" in line]


@pytest.mark.parametrize("index", ["partition_key>?", "partition_key=?"])
def test_each_key_of_a_lane_is_found_by_a_seek_and_so_is_its_first(
    connection: sqlite3.Connection, index: str
) -> None:
    """Only the few that are found are sorted, for the window."""
    plan = _plan(connection, SQL["due_by_key"])

    assert any(line.endswith(f"squidmesh_waiting_lane (queue=? AND {index})") for line in plan), (
        plan
    )
    assert 1 == sum("TEMP B-TREE" in line for line in plan)


@pytest.mark.parametrize(
    ("where", "index"),
    [
        (RunFilter(), "squidmesh_runs_newest"),
        (RunFilter(workflow="w"), "squidmesh_runs_workflow"),
        (RunFilter(status="failed"), "squidmesh_runs_status"),
        (RunFilter(parent=RunId("p")), "squidmesh_runs_parent"),
    ],
    ids=str,
)
def test_lists_use_the_index_made_for_them(
    connection: sqlite3.Connection, where: RunFilter, index: str
) -> None:
    """A rare workflow, status or parent is found without walking the others."""
    plan = _plan(connection, listing.statement(where))

    assert any(f" {index} " in line for line in plan), plan
