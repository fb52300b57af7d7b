"""
The statement that appends: of the parts that its batches need, with their values.

By itself it locks what it changes.  Most batches are slots that go on to another
attempt: their rows are locked by being moved, in the order of runs, and all others
in an order of their own.  So two processes could wait for each other that settle the
same two runs at the same moment, one of them by a step and the other by an end; the
server breaks that circle, and one of them is sent again.
"""

from collections.abc import Sequence
from typing import Final

from squidmesh_core.ids import AttemptKey
from squidmesh_core.protocol.rows import AttemptRow
from squidmesh_storage.api import Batch
from squidmesh_storage.postgres.changes import Changes, attempt_values, step_of
from squidmesh_storage.postgres.packing import pack
from squidmesh_storage.postgres.rows import instants, octets, plain, short_key, texts
from squidmesh_storage.postgres.scripts import Call
from squidmesh_storage.postgres.statements import Statements

#: Whether all rows of attempts are there that the appends were decided on.
_ALL_LOCKED: Final = (
    "(select count(*) from locked_waiting where needed)"
    " + (select count(*) from locked_held where needed) >= %(needed_rows)s::bigint"
)
_LOCKED_BEFORE: Final = "true"
#: Inside a transaction an append that was overtaken must not fail.  To be ready for it
#: costs a record in the log for each row, so that a statement by itself is not.
_READY: Final = "on conflict (run_id, first) do nothing"


def write_call(sql: Statements, batches: Sequence[Batch], listener: str) -> Call:
    """The statement that appends and changes the index, by itself; it fails if it is overtaken."""
    steps = [(batch, *step) for batch in batches if (step := step_of(batch)) is not None]
    stepping = {batch.record.run_id for batch, _, _ in steps}
    others = [batch for batch in batches if batch.record.run_id not in stepping]
    if not others:
        slots = "part_slot" if len(steps) == 1 else "part_slots"
        values = _step_values(*steps[0]) if len(steps) == 1 else _steps_values(steps)
        text = sql.composed((slots, "part_steps"), ("part_outcome_steps",), "", "")
        return Call(text, values, writes=True, keeps=True)
    changes = Changes.of(others)
    values = _values(others, changes, listener)
    parts: tuple[str, ...] = changes.parts
    outcomes: tuple[str, ...] = (_outcome_part(changes),)
    locks = _LOCKED_BEFORE
    if changes.needed:
        locks, values["needed_rows"] = _ALL_LOCKED, str(changes.needed)
    if steps:
        parts = ("part_slots", "part_steps", *parts)
        outcomes = (*outcomes, "part_outcome_steps")
        values |= _steps_values(steps)
    text = sql.composed(parts, outcomes, locks, "")
    return Call(text, values, writes=True, keeps=True)


def write_locked_call(
    sql: Statements, batches: Sequence[Batch], changes: Changes, listener: str
) -> Call:
    """The same inside a transaction that has locked what these batches change."""
    text = sql.composed(changes.parts, (_outcome_part(changes),), _LOCKED_BEFORE, _READY)
    return Call(text, _values(batches, changes, listener), writes=True, keeps=True)


def _outcome_part(changes: Changes) -> str:
    return "part_outcome_idle" if changes.bench else "part_outcome"


def _values(batches: Sequence[Batch], changes: Changes, listener: str) -> dict[str, object]:
    ordered = sorted(batches, key=lambda batch: batch.record.run_id)
    values = {
        **_record_values("", ordered),
        "guarded": plain(one.record.run_id in changes.guarded for one in ordered),
        **changes.values(),
    }
    if changes.bench:
        values |= {"queues": texts(changes.queues), "listener": listener}
    return values


def _step_values(batch: Batch, old: AttemptKey, row: AttemptRow) -> dict[str, object]:
    record = batch.record
    packed = pack(record.body, record.at)
    return {
        "step_run": record.run_id,
        "step_first": str(record.first),
        "step_last": str(record.last),
        "step_at": str(record.at),
        "step_codec": str(batch.codec),
        "step_append_id": record.append_id,
        "step_hash": record.hash,
        "step_body": "" if packed else record.body,
        "step_packed": packed,
        "step_old": short_key(row.run_id, old),
        "step_key": short_key(row.run_id, row.attempt_key),
        "step_queue": row.queue,
        "step_action": row.action,
        "step_priority": str(row.priority),
        "step_visible_at": str(row.visible_at),
        "step_partition": row.partition_key,
        "step_held_until": str(row.held_until),
    }


def _steps_values(steps: Sequence[tuple[Batch, AttemptKey, AttemptRow]]) -> dict[str, object]:
    ordered = sorted(steps, key=lambda step: step[0].record.run_id)
    rows = [row for _, _, row in ordered]
    return {
        **_record_values("step_", [batch for batch, _, _ in ordered]),
        "step_old": texts(short_key(row.run_id, old) for _, old, row in ordered),
        **attempt_values("step_", rows),
    }


def _record_values(prefix: str, batches: Sequence[Batch]) -> dict[str, object]:
    """The appends themselves, column by column."""
    records = [batch.record for batch in batches]
    packed = [pack(one.body, one.at) for one in records]
    bodies = ("" if small else one.body for one, small in zip(records, packed, strict=True))
    return {
        f"{prefix}run": plain(one.run_id for one in records),
        f"{prefix}first": plain(one.first for one in records),
        f"{prefix}last": plain(one.last for one in records),
        f"{prefix}at": instants(one.at for one in records),
        f"{prefix}codec": plain(batch.codec for batch in batches),
        f"{prefix}append_id": texts(one.append_id for one in records),
        f"{prefix}hash": plain(one.hash for one in records),
        f"{prefix}body": texts(bodies),
        f"{prefix}packed": octets(packed),
    }
