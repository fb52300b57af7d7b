"""Records as values of statements, and rows as records."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias, cast

from psycopg.rows import TupleRow

from squidmesh_core.ids import AppendId, AttemptKey, Fingerprint, NodeName, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, Head, RunRow
from squidmesh_core.values.deadline import Thresholds
from squidmesh_storage.api import Batch, Checkpoint, Quarantine
from squidmesh_storage.postgres.packing import pack, unpack
from squidmesh_storage.tags import tags_from_text, tags_to_text

Value: TypeAlias = str | bytes | None
#: The values of one row, by column.
Row: TypeAlias = Mapping[str, Value]
#: Stands between texts until they are escaped: the server keeps no text that has one.
_BETWEEN: Final = "\0"

# Arrays go as text: written here they cost a tenth of what the driver takes to find
# out what is in a list, and a statement has the same types whatever is in it.


def texts(values: Iterable[str | None]) -> str:
    """An array of texts."""
    return "{" + ",".join(map(_element, values)) + "}"


def plain(values: Iterable[object]) -> str:
    """An array of what needs no quotes: numbers, UUIDs, booleans."""
    return "{" + ",".join(map(str, values)) + "}"


def instants(values: Iterable[datetime | None]) -> str:
    """An array of instants."""
    return "{" + ",".join("null" if one is None else f'"{one}"' for one in values) + "}"


def arrays(prefix: str, rows: Sequence[Row]) -> dict[str, str]:
    """Rows of the same columns as an array of each column, named with a prefix."""
    return {f"{prefix}_{name}": array([row[name] for row in rows]) for name in rows[0]}


def array(values: Sequence[Value]) -> str:
    """An array of whatever it is: in quotes, numbers and instants are what they are without."""
    try:
        # Escaped all at once: one by one they were a twentieth of a step's instructions.
        joined = _BETWEEN.join(cast("Sequence[str]", values))
    except TypeError:
        pass  # bytes, or a null among them
    else:
        if joined.count(_BETWEEN) == len(values) - 1:
            return '{"' + _escaped(joined).replace(_BETWEEN, '","') + '"}'
    return "{" + ",".join(map(_any, values)) + "}"


def instant(value: datetime | None) -> str | None:
    """An instant by itself."""
    return None if value is None else str(value)


def _any(value: Value) -> str:
    return f'"\\\\x{value.hex()}"' if isinstance(value, bytes) else _element(value)


def _element(value: str | None) -> str:
    if value is None:
        return "null"
    return f'"{_escaped(value)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def short_key(run_id: RunId, key: AttemptKey) -> str:
    """What is stored of an attempt's key: the run id has a column of its own."""
    return key.removeprefix(run_id)


def long_key(run_id: str, stored: str) -> AttemptKey:
    """The key again."""
    return AttemptKey(run_id + stored if stored.startswith(":") else stored)


def record_columns(batch: Batch) -> dict[str, Value]:
    """An append, by column."""
    record = batch.record
    packed = pack(record.body, record.at)
    return {
        "run_id": record.run_id,
        "first": str(record.first),
        "last": str(record.last),
        "at": str(record.at),
        "codec": str(batch.codec),
        "append_id": record.append_id,
        "hash": record.hash,
        "body": "" if packed else record.body,
        "packed": packed,
    }


def run_columns(row: RunRow) -> dict[str, Value]:
    """The listed facts of a run, by column; its id is that of the append."""
    due = row.deadline
    return {
        "workflow": row.workflow,
        "version": row.version,
        "fingerprint": row.fingerprint,
        "trigger": row.trigger,
        "status": row.status,
        "queue": row.queue,
        "priority": str(row.priority),
        "tags": tags_to_text(row.tags),
        "key": row.key,
        "partition_key": row.partition_key,
        "created_at": str(row.created_at),
        "ended_at": instant(row.ended_at),
        "parent": row.parent,
        "replayed_from": row.replayed_from,
        "forked_at": row.forked_at,
        "error": row.error,
        "due_at": instant(due.due_at if due else None),
        "due_soon_at": instant(due.due_soon_at if due else None),
        "escalated_at": instant(due.escalated_at if due else None),
    }


def record_from(run_id: RunId, row: Sequence[object]) -> AppendRecord:
    """A row of `stored`."""
    first, last, append_id, at, body, digest, packed = row
    return AppendRecord(
        run_id=run_id,
        first=Revision(_int(first)),
        last=Revision(_int(last)),
        append_id=AppendId(str(append_id)),
        at=_instant(at),
        body=unpack(packed, _instant(at)) if packed and isinstance(packed, bytes) else str(body),
        hash=str(digest),
    )


def attempt_from(row: TupleRow) -> AttemptRow:
    """The first eight columns of a row of `attempts` or `due`."""
    run_id, key, queue, action, priority, visible_at, partition_key, held_until = row[:8]
    return AttemptRow(
        run_id=RunId(run_id),
        attempt_key=long_key(run_id, key),
        queue=queue,
        action=action,
        priority=priority,
        visible_at=visible_at,
        held_until=held_until,
        partition_key=partition_key,
    )


def head_from(row: TupleRow) -> Head:
    """Last revision, hash and instant of a journal's newest append."""
    last, digest, at = row
    return Head(revision=Revision(last), hash=digest, at=at)


def correlation_from(row: TupleRow) -> CorrelationRow:
    """A row of `correlations` or `correlated`."""
    run_id, workflow, node, correlation, open_ = row
    return CorrelationRow(
        run_id=RunId(run_id), workflow=workflow, node=node, correlation=correlation, open=open_
    )


def quarantine_from(revision: int | None, reason: str) -> Quarantine:
    """Where and why a run is marked as unreadable."""
    return Quarantine(revision=None if revision is None else Revision(revision), reason=reason)


def checkpoint_from(row: TupleRow) -> Checkpoint:
    """A row of `checkpoint`."""
    revision, digest, codec_version, body = row
    return Checkpoint(
        revision=Revision(revision), hash=digest, codec_version=codec_version, body=body
    )


def run_from(row: TupleRow) -> RunRow:
    """A row of `run`."""
    (
        run_id, workflow, version, fingerprint, trigger, status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at,
    ) = row  # fmt: skip
    return RunRow(
        run_id=RunId(run_id),
        workflow=workflow,
        version=version,
        fingerprint=Fingerprint(fingerprint),
        trigger=trigger,
        status=status,
        queue=queue,
        priority=priority,
        tags=tags_from_text(tags),
        key=key,
        partition_key=partition_key,
        created_at=created_at,
        ended_at=ended_at,
        parent=None if parent is None else RunId(parent),
        replayed_from=None if replayed_from is None else RunId(replayed_from),
        forked_at=None if forked_at is None else NodeName(forked_at),
        error=error,
        deadline=None
        if due_at is None
        else Thresholds(due_at=due_at, due_soon_at=due_soon_at, escalated_at=escalated_at),
    )


def _int(value: object) -> int:
    return value if isinstance(value, int) else int(str(value))


def _instant(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"an instant was stored, and {value!r} came back")
    return value
