"""Writing appends and index rows, and forgetting a run: each only where the head is as expected."""

from collections.abc import Collection, Sequence
from datetime import datetime

from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, IndexRows
from squidmesh_storage.api import Batch, Committed, Conflict, Outcome
from squidmesh_storage.memory import facts
from squidmesh_storage.memory.tables import Attempt, Tables


def write(tables: Tables, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
    """Append each batch whose expected revision is the head; answer each on its own."""
    fallen = {batch.group for batch in batches if not _follows(tables, batch)}
    return tuple(_write_one(tables, batch, fallen) for batch in batches)


def replace_rows(tables: Tables, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
    """Put these rows in the place of all rows of a run, if that is its head."""
    stored = tables.journal(run_id)
    if not stored or stored[-1].last != revision:
        return False
    tables.runs.pop(run_id, None)
    if rows.run is not None:
        tables.runs[run_id] = rows.run
    tables.attempts.pop(run_id, None)
    _put(tables, rows.attempts, at=stored[-1].at)
    _correlate(tables, run_id, rows.correlations)
    return True


def remove(
    tables: Tables, run_id: RunId, revision: Revision, tombstone: AppendRecord | None
) -> bool:
    """Forget a run if that is its head, and put the tombstone in its journal's place."""
    stored = tables.journal(run_id)
    if not stored or stored[-1].last != revision:
        return False
    del tables.journals[run_id], tables.codecs[run_id]
    tables.runs.pop(run_id, None)
    tables.attempts.pop(run_id, None)
    tables.correlations.pop(run_id, None)
    tables.checkpoints.pop(run_id, None)
    tables.quarantined.pop(run_id, None)
    if tombstone is not None:
        tables.journals[run_id] = [tombstone]
        tables.codecs[run_id] = CODEC_VERSION
    return True


def _write_one(tables: Tables, batch: Batch, fallen: Collection[str | None]) -> Outcome:
    record, run_id = batch.record, batch.record.run_id
    if not _follows(tables, batch) or (batch.group is not None and batch.group in fallen):
        actual = tables.revision(run_id)
        return Conflict(run_id=run_id, expected=batch.expected, actual=actual)
    tables.journals.setdefault(run_id, []).append(record)
    tables.codecs[run_id] = batch.codec
    if batch.rows.run is not None:
        tables.runs[run_id] = batch.rows.run
    attempts = tables.attempts.get(run_id, {})
    for key in batch.rows.drop:
        attempts.pop(key, None)
    if not attempts:
        tables.attempts.pop(run_id, None)  # or claims would look at all runs there ever were
    _put(tables, batch.rows.put, at=record.at)
    if batch.rows.correlations is not None:
        _correlate(tables, run_id, batch.rows.correlations)
    facts.keep(tables, batch.notices)
    return Committed(run_id=run_id, revision=record.last)


def _follows(tables: Tables, batch: Batch) -> bool:
    run_id = batch.record.run_id
    return run_id not in tables.quarantined and tables.revision(run_id) == batch.expected


def _put(tables: Tables, rows: Sequence[AttemptRow], *, at: datetime) -> None:
    for row in rows:
        attempt = Attempt(row=row, due=row.visible_at <= at)
        tables.attempts.setdefault(row.run_id, {})[row.attempt_key] = attempt


def _correlate(tables: Tables, run_id: RunId, rows: Sequence[CorrelationRow]) -> None:
    tables.correlations[run_id] = tuple(sorted(rows, key=lambda row: (row.node, row.correlation)))
