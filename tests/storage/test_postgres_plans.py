"""At 100,000 rows claims, lists and loads look things up: no statement walks a table that grows."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args

import pytest
from attrs import asdict
from psycopg import ClientCursor, Connection
from psycopg.rows import TupleRow

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_storage.api import RunFilter
from squidmesh_storage.conformance.kit import (
    EPOCH,
    attempt,
    correlation,
    first,
    key,
    puts,
    run_id,
    run_row,
    then,
)
from squidmesh_storage.postgres import PostgresJournal, writing
from squidmesh_storage.postgres.changes import Changes
from squidmesh_storage.postgres.claiming import LOWEST, Wanted
from squidmesh_storage.postgres.connecting import Target
from squidmesh_storage.postgres.listing import due_call, page_call
from squidmesh_storage.postgres.pool import open_session
from squidmesh_storage.postgres.scripts import Call
from squidmesh_storage.postgres.statements import Names, Statements
from squidmesh_storage.postgres.usual import claim_of
from support.postgres import database

ROWS = 100_000
SQL = Statements(Names())
NOW = datetime.now(UTC)
DEADLINES = [RunFilter(deadline=one, deadline_at=NOW) for one in get_args(DeadlineStatus)]


def asked(where: RunFilter) -> str:
    """What a filter asks for, the same on every day."""
    given = [key for key, value in asdict(where).items() if value and key != "deadline_at"]
    return ", ".join([*given, *([where.deadline] if where.deadline else [])]) or "all"


#: Held attempts are as few as worker slots: walking them is the plan.
GROWING = re.compile(r"Seq Scan on (waiting|runs|journal|tags|correlations)\b")
SORTED = re.compile(r"\bSort\b")
#: By an index, but for its order only: nothing is looked up.
WALKED = re.compile(
    rf"Index (Only )?Scan [^\n]*{GROWING.pattern.removeprefix('Seq Scan')}[^\n]*\n(?! *Index Cond)"
)

FILL = f"""
insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body)
select lpad(to_hex(n), 32, '0')::uuid, f, f, now(), 1, n || '-' || f, '\\x00', '[]'
from generate_series(1, {ROWS}) as n, generate_series(1, 2) as f;

insert into squidmesh.waiting
    (run_id, attempt_key, queue, action, priority, visible_at, partition_key, due)
select lpad(to_hex(n), 32, '0')::uuid, ':work:1', 'default', 'act', n % 3, now(),
    'key-' || n % 50, n % 2 = 0
from generate_series(1, {ROWS}) as n;

insert into squidmesh.runs
    (run_id, workflow, fingerprint, "trigger", status, queue, priority, tags, created_at, ended_at,
     parent, due_at)
select lpad(to_hex(n), 32, '0')::uuid, 'w' || n % 7, 'f', 'start',
    case when n % 1000 = 0 then 'failed' else 'completed' end, 'default', 0, '[]',
    now() - make_interval(secs => n), case when n % 10 > 0 then now() end,
    case when n % 100 = 0 then 'p' || n end,
    case when n % 10 = 0 then now() + make_interval(secs => n - 500) end
from generate_series(1, {ROWS}) as n;

insert into squidmesh.tags (run_id, tag)
select lpad(to_hex(n), 32, '0')::uuid, 't' || n % 1000 from generate_series(1, {ROWS}) as n;

insert into squidmesh.correlations (run_id, workflow, node, correlation, open)
select lpad(to_hex(n), 32, '0')::uuid, 'w', 'n', 'c' || n, true
from generate_series(1, {ROWS}) as n;
"""


@pytest.fixture(scope="module", params=["analysed", "never analysed"])
def connection(
    request: pytest.FixtureRequest, postgres_server: str
) -> Iterator[Connection[TupleRow]]:
    with database(postgres_server) as url:
        PostgresJournal(url).close()
        with open_session(Target.of(url)).connection as connection:
            for table in ("journal", "waiting", "runs", "tags", "correlations"):
                connection.execute(
                    f"alter table squidmesh.{table} set (autovacuum_enabled = off)".encode()
                )
            connection.execute(FILL.encode())
            if request.param == "analysed":
                connection.execute("analyze")
            yield connection


def _plan(connection: Connection[TupleRow], call: Call) -> list[str]:
    """The plan with these values, and the one for whatever values, which is what is used."""
    with ClientCursor(connection) as cursor:
        asked = cursor.mogrify(call.text.encode(), call.values)
        lines = connection.execute(b"explain " + asked.encode()).fetchall()
        names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", call.text)))
        text = call.text
        for number, name in enumerate(names, start=1):
            text = text.replace(f"%({name})s", f"${number}")
        values = [(call.values or {})[name] for name in names]
        given = cursor.mogrify(",".join(["%s"] * len(values)).encode(), values)
        connection.execute("set plan_cache_mode = force_generic_plan")
        connection.execute(f"prepare kept as {text}".encode())
        lines += connection.execute(f"explain execute kept ({given})".encode()).fetchall()
        connection.execute("deallocate kept")
        connection.execute("reset plan_cache_mode")
    return [line for (line,) in lines]


def _walks(plan: list[str]) -> list[str]:
    """Where all of a table that grows is read, in whatever order."""
    return [found[0] for found in WALKED.finditer("\n".join([*plan, ""]))] + [
        line for line in plan if GROWING.search(line)
    ]


def _values(*queues: str) -> dict[str, object]:
    wanted = Wanted.of(queues or ("default",), ("act",), 8, None, "me")
    priority, visible_at = LOWEST
    return wanted.values() | {
        "queue": "default",
        "priority": str(priority),
        "visible_at": visible_at,
        "now": EPOCH,
        "named_run": f"{{{run_id(7)}}}",
        "named_key": "{:work:1}",
        "run_id": run_id(7),
        "after": "0",
        "limit": "8",
        "afters": "{0}",
        "whole": "false",
        "append_id": "7-1",
        "runs": f"{{{run_id(7)}}}",
        "workflow": "w",
        "node": "n",
        "correlation": "c7",
        "kind": "queue",
        "key": "default",
        "expected": None,
        "before": EPOCH,
        "ended_at": EPOCH,
        "state": "lane",
    }


@pytest.mark.parametrize(
    "name",
    [
        "glance", "foremost", "opening", "front", "due", "expired", "next_due", "lane_states",
        "lane_front", "lane_keys", "lane_waiting_locked", "lock", "lock_run", "lock_head", "head",
        "standing", "load", "stored", "find", "run_ids", "listed_ids", "run", "attempts",
        "correlations", "correlated", "finished", "clear_waiting", "clear_tags",
        "clear_correlations", "clear_journal", "drop_run",
    ],
)  # fmt: skip
def test_no_statement_walks_a_table_that_grows(connection: Connection[TupleRow], name: str) -> None:
    """Every lookup goes by a key or an index; only a survey walks."""
    call = SQL.limited(name, 8)._replace(values=_values())
    if name in {"run_ids", "listed_ids"}:
        call = call._replace(values={"after": run_id(7), "limit": "8"})

    assert [] == [line for line in _plan(connection, call) if GROWING.search(line)]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("due", "waiting_due"),
        ("front", "waiting_due"),
        ("foremost", "waiting_due"),
        ("foremost", "waiting_timer"),
        ("opening", "waiting_timer"),
        ("next_due", "waiting_timer"),
        ("lane_front", "waiting_due"),
        ("lane_keys", "waiting_lane"),
        ("finished", "runs_ended"),
        ("correlated", "correlations_found"),
    ],
)
def test_claims_use_the_index_made_for_them(
    connection: Connection[TupleRow], name: str, index: str
) -> None:
    """So that a claim reads what it takes, however long the backlog is."""
    call = SQL.limited(name, 8)._replace(values=_values())

    assert any(index in line for line in _plan(connection, call))


def test_candidates_come_sorted_out_of_the_index(connection: Connection[TupleRow]) -> None:
    """Sorting a backlog would take as long as the backlog is."""
    plan = _plan(connection, SQL.limited("due", 8)._replace(values=_values()))

    assert ([], []) == ([line for line in plan if SORTED.search(line)], _walks(plan))


@pytest.mark.parametrize(
    "where",
    [
        RunFilter(),
        RunFilter(workflow="w1"),
        RunFilter(status="failed"),
        RunFilter(parent=RunId("p100")),
        RunFilter(tag="t7"),
        RunFilter(since=EPOCH, until=EPOCH),
        *DEADLINES,
    ],
    ids=asked,
)
def test_no_page_walks_the_runs(connection: Connection[TupleRow], where: RunFilter) -> None:
    """Whatever is filtered, and however deep it lies."""
    for cursor in (None, (EPOCH, run_id(7))):
        plan = _plan(connection, page_call(SQL, where, cursor, 100))

        assert [] == [line for line in plan if GROWING.search(line)]


@pytest.mark.parametrize("where", [RunFilter(), *DEADLINES], ids=asked)
def test_deadlines_come_sorted_out_of_their_index(
    connection: Connection[TupleRow], where: RunFilter
) -> None:
    """Runs without a deadline are not in it, so they cost the board nothing."""
    for cursor in (None, (EPOCH, run_id(7))):
        plan = _plan(connection, due_call(SQL, where, cursor, 100))

        assert any("runs_due" in line for line in plan), plan
        assert [] == [line for line in plan if GROWING.search(line) or SORTED.search(line)]


def test_no_append_walks_a_table_that_grows(connection: Connection[TupleRow]) -> None:
    """All parts of the statement at once, those for single appends, and for several of them."""
    begun = first(run_id(1))
    until = EPOCH
    rows = RowChanges(
        run=run_row(run_id(1), tags=("red",)),
        put=(attempt(run_id(1), step="b", held_until=until), attempt(run_id(1), step="c")),
        drop=(key(run_id(1)),),
        correlations=(correlation(run_id(1)),),
    )
    batch = then(begun, rows=rows)
    row = attempt(run_id(2), step="b", held_until=until)
    step = then(first(run_id(2)), rows=RowChanges(put=(row,), drop=(key(run_id(2)),)))
    listed = run_row(run_id(3), status="completed", ended_at=EPOCH)
    end = then(first(run_id(3)), rows=RowChanges(run=listed, drop=(key(run_id(3)),)))
    held, due = attempt(run_id(4), held_until=until), attempt(run_id(5))
    start = first(run_id(4), rows=RowChanges(run=run_row(run_id(4)), put=(held,)))
    waiting = first(run_id(5), rows=RowChanges(run=run_row(run_id(5)), put=(due,)))
    one = then(first(run_id(6)), rows=puts(attempt(run_id(6), held_until=until)))
    calls = [
        writing.write_call(SQL, [batch, step], "me"),
        writing.write_call(SQL, [begun], "me"),
        *(writing.write_call(SQL, [one], "me") for one in (start, waiting, step, end)),
        writing.write_call(SQL, [start, waiting, step, end], "me"),
        writing.write_locked_call(SQL, [batch], Changes.of([batch]), "me"),
        *(writing.write_claims_call(SQL, [claim_of(one) or {}] * number) for number in (1, 2)),
    ]

    for call in calls:
        assert [] == _walks(_plan(connection, call))


def test_several_runs_are_read_by_their_keys(connection: Connection[TupleRow]) -> None:
    """Each journal by a seek of its own, from where it is wanted."""
    assert [] == _walks(_plan(connection, SQL.limited("load", 8)._replace(values=_values())))


@pytest.mark.parametrize("name", ["lock", "lock_held", "lock_run"])
def test_rows_are_locked_in_order_without_walking_the_index_that_has_it(
    connection: Connection[TupleRow], name: str
) -> None:
    """A few rows are put in order; sorting being dear must not make that a walk."""
    call = SQL.limited(name, 8)._replace(values=_values())

    assert [] == _walks(_plan(connection, call))


def test_a_start_with_an_unclaimed_attempt_asks_who_waits(
    connection: Connection[TupleRow],
) -> None:
    """In the same statement, by the key of a small table."""
    batch = first(run_id(1), rows=puts(attempt(run_id(1))))
    call = writing.write_call(SQL, [batch], "me")

    assert "squidmesh" in call.text
    assert '"idle"' in call.text
    assert [] == [line for line in _plan(connection, call) if GROWING.search(line)]
