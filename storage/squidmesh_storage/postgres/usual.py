"""
What nearly all appends are: a run that begins, a slot that goes on, a slot that lets go.

A claim is one of them only where its row is known to be locked (`claim_of`).

Each has parts of its own in the statement, which look at what it needs and at no more;
here is which appends they are for, and their values.
"""

from typing import Final, Literal, TypeAlias

from squidmesh_core.ids import BEGINNING, AttemptKey
from squidmesh_core.protocol.rows import AttemptRow
from squidmesh_storage.api import Batch
from squidmesh_storage.postgres.rows import (
    Row,
    Value,
    instant,
    record_columns,
    run_columns,
    short_key,
)
from squidmesh_storage.records import behind, hooks_of

#: Which of them: its columns are `columns_…` of `statements.sql`.
Sort: TypeAlias = Literal["beginning", "claim", "slot", "ending"]

#: What a run ends as when an attempt that was held is settled; another end may drop what waits.
_SETTLED: Final = frozenset({"completed", "failed"})


def usual(batch: Batch) -> tuple[Sort, Row] | None:
    """What an append is, and its values; null: something else."""
    rows = batch.rows
    if rows.correlations is not None:
        return None
    put, drop = rows.put, rows.drop
    if batch.expected == BEGINNING:
        if rows.run is None or len(put) != 1 or drop or rows.run.tags or batch.notices:
            return None
        return "beginning", record_columns(batch) | run_columns(rows.run) | _first_attempt(
            put[0], batch
        )
    if len(drop) != 1:
        return None
    if rows.run is None:
        if len(put) != 1 or batch.notices or not _goes_on(put[0], drop[0]):
            return None
        return "slot", record_columns(batch) | _old(batch, drop[0]) | _attempt(put[0])
    if put or len(batch.notices) > 1 or rows.run.status not in _SETTLED:
        return None
    return "ending", record_columns(batch) | _old(batch, drop[0]) | run_columns(rows.run) | _notice(
        batch
    )


def claim_of(batch: Batch) -> Row | None:
    """The values of an append that takes one attempt; null: it does something else, or more."""
    rows = batch.rows
    if len(rows.put) != 1 or rows.drop or rows.run or rows.correlations is not None:
        return None
    if rows.put[0].held_until is None or batch.notices:
        return None
    return record_columns(batch) | _attempt(rows.put[0])


def _goes_on(row: AttemptRow, old: AttemptKey) -> bool:
    """Whether a slot leaves one attempt for another."""
    return row.held_until is not None and row.attempt_key != old


def _old(batch: Batch, key: AttemptKey) -> dict[str, Value]:
    return {"old_key": short_key(batch.record.run_id, key)}


def _attempt(row: AttemptRow) -> dict[str, Value]:
    return {
        "attempt_key": short_key(row.run_id, row.attempt_key),
        "queue": row.queue,
        "action": row.action,
        "priority": str(row.priority),
        "visible_at": str(row.visible_at),
        "partition_key": row.partition_key,
        "held_until": instant(row.held_until),
    }


def _first_attempt(row: AttemptRow, batch: Batch) -> dict[str, Value]:
    """As columns beside those of its run, of which three have the same names."""
    values = _attempt(row)
    for name in ("queue", "priority", "partition_key"):
        values[f"attempt_{name}"] = values.pop(name)
    return values | {"attempt_due": str(row.visible_at <= batch.record.at)}


def _notice(batch: Batch) -> dict[str, Value]:
    """What hooks are to be told, if anything."""
    if not batch.notices:
        return dict.fromkeys(("event", "behind", "notice_id", "notice_body"))
    (notice,) = batch.notices
    event = hooks_of(notice.event)
    return {
        "event": event,
        "behind": behind(event),
        "notice_id": notice.notice_id,
        "notice_body": notice.body,
    }
