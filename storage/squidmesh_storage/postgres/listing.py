"""Pages of runs, the newest or the first to end first, by key and never by offset."""

from datetime import UTC, datetime
from typing import Final

from psycopg.rows import TupleRow

from squidmesh_core.ids import RunId, is_run_id
from squidmesh_core.protocol.rows import RunRow
from squidmesh_storage.api import Listed, ListPage, RunFilter
from squidmesh_storage.postgres.rows import head_from, quarantine_from, run_from
from squidmesh_storage.postgres.scripts import Call, Script, ask
from squidmesh_storage.postgres.statements import Statements

#: Member of the filter → what it asks for.
_CLAUSES: Final = {
    "workflow": "r.workflow = %(workflow)s",
    "version": "r.version = %(version)s",
    "status": "r.status = %(status)s",
    "queue": "r.queue = %(queue)s",
    "parent": "r.parent = %(parent)s",
    "tag": "exists (select 1 from {tags} as t where t.tag = %(tag)s and t.run_id = r.run_id)",
    "since": "r.created_at >= %(since)s::timestamptz",
    "until": "r.created_at < %(until)s::timestamptz",
    "text": "(strpos(r.run_id::text, %(text)s) > 0 or strpos(r.key, %(text)s) > 0"
    " or strpos(r.workflow, %(text)s) > 0 or strpos(r.error, %(text)s) > 0)",
}
_BEYOND: Final = "(r.created_at, r.run_id) < (%(created_at)s::timestamptz, %(run_id)s::uuid)"
_ORDER: Final = "order by r.created_at desc, r.run_id desc limit %(limit)s::bigint"
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)
_NO_RUN: Final = RunId("00000000-0000-0000-0000-000000000000")


def page_call(
    sql: Statements, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
) -> Call:
    """The statement for a page with these filters; values are bound, never written in."""
    values: dict[str, object] = {"limit": str(limit)}
    clauses: list[str] = []
    if cursor is not None:
        clauses.append(_BEYOND)
        values |= {"created_at": cursor[0], "run_id": cursor[1]}
    for name, clause in _CLAUSES.items():
        asked = getattr(where, name)
        if asked is not None:
            clauses.append(clause.format(tags=sql.names.table("tags").replace("%", "%%")))
            values[name] = asked
    return Call("\nand ".join([sql["runs"], *clauses]) + "\n" + _ORDER, values)


def page(
    sql: Statements, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
) -> Script[ListPage]:
    """One page after a cursor, and the next cursor if there is more."""
    if cursor is not None and not is_run_id(cursor[1]):
        return ListPage(items=(), next=None)
    # One row more than asked for tells whether there is a next page.
    rows = yield from ask(page_call(sql, where, cursor, max(0, limit) + 1))
    items = tuple(_listed(row) for row in rows[:limit])
    last = items[-1].row if len(rows) > limit and items else None
    return ListPage(items=items, next=None if last is None else (last.created_at, last.run_id))


def finished(
    sql: Statements, before: datetime, limit: int, after: tuple[datetime, RunId] | None
) -> Script[tuple[RunRow, ...]]:
    """Runs by their end, the oldest first, beyond a cursor."""
    ended_at, run_id = (_OLDEST, _NO_RUN) if after is None else after
    rows = yield from ask(
        sql.call(
            "finished", before=before, ended_at=ended_at, run_id=run_id, limit=str(max(0, limit))
        )
    )
    return tuple(run_from(row) for row in rows)


def _listed(row: TupleRow) -> Listed:
    *run, last, digest, at, codec, revision, reason = row
    return Listed(
        row=run_from(tuple(run)),
        head=head_from((last, digest, at)),
        quarantined=None if reason is None else quarantine_from(revision, reason),
        codec=codec,
    )
