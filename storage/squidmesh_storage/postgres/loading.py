"""Reading journals and what lies beside them, and checking what is read."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import groupby
from typing import Final
from uuid import UUID

from psycopg.rows import TupleRow

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import AppendId, Fingerprint, Revision, RunId, is_run_id
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import CorrelationRow, IndexRows
from squidmesh_storage.api import Checkpoint, Loaded
from squidmesh_storage.postgres.rows import (
    attempt_from,
    checkpoint_from,
    correlation_from,
    plain,
    quarantine_from,
    record_from,
    run_from,
)
from squidmesh_storage.postgres.scripts import Call, Script, all_of, ask, ask_one
from squidmesh_storage.postgres.statements import Statements
from squidmesh_storage.problems import check_chain, journal_gone, run_not_found

_MARK, _CHECKPOINT, _NO_APPEND = 0, 1, 3
#: The first id there could be: what the beginning of one is filled up with.
_LEAST: Final = "00000000-0000-0000-0000-000000000000"


def load(sql: Statements, run_id: RunId, after: Revision, *, whole: bool) -> Script[Loaded]:
    """
    The appends after a revision, in one statement and so from one snapshot.

    Raises:
        RunNotFound: No append of this run exists.
        StorageError: `run_quarantined`.
    """
    if not is_run_id(run_id):
        raise run_not_found(run_id)
    rows = yield from ask(_load_call(sql, {run_id: after}, whole=whole))
    return _loaded(run_id, after, rows)


def load_many(sql: Statements, wanted: Mapping[RunId, Revision]) -> Script[dict[RunId, Loaded]]:
    """The same of several runs in one statement, without those of which that would raise."""
    known = {run_id: after for run_id, after in wanted.items() if is_run_id(run_id)}
    rows = yield from ask(_load_call(sql, known, whole=False))
    loaded: dict[RunId, Loaded] = {}
    for run_id, of_run in groupby(rows, lambda row: RunId(row[0])):
        with suppress(RunNotFound, StorageError):
            loaded[run_id] = _loaded(run_id, known[run_id], of_run)
    return loaded


def stored(
    sql: Statements, run_id: RunId, after: Revision, limit: int
) -> Script[tuple[AppendRecord, ...]]:
    """Some appends after a revision, unchecked."""
    if not is_run_id(run_id):
        return ()
    rows = yield from ask(
        sql.call("stored", run_id=run_id, after=str(after), limit=str(max(0, limit)))
    )
    return tuple(record_from(run_id, row) for row in rows)


def find(sql: Statements, run_id: RunId, append_id: AppendId) -> Script[Revision | None]:
    """The last revision of an append."""
    if not is_run_id(run_id):
        return None
    row = yield from ask_one(sql.call("find", run_id=run_id, append_id=append_id))
    return None if row is None else Revision(row[0])


def run_ids(sql: Statements, after: RunId | None, limit: int) -> Script[tuple[RunId, ...]]:
    """Ids of runs in order, behind an id or from the first that begins so."""
    try:
        seek = after and _right_before(after)
    except ValueError:
        return ()  # no id begins so
    rows = yield from ask(sql.call("run_ids", after=seek, limit=str(max(0, limit))))
    return tuple(RunId(run_id) for (run_id,) in rows)


def listed_ids(sql: Statements, after: RunId | None, limit: int) -> Script[tuple[RunId, ...]]:
    """Ids of runs that the index lists, in order."""
    rows = yield from ask(sql.call("listed_ids", after=after, limit=str(max(0, limit))))
    return tuple(RunId(run_id) for (run_id,) in rows)


def _right_before(after: RunId) -> str:
    """The id behind which all stand that are behind this text: ids are no texts here."""
    if is_run_id(after):
        return after
    least = UUID(after + _LEAST[len(after) :])
    return str(UUID(int=max(0, least.int - 1)))


def rows_of(sql: Statements, run_id: RunId) -> Script[IndexRows]:
    """All that the index holds of a run."""
    if not is_run_id(run_id):
        return IndexRows()
    run, attempts, correlations, tags = yield from all_of(
        *(sql.call(name, run_id=run_id) for name in ("run", "attempts", "correlations", "tags"))
    )
    return IndexRows(
        run=run_from(run[0]) if run else None,
        attempts=tuple(attempt_from(row) for row in attempts),
        correlations=tuple(correlation_from(row) for row in correlations),
        tags=tuple(tag for (tag,) in tags),
    )


def correlated(
    sql: Statements, workflow: str, node: str, correlation: str, limit: int
) -> Script[tuple[CorrelationRow, ...]]:
    """What a message finds."""
    asked = sql.call(
        "correlated", workflow=workflow, node=node, correlation=correlation, limit=str(limit)
    )
    rows = yield from ask(asked)
    return tuple(correlation_from(row) for row in rows)


def definition(sql: Statements, fingerprint: Fingerprint) -> Script[str | None]:
    """The text stored under a fingerprint."""
    row = yield from ask_one(sql.call("definition", fingerprint=fingerprint))
    return None if row is None else str(row[0])


def checkpoint(sql: Statements, run_id: RunId) -> Script[Checkpoint | None]:
    """The stored checkpoint of a run, usable or not."""
    if not is_run_id(run_id):
        return None
    row = yield from ask_one(sql.call("checkpoint", run_id=run_id))
    return None if row is None else checkpoint_from(row)


def _load_call(sql: Statements, wanted: Mapping[RunId, Revision], *, whole: bool) -> Call:
    return sql.call("load", runs=plain(wanted), afters=plain(wanted.values()), whole=str(whole))


def _loaded(run_id: RunId, after: Revision, rows: Iterable[TupleRow]) -> Loaded:
    """What the rows of `load` say of one run."""
    quarantined, checkpoint, codec = None, None, CODEC_VERSION
    stored: list[AppendRecord] = []
    for _, kind, *row in rows:
        if kind == _MARK:
            quarantined = quarantine_from(row[0], row[4])
        elif kind == _CHECKPOINT:
            revision, codec_version, digest, _, body, *_ = row
            checkpoint = checkpoint_from((revision, digest, codec_version, body))
        elif kind == _NO_APPEND:
            raise journal_gone(run_id)
        else:
            *columns, codec = row
            stored.append(record_from(run_id, columns))
    start = after if checkpoint is None else checkpoint.revision
    before = stored.pop(0) if stored and stored[0].first <= start else None
    check_chain(run_id, stored, before=before, after=start)
    newest = stored[-1] if stored else before
    if newest is None:
        raise run_not_found(run_id)
    return Loaded(
        records=tuple(stored),
        checkpoint=checkpoint,
        head=newest.head,
        quarantined=quarantined,
        codec=codec,
    )
