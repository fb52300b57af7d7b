"""Records as database rows and back."""

from datetime import UTC, datetime, timedelta
from typing import Final, cast

from squidmesh_core.ids import AppendId, AttemptKey, Fingerprint, NodeName, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, Head, RunRow, RunStatus
from squidmesh_core.values.deadline import Thresholds
from squidmesh_storage.api import Quarantine
from squidmesh_storage.tags import tags_from_text, tags_to_text

#: What SQLite stores and gives back.
Value = str | int | float | bytes | None

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def micros(at: datetime) -> int:
    """An instant as whole microseconds since the epoch: compact, and ordered."""
    return (at - _EPOCH) // _MICROSECOND


def instant(stored: int) -> datetime:
    """
    The instant of so many microseconds; aware, UTC.

    A damaged number that no instant has gives the first or the last there is: it
    is told apart where its run is read, and must not stop a list of many runs.
    """
    try:
        return _EPOCH + timedelta(microseconds=stored)
    except OverflowError:
        return _LAST if stored > 0 else _FIRST


def record_values(record: AppendRecord, stored_at: int) -> tuple[Value, ...]:
    """The columns of an append; `stored_at` in microseconds, by the storage clock."""
    return (
        record.run_id,
        record.first,
        record.last,
        record.append_id,
        micros(record.at),
        stored_at,
        record.body,
        bytes.fromhex(record.hash),
    )


def record_from(run_id: RunId, row: tuple[int, int, str, int, str, str]) -> AppendRecord:
    """A row of `before` or `after`."""
    first, last, append_id, at, body, digest = row
    return AppendRecord(
        run_id=run_id,
        first=Revision(first),
        last=Revision(last),
        append_id=AppendId(append_id),
        at=instant(at),
        body=body,
        hash=digest,
    )


def head_from(row: tuple[int, str, int]) -> Head:
    """A row of `head`."""
    last, digest, at = row
    return Head(revision=Revision(last), hash=digest, at=instant(at))


def attempt_values(row: AttemptRow) -> tuple[Value, ...]:
    """What `put_waiting` and `put_held` bind first."""
    return (
        row.run_id,
        row.attempt_key,
        row.queue,
        row.action,
        row.priority,
        micros(row.visible_at),
        row.partition_key,
    )


def attempt_from(
    row: tuple[str, str, str, str | None, int, int, str | None, int | None],
) -> AttemptRow:
    """A row of `due`, `expired` or `attempts`."""
    run_id, key, queue, action, priority, visible_at, partition_key, held_until = row
    return AttemptRow(
        run_id=RunId(run_id),
        attempt_key=AttemptKey(key),
        queue=queue,
        action=action,
        priority=priority,
        visible_at=instant(visible_at),
        held_until=None if held_until is None else instant(held_until),
        partition_key=partition_key,
    )


def correlation_values(row: CorrelationRow) -> tuple[Value, ...]:
    """What `put_correlation` binds."""
    return (row.run_id, row.workflow, row.node, row.correlation, row.open)


def correlation_from(row: tuple[str, str, str, str, int]) -> CorrelationRow:
    """A row of `correlations` or `correlated`."""
    run_id, workflow, node, correlation, open_ = row
    return CorrelationRow(
        run_id=RunId(run_id),
        workflow=workflow,
        node=node,
        correlation=correlation,
        open=bool(open_),
    )


def quarantine_from(revision: int | None, reason: str) -> Quarantine:
    """A row of `quarantine`."""
    return Quarantine(revision=None if revision is None else Revision(revision), reason=reason)


def run_values(row: RunRow) -> tuple[Value, ...]:
    """What `put_run` binds."""
    return (
        row.run_id,
        row.workflow,
        row.version,
        row.fingerprint,
        row.trigger,
        row.status,
        row.queue,
        row.priority,
        tags_to_text(row.tags),
        row.key,
        row.partition_key,
        micros(row.created_at),
        None if row.ended_at is None else micros(row.ended_at),
        row.parent,
        row.replayed_from,
        row.forked_at,
        row.error,
        *_thresholds_values(row.deadline),
    )


def run_from(row: tuple[Value, ...]) -> RunRow:
    """
    A row of `run`.

    The table is STRICT, so the casts below say what SQLite has checked.
    """
    (
        run_id, workflow, version, fingerprint, trigger, status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at,
    ) = row  # fmt: skip
    return RunRow(
        run_id=RunId(cast("str", run_id)),
        workflow=cast("str", workflow),
        version=cast("str | None", version),
        fingerprint=Fingerprint(cast("str", fingerprint)),
        trigger=cast("str", trigger),
        status=cast("RunStatus", status),
        queue=cast("str", queue),
        priority=cast("int", priority),
        tags=tags_from_text(cast("str", tags)),
        key=cast("str | None", key),
        partition_key=cast("str | None", partition_key),
        created_at=instant(cast("int", created_at)),
        ended_at=None if ended_at is None else instant(cast("int", ended_at)),
        parent=cast("RunId | None", parent),
        replayed_from=cast("RunId | None", replayed_from),
        forked_at=cast("NodeName | None", forked_at),
        error=cast("str | None", error),
        deadline=None
        if due_at is None
        else Thresholds(
            due_at=instant(cast("int", due_at)),
            due_soon_at=None if due_soon_at is None else instant(cast("int", due_soon_at)),
            escalated_at=None if escalated_at is None else instant(cast("int", escalated_at)),
        ),
    )


def _thresholds_values(deadline: Thresholds | None) -> tuple[Value, ...]:
    if deadline is None:
        return (None, None, None)
    instants = (deadline.due_at, deadline.due_soon_at, deadline.escalated_at)
    return tuple(None if one is None else micros(one) for one in instants)
