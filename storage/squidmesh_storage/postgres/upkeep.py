"""Changes beside the appends: the index of one run, marks, removal, records, checkpoints."""

from datetime import datetime

from squidmesh_core.ids import Fingerprint, Revision, RunId, is_run_id
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import IndexRows
from squidmesh_storage.api import Checkpoint, Quarantine, Record
from squidmesh_storage.postgres.changes import Changes
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, ROLLBACK, Call, Script, ask
from squidmesh_storage.postgres.statements import Statements
from squidmesh_storage.records import behind

#: What forgets the index rows of one run.
_INDEX = ("clear_waiting", "clear_held", "clear_tags", "clear_correlations", "drop_run")
#: What forgets all else that is kept of it.
_REST = ("clear_journal", "drop_checkpoint", "drop_quarantine")


def index(sql: Statements, run_id: RunId, revision: Revision, rows: IndexRows) -> Script[bool]:
    """Put these rows in the place of all rows of a run, if `revision` is its head."""
    at = yield from _begin_at(sql, run_id, revision)
    if at is None:
        return False
    changes = Changes.afresh(run_id, rows, at)
    values = {"written_run": run_id, **changes.values()}
    parts = tuple(part for part in changes.parts if part not in {"part_batch", "part_written"})
    text = sql.composed(("part_standing", *parts), (("outcome", "written"),), "true", "")
    yield (*_calls(sql, run_id, _INDEX), Call(text, values, writes=True), COMMIT)
    return True


def remove(
    sql: Statements, run_id: RunId, revision: Revision, tombstone: AppendRecord | None
) -> Script[bool]:
    """Forget a run whose head is `revision`; the tombstone takes its journal's place."""
    at = yield from _begin_at(sql, run_id, revision)
    if at is None:
        return False
    last = () if tombstone is None else (_tombstone(sql, tombstone),)
    yield (*_calls(sql, run_id, (*_INDEX, *_REST)), *last, COMMIT)
    return True


def quarantine(sql: Statements, run_id: RunId, mark: Quarantine | None) -> Script[None]:
    """Mark a run as unreadable, or lift the mark."""
    if not is_run_id(run_id):
        return
    if mark is None:
        yield (sql.call("drop_quarantine", run_id=run_id),)
        return
    revision = None if mark.revision is None else str(mark.revision)
    yield (sql.call("quarantine", run_id=run_id, revision=revision, reason=mark.reason),)


def define(sql: Statements, fingerprint: Fingerprint, text: str) -> Script[None]:
    """Store a definition; the first one stays."""
    yield (sql.call("put_definition", fingerprint=fingerprint, text=text),)


def put_checkpoint(sql: Statements, run_id: RunId, checkpoint: Checkpoint) -> Script[None]:
    """Store a checkpoint in the place of the last one."""
    yield (
        sql.call(
            "put_checkpoint",
            run_id=run_id,
            revision=str(checkpoint.revision),
            hash=checkpoint.hash,
            codec_version=str(checkpoint.codec_version),
            body=checkpoint.body,
        ),
    )


def drop_checkpoint(sql: Statements, run_id: RunId) -> Script[None]:
    """Forget a run's checkpoint."""
    if is_run_id(run_id):
        yield (sql.call("drop_checkpoint", run_id=run_id),)


def records(
    sql: Statements, kind: str, prefix: str, after: str, limit: int | None
) -> Script[tuple[Record, ...]]:
    """The records of a kind, by key; see `Journal.records`."""
    values = {
        "kind": kind,
        "from": max(prefix, after),
        "behind": behind(prefix),
        "after": after,
        "limit": None if limit is None else str(limit),
    }
    rows = yield from ask(sql.call("records", **values))
    return tuple(
        Record(kind=kind, key=key, body=body, version=version) for key, body, version in rows
    )


def put_record(
    sql: Statements, kind: str, key: str, body: str, expected: int | None
) -> Script[bool]:
    """Store a record, if its version is the one expected (null: any, 0: none is there)."""
    rows = yield from ask(put_record_call(sql, kind, key, body, expected))
    return bool(rows)


def put_record_call(
    sql: Statements, kind: str, key: str, body: str, expected: int | None = None
) -> Call:
    """The statement that stores a record; it returns a row if it did."""
    if expected is None:
        return sql.call("put_record", kind=kind, key=key, body=body)
    if expected == 0:
        return sql.call("add_record", kind=kind, key=key, body=body)
    return sql.call("change_record", kind=kind, key=key, body=body, expected=str(expected))


def drop_record(sql: Statements, kind: str, key: str, expected: int | None) -> Script[bool]:
    """Forget a record of this version (null: of any); whether none is left."""
    version = None if expected is None else str(expected)
    dropped = yield from ask(sql.call("drop_record", kind=kind, key=key, expected=version))
    if dropped:
        return True
    return not (yield from ask(sql.call("record", kind=kind, key=key)))


def _begin_at(sql: Statements, run_id: RunId, revision: Revision) -> Script[datetime | None]:
    """
    Begin a transaction in which nobody else appends to a run; when its head was appended.

    Rows of attempts are locked before the journal, as everywhere.  Somebody may have
    appended while we waited, so the head is looked at once more afterwards.
    """
    if not is_run_id(run_id):
        return None
    locks = _calls(sql, run_id, ("lock_run", "lock_run_held", "lock_head", "head"))
    *_, head = yield (BEGIN, *locks)
    if not head or head[0][0] != revision:
        yield (ROLLBACK,)
        return None
    at: datetime = head[0][1]
    return at


def _calls(sql: Statements, run_id: RunId, names: tuple[str, ...]) -> tuple[Call, ...]:
    return tuple(sql.call(name, run_id=run_id) for name in names)


def _tombstone(sql: Statements, record: AppendRecord) -> Call:
    return sql.call(
        "tombstone",
        run_id=record.run_id,
        first=str(record.first),
        last=str(record.last),
        at=record.at,
        codec=str(CODEC_VERSION),
        append_id=record.append_id,
        hash=record.hash,
        body=record.body,
    )
