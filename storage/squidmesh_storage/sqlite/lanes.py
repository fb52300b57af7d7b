"""
Queues that have settings: what a claim finds of them, and what it is offered.

SQLite lets one transaction write at a time, so claims of a lane wait for each
other without a lock of its own.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from squidmesh_core.protocol.rows import AttemptRow
from squidmesh_storage.api import LANE_WINDOW, Lane, Record
from squidmesh_storage.lanes import SETTINGS, STATE, more_of_each, window
from squidmesh_storage.sqlite.rows import Value, attempt_from, micros
from squidmesh_storage.sqlite.statements import SQL


def among(connection: sqlite3.Connection, queues: Sequence[str], now: datetime) -> tuple[Lane, ...]:
    """Those of some queues that are lanes."""
    asked = {"queues": json.dumps(queues), "settings": SETTINGS, "state": STATE}
    return tuple(
        Lane(
            queue=queue,
            settings=Record(kind=SETTINGS, key=queue, body=body, version=version),
            state=None
            if state_body is None
            else Record(kind=STATE, key=queue, body=state_body, version=state_version),
            held=_held(connection, queue, now),
        )
        for queue, body, version, state_body, state_version in connection.execute(
            SQL["lanes"], asked
        ).fetchall()
    )


def offered(
    connection: sqlite3.Connection, asked: Mapping[str, Value], limit: int
) -> list[AttemptRow]:
    """
    What of a lane is offered; its delayed attempts have been promoted.

    Args:
        asked: What `claims.Wanted.of_queue` says of it.
        limit: How many of one partition key, at most.
    """
    # No limit: held attempts are as few as worker slots.
    expired = _rows(connection, "expired", {**asked, "limit": -1})
    return window([*_waiting(connection, asked, limit), *expired], limit)


def _waiting(
    connection: sqlite3.Connection, asked: Mapping[str, Value], limit: int
) -> list[AttemptRow]:
    """Unclaimed attempts of a lane: all that can be in the window, and few more."""
    (many,) = connection.execute(SQL["many_keys"], {**asked, "many": LANE_WINDOW}).fetchone()
    if many:
        # Most often those at the very front fill the window with as many keys.
        front = _rows(connection, "due", {**asked, "limit": 2 * LANE_WINDOW})
        if len({row.partition_key for row in front}) >= LANE_WINDOW:
            return front
    # Else each key is looked up.  With tens of thousands of them behind a few busy
    # ones that takes tens of milliseconds; a table of the keys that wait would cure it.
    return _by_key(connection, asked, limit)


def _by_key(
    connection: sqlite3.Connection, asked: Mapping[str, Value], limit: int
) -> list[AttemptRow]:
    """Of each partition key as many as the window has room for; one each may fill it."""
    each: int | None = 1
    while each is not None:
        most = LANE_WINDOW if each == 1 else -1
        rows = _rows(connection, "due_by_key", {**asked, "each": each, "limit": most})
        each = more_of_each(rows, each, limit)
    return rows


def _rows(
    connection: sqlite3.Connection, statement: str, asked: Mapping[str, Value]
) -> list[AttemptRow]:
    return [attempt_from(row) for row in connection.execute(SQL[statement], asked)]


def _held(connection: sqlite3.Connection, queue: str, now: datetime) -> dict[str | None, int]:
    return dict(connection.execute(SQL["held_by_key"], (queue, micros(now))).fetchall())
