"""Reading what is kept of one run, and checking what is read of its journal."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import CorrelationRow, IndexRows
from squidmesh_storage.api import Checkpoint, Loaded
from squidmesh_storage.problems import check_chain, journal_gone
from squidmesh_storage.sqlite.rows import (
    attempt_from,
    correlation_from,
    quarantine_from,
    record_from,
    run_from,
)
from squidmesh_storage.sqlite.statements import SQL


def load(
    connection: sqlite3.Connection, run_id: RunId, after: Revision, *, whole: bool = False
) -> Loaded:
    """
    The appends after a revision; from a snapshot that the caller holds.

    Raises:
        RunNotFound: No append of this run exists.
        StorageError: `run_quarantined`.
    """
    checkpoint = None if after or whole else stored_checkpoint(connection, run_id)
    start = after if checkpoint is None else checkpoint.revision
    before = _append_at(connection, run_id, start)
    if checkpoint is not None and not _covers(checkpoint, before):
        checkpoint, before, start = None, None, after
    records = tuple(
        record_from(run_id, row) for row in connection.execute(SQL["after"], (run_id, start))
    )
    if before is None and not records and connection.execute(SQL["run"], (run_id,)).fetchone():
        raise journal_gone(run_id)
    check_chain(run_id, records, before=before, after=start)
    (codec,) = connection.execute(SQL["codec"], (run_id,)).fetchone()
    mark = connection.execute(SQL["quarantine"], (run_id,)).fetchone()
    return Loaded(
        records=records,
        checkpoint=checkpoint,
        head=(*((before,) if before else ()), *records)[-1].head,
        quarantined=None if mark is None else quarantine_from(*mark),
        codec=codec,
    )


def load_many(
    connection: sqlite3.Connection, wanted: Mapping[RunId, Revision]
) -> dict[RunId, Loaded]:
    """The same of several runs, without those of which that would raise."""
    loaded: dict[RunId, Loaded] = {}
    for run_id, after in wanted.items():
        with suppress(RunNotFound, StorageError):
            loaded[run_id] = load(connection, run_id, after)
    return loaded


def stored(
    connection: sqlite3.Connection, run_id: RunId, after: Revision, limit: int
) -> tuple[AppendRecord, ...]:
    """Some appends after a revision, unchecked."""
    rows = connection.execute(SQL["stored"], (run_id, after, limit))
    return tuple(record_from(run_id, row) for row in rows)


def find(connection: sqlite3.Connection, run_id: RunId, append_id: AppendId) -> Revision | None:
    """The last revision of an append."""
    row = connection.execute(SQL["find"], (run_id, append_id)).fetchone()
    return None if row is None else Revision(row[0])


def run_ids(connection: sqlite3.Connection, after: RunId | None, limit: int) -> tuple[RunId, ...]:
    """Ids of runs in order."""
    asked = {"after": after or "", "limit": limit}
    return tuple(RunId(run_id) for (run_id,) in connection.execute(SQL["run_ids"], asked))


def listed_ids(
    connection: sqlite3.Connection, after: RunId | None, limit: int
) -> tuple[RunId, ...]:
    """Ids of runs that the index lists, in order."""
    found = connection.execute(SQL["listed_ids"], (after or "", limit))
    return tuple(RunId(run_id) for (run_id,) in found)


def rows_of(connection: sqlite3.Connection, run_id: RunId) -> IndexRows:
    """All that the index holds of a run."""
    run = connection.execute(SQL["run"], (run_id,)).fetchone()
    attempts = connection.execute(SQL["attempts"], (run_id, run_id))
    correlations = connection.execute(SQL["correlations"], (run_id,))
    tags = connection.execute(SQL["tags"], (run_id,))
    return IndexRows(
        run=None if run is None else run_from(run),
        attempts=tuple(attempt_from(row) for row in attempts),
        correlations=tuple(correlation_from(row) for row in correlations),
        tags=tuple(tag for (tag,) in tags),
    )


def correlated(
    connection: sqlite3.Connection, workflow: str, node: str, correlation: str, limit: int
) -> tuple[CorrelationRow, ...]:
    """What a message finds."""
    rows = connection.execute(SQL["correlated"], (workflow, node, correlation, limit))
    return tuple(correlation_from(row) for row in rows)


def definition(connection: sqlite3.Connection, fingerprint: Fingerprint) -> str | None:
    """The text stored under a fingerprint."""
    row = connection.execute(SQL["definition"], (fingerprint,)).fetchone()
    return None if row is None else str(row[0])


def stored_checkpoint(connection: sqlite3.Connection, run_id: RunId) -> Checkpoint | None:
    """The stored checkpoint of a run, usable or not."""
    row = connection.execute(SQL["checkpoint"], (run_id,)).fetchone()
    if row is None:
        return None
    revision, digest, codec_version, body = row
    return Checkpoint(
        revision=Revision(revision), hash=digest, codec_version=codec_version, body=body
    )


def _append_at(
    connection: sqlite3.Connection, run_id: RunId, revision: Revision
) -> AppendRecord | None:
    row = connection.execute(SQL["before"], (run_id, revision)).fetchone()
    return None if row is None else record_from(run_id, row)


def _covers(checkpoint: Checkpoint, before: AppendRecord | None) -> bool:
    return before is not None and (before.last, before.hash) == (
        checkpoint.revision,
        checkpoint.hash,
    )
