"""
Which attempts may be claimed, and when to look again.

One queue at a time: within a queue the index gives the claim order, so that only
the first few rows of a long backlog are ever read.  A queue with settings is read
once more, key by key (lanes.py).
"""

import json
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

from attrs import frozen

from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow, claim_order
from squidmesh_storage.api import Candidate, Offered
from squidmesh_storage.sqlite import lanes
from squidmesh_storage.sqlite.appends import begun_of, heads_of
from squidmesh_storage.sqlite.rows import Value, attempt_from, instant, micros
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

    def of_queue(self, queue: str, now: datetime) -> dict[str, Value]:
        """What the statements about one queue bind, whichever of it they need."""
        return {
            "queue": queue,
            "actions": self.actions,
            "limit": self.limit,
            "now": micros(now),
            "codec": CODEC_VERSION,
        }


def anything(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> bool:
    """Whether there is a candidate at this instant; only reads."""
    one = Wanted(queues=wanted.queues, actions=wanted.actions, limit=1)
    if wanted.limit < 1:
        return False
    return bool(_rows(connection, one, now)) or any(
        connection.execute(SQL["overdue"], wanted.of_queue(queue, now)).fetchone()[0]
        for queue in wanted.queues
    )


def foremost(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> dict[str, int]:
    """Of each queue where something unclaimed can be claimed, the first priority; only reads."""
    found = {
        queue: connection.execute(SQL["foremost"], wanted.of_queue(queue, now)).fetchone()[0]
        for queue in wanted.queues
    }
    return {queue: priority for queue, priority in found.items() if priority is not None}


def promote(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> None:
    """Let delayed attempts into the claim order whose time has come."""
    # All of them, because one that stayed behind might be the most urgent.  After a
    # long stop of all workers that may be many; then this transaction is long, once.
    for queue in wanted.queues:
        connection.execute(SQL["promote"], wanted.of_queue(queue, now))


def offered(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> Offered:
    """The attempts to choose from, in claim order, and the lanes among the queues."""
    rows = _rows(connection, wanted, now)
    among = lanes.among(connection, wanted.queues, now) if rows else ()
    limited = {lane.queue for lane in among}
    rows = sorted((row for row in rows if row.queue not in limited), key=claim_order)
    del rows[wanted.limit :]
    for queue in limited:
        rows += lanes.offered(connection, wanted.of_queue(queue, now), wanted.limit)
    rows.sort(key=claim_order)
    heads = heads_of(connection, {row.run_id for row in rows}) if rows else {}
    free = {row.run_id for row in rows if row.queue not in limited}
    begun = begun_of(connection, free) if free else {}
    candidates = tuple(
        Candidate(
            row=row,
            head=heads[row.run_id],
            begun=begun.get(row.run_id) if row.queue not in limited else None,
        )
        for row in rows
    )
    return Offered(candidates=candidates, lanes=among, now=now)


def next_due(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> datetime | None:
    """The first instant after `now` at which something of these queues becomes due."""
    stored = [
        at
        for queue in wanted.queues
        for at in connection.execute(SQL["next_due"], wanted.of_queue(queue, now)).fetchone()
        if at is not None
    ]
    return instant(min(stored)) if stored else None


def _rows(connection: sqlite3.Connection, wanted: Wanted, now: datetime) -> list[AttemptRow]:
    return [
        attempt_from(row)
        for queue in wanted.queues
        for statement in ("due", "expired")
        for row in connection.execute(SQL[statement], wanted.of_queue(queue, now))
    ]
