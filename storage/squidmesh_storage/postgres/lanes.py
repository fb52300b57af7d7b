"""
Queues that have settings: what a claim finds of them, and what it is offered.

The settings are locked, so that claims of one lane wait for each other; what is
then looked at is as the last of them left it.
"""

from collections.abc import Mapping
from datetime import datetime

from psycopg.rows import TupleRow

from squidmesh_core.protocol.rows import AttemptRow
from squidmesh_storage.api import LANE_WINDOW, Lane, Record
from squidmesh_storage.lanes import SETTINGS, STATE, more_of_each, window
from squidmesh_storage.postgres.rows import attempt_from, plain, short_key, texts
from squidmesh_storage.postgres.scripts import Rows, Script, ask
from squidmesh_storage.postgres.statements import Statements

Values = Mapping[str, object]


def offered(
    sql: Statements, values: Values, settings: Rows, limit: int
) -> Script[tuple[tuple[Lane, ...], datetime, list[TupleRow]]]:
    """The lanes, the clock's reading now that they are locked, and rows like those of `due`."""
    # What was read while waiting for the lock may be older than what the last claim left.
    clock = sql.call("clock", at=values["at"])
    ((now,),), stored = yield (clock, sql.call("lane_states", **values, state=STATE))
    states = {
        key: Record(kind=STATE, key=key, body=body, version=version)
        for key, body, version in stored
    }
    lanes: list[Lane] = []
    rows: list[TupleRow] = []
    for queue, body, version in settings:
        held = yield from ask(sql.call("lane_held", queue=queue, now=now))
        lanes.append(
            Lane(
                queue=queue,
                settings=Record(kind=SETTINGS, key=queue, body=body, version=version),
                state=states.get(queue),
                held=dict(held),
            )
        )
        rows += yield from _locked(sql, {**values, "queue": queue, "now": now}, limit)
    return tuple(lanes), now, rows


def _locked(sql: Statements, values: Values, limit: int) -> Script[list[TupleRow]]:
    """What of a lane is offered, locked; its delayed attempts have been promoted."""
    waiting = yield from _waiting(sql, values, limit)
    expired = yield from ask(sql.call("lane_expired", **values))
    chosen = window([*waiting, *map(attempt_from, expired)], limit)
    found: list[TupleRow] = []
    for statement, rows in (
        ("lane_waiting_locked", [row for row in chosen if row.held_until is None]),
        ("lane_held_locked", [row for row in chosen if row.held_until is not None]),
    ):
        if rows:
            named = {
                "named_run": plain(row.run_id for row in rows),
                "named_key": texts(short_key(row.run_id, row.attempt_key) for row in rows),
            }
            found += yield from ask(sql.call(statement, **values, **named))
    return found


def _waiting(sql: Statements, values: Values, limit: int) -> Script[list[AttemptRow]]:
    """Unclaimed attempts of a lane: all that can be in the window, and few more."""
    # Most often those at the very front tell: all there are, or as many keys as fit.
    most = 2 * LANE_WINDOW
    front = yield from _rows(sql, "lane_front", values, most)
    if len(front) < most or len({row.partition_key for row in front}) >= LANE_WINDOW:
        return front
    # Else each key is looked up.  With tens of thousands of them behind a few busy
    # ones that takes tens of milliseconds; a table of the keys that wait would cure it.
    each: int | None = 1
    while each is not None:
        rows = yield from _rows(sql, "lane_keys", values, each)
        each = more_of_each(rows, each, limit)
    return rows


def _rows(sql: Statements, statement: str, values: Values, limit: int) -> Script[list[AttemptRow]]:
    rows = yield from ask(sql.limited(statement, limit)._replace(values=values))
    return [attempt_from(row) for row in rows]
