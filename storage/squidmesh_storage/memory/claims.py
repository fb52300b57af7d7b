"""Which attempts may be claimed, what a claim finds of lanes, and when to look again."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime

from squidmesh_core.protocol.rows import AttemptRow, claim_order
from squidmesh_storage.api import Candidate, Lane, Offered
from squidmesh_storage.lanes import SETTINGS, STATE, window
from squidmesh_storage.memory.tables import Tables
from squidmesh_storage.problems import sound_beginning


def offered(
    tables: Tables, queues: Sequence[str], actions: Collection[str], limit: int, now: datetime
) -> Offered:
    """The attempts to choose from, in claim order, and the lanes among the queues."""
    claimable = sorted(
        (
            attempt.row
            for attempt in tables.open_attempts(queues)
            if attempt.claimable(now) and _performed(attempt.row, actions)
        ),
        key=claim_order,
    )
    lanes = _lanes(tables, queues, now)
    limited = {lane.queue for lane in lanes}
    rows = [row for row in claimable if row.queue not in limited][:limit]
    for queue in limited:
        rows += window((row for row in claimable if row.queue == queue), limit)
    rows.sort(key=claim_order)
    candidates = tuple(_candidate(tables, row, limited) for row in rows)
    return Offered(candidates=candidates, lanes=lanes, now=now)


def foremost(
    tables: Tables, queues: Sequence[str], actions: Collection[str], now: datetime
) -> dict[str, int]:
    """Of each queue where something unclaimed can be claimed, the first priority."""
    waiting = [
        one.row
        for one in tables.open_attempts(queues)
        if one.row.held_until is None and one.claimable(now) and _performed(one.row, actions)
    ]
    return {
        queue: min(row.priority for row in waiting if row.queue == queue)
        for queue in {row.queue for row in waiting}
    }


def next_due(tables: Tables, queues: Sequence[str], now: datetime) -> datetime | None:
    """The first instant after `now` at which something of these queues becomes due."""
    return min(
        (
            attempt.changes_at
            for attempt in tables.open_attempts(queues)
            if not attempt.claimable(now)
        ),
        default=None,
    )


def _performed(row: AttemptRow, actions: Collection[str]) -> bool:
    return row.action is None or row.action in actions


def _lanes(tables: Tables, queues: Sequence[str], now: datetime) -> tuple[Lane, ...]:
    return tuple(
        Lane(
            queue=queue,
            settings=tables.facts[SETTINGS, queue],
            state=tables.facts.get((STATE, queue)),
            held=_held(tables, queue, now),
        )
        for queue in sorted(set(queues))
        if (SETTINGS, queue) in tables.facts
    )


def _held(tables: Tables, queue: str, now: datetime) -> dict[str | None, int]:
    return Counter(
        attempt.row.partition_key
        for attempts in tables.attempts.values()
        for attempt in attempts.values()
        if attempt.row.queue == queue
        and attempt.row.held_until is not None
        and attempt.row.held_until > now
    )


def _candidate(tables: Tables, row: AttemptRow, limited: Collection[str]) -> Candidate:
    *before, newest = tables.journals[row.run_id]
    whole = not before and row.queue not in limited
    return Candidate(row=row, head=newest.head, begun=sound_beginning(newest) if whole else None)
