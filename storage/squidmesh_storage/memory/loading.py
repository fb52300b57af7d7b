"""Reading what is kept of one run, and checking what is read of its journal."""

from collections.abc import Iterable

from squidmesh_core.ids import AppendId, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import CorrelationRow, IndexRows
from squidmesh_storage.api import Checkpoint, Loaded
from squidmesh_storage.memory.tables import Tables
from squidmesh_storage.problems import check_chain, journal_gone


def load(tables: Tables, run_id: RunId, after: Revision, *, whole: bool = False) -> Loaded:
    """
    The appends after a revision.

    Raises:
        RunNotFound: No append of this run exists.
        StorageError: `run_quarantined`.
    """
    stored = tables.journal(run_id)
    if not stored and run_id in tables.runs:
        raise journal_gone(run_id)
    checkpoint = None if after or whole else _usable_checkpoint(tables, run_id)
    start = checkpoint.revision if checkpoint else after
    records = tuple(record for record in stored if record.first > start)
    before = next((record for record in reversed(stored) if record.first <= start), None)
    check_chain(run_id, records, before=before, after=start)
    return Loaded(
        records=records,
        checkpoint=checkpoint,
        head=stored[-1].head,
        quarantined=tables.quarantined.get(run_id),
        codec=tables.codecs[run_id],
    )


def stored(tables: Tables, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
    """Some appends after a revision, unchecked."""
    return tuple(one for one in tables.journal(run_id) if one.first > after)[:limit]


def find(tables: Tables, run_id: RunId, append_id: AppendId) -> Revision | None:
    """The last revision of the append of this id, or null."""
    found = (one.last for one in tables.journal(run_id) if one.append_id == append_id)
    return next(found, None)


def run_ids(tables: Tables, after: RunId | None, limit: int) -> tuple[RunId, ...]:
    """Ids of the runs after this one that have a journal, in order."""
    return _page(tables.journals, after, limit)


def listed_ids(tables: Tables, after: RunId | None, limit: int) -> tuple[RunId, ...]:
    """Ids of the runs behind this one that the index lists, in order."""
    return _page(tables.runs, after, limit)


def rows_of(tables: Tables, run_id: RunId) -> IndexRows:
    """The rows of a run; none if nothing is known of it."""
    attempts = tables.attempts.get(run_id, {})
    return IndexRows(
        run=tables.runs.get(run_id),
        attempts=tuple(attempts[key].row for key in sorted(attempts)),
        correlations=tables.correlations.get(run_id, ()),
    )


def correlated(
    tables: Tables, workflow: str, node: str, correlation: str, limit: int
) -> tuple[CorrelationRow, ...]:
    """What an outside message finds: open rows first, then by run id."""
    asked = (workflow, node, correlation)
    found = (
        row
        for rows in tables.correlations.values()
        for row in rows
        if (row.workflow, row.node, row.correlation) == asked
    )
    return tuple(sorted(found, key=lambda row: (not row.open, row.run_id))[:limit])


def _page(ids: Iterable[RunId], after: RunId | None, limit: int) -> tuple[RunId, ...]:
    return tuple(sorted(one for one in ids if after is None or one > after)[:limit])


def _usable_checkpoint(tables: Tables, run_id: RunId) -> Checkpoint | None:
    checkpoint = tables.checkpoints.get(run_id)
    if checkpoint is None:
        return None
    fits = any(
        (record.last, record.hash) == (checkpoint.revision, checkpoint.hash)
        for record in tables.journal(run_id)
    )
    return checkpoint if fits else None
