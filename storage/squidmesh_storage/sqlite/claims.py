"""
Which attempts may be claimed, and when to look again.

One queue at a time: within a queue the index gives the claim order, so that only
the first few rows of a long backlog are ever read.
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

from attrs import frozen

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow, Head
from squidmesh_storage.api import Candidate
from squidmesh_storage.sqlite.appends import head_of
from squidmesh_storage.sqlite.rows import attempt_from, instant, micros
from squidmesh_storage.sqlite.statements import SQL


@frozen(kw_only=True)
class Wanted:
    """What a worker asks for."""

    queues: tuple[str, ...]
    #: The action keys as a JSON list.
    actions: str
    limit: int

    @classmethod
    def of(cls, queues: Sequence[str], actions: Collection[str], limit: int) -> "Wanted":
        """A request; naming a queue twice is asking once."""
        return cls(
            queues=tuple(dict.fromkeys(queues)), actions=json.dumps(list(actions)), limit=limit
        )


def anything(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> bool:
    """Whether there is a candidate at this instant; only reads."""
    one = Wanted(queues=wanted.queues, actions=wanted.actions, limit=1)
    if wanted.limit < 1:
        return False
    return bool(_rows(connection, one, now)) or any(
        connection.execute(
            SQL["overdue"],
            {
                "queue": queue,
                "now": micros(now),
                "actions": wanted.actions,
                "codec": CODEC_VERSION,
            },
        ).fetchone()[0]
        for queue in wanted.queues
    )


def promote(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> None:
    """Let delayed attempts into the claim order whose time has come."""
    # All of them, because one that stayed behind might be the most urgent.  After a
    # long stop of all workers that may be many; then this transaction is long, once.
    for queue in wanted.queues:
        connection.execute(SQL["promote"], {"queue": queue, "now": micros(now)})


def candidates(
    connection: sqlite3.Connection, wanted: Wanted, now: datetime
) -> tuple[Candidate, ...]:
    """The attempts to claim, in claim order, each with its run's head."""
    rows = _rows(connection, wanted, now)
    rows.sort(key=lambda row: (row.priority, row.visible_at, row.run_id, row.attempt_key))
    heads: dict[RunId, Head | None] = {}
    found: list[Candidate] = []
    for row in rows[: wanted.limit]:
        if row.run_id not in heads:
            heads[row.run_id] = head_of(connection, row.run_id)
        head = heads[row.run_id]
        if head is not None:
            found.append(Candidate(row=row, head=head))
    return tuple(found)


def next_due(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> datetime | None:
    """The first instant after `now` at which something of these queues becomes due."""
    stored = [
        row[0]
        for queue in wanted.queues
        for statement in ("next_delayed", "next_expiry")
        for row in connection.execute(
            SQL[statement], {"queue": queue, "now": micros(now), "codec": CODEC_VERSION}
        )
        if row[0] is not None
    ]
    return instant(min(stored)) if stored else None


def _rows(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> list[AttemptRow]:
    return [
        attempt_from(row)
        for queue in wanted.queues
        for statement in ("due", "expired")
        for row in connection.execute(
            SQL[statement],
            {
                "queue": queue,
                "actions": wanted.actions,
                "now": micros(now),
                "codec": CODEC_VERSION,
                "limit": wanted.limit,
            },
        )
    ]
