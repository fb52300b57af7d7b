"""Pages of runs, the newest, the first to end or the first due first, by key and never by offset."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from psycopg.rows import TupleRow

from squidmesh_core.ids import RunId, is_run_id
from squidmesh_core.protocol.rows import RunRow
from squidmesh_core.values.deadline import DeadlineStatus
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
_AT: Final = "%(deadline_at)s::timestamptz"
#: Status of the most urgent deadline → what the row says then.
_DUE: Final[Mapping[DeadlineStatus, str]] = {
    "escalated": f"r.due_at <= {_AT} and r.escalated_at <= {_AT}",
    "overdue": f"r.due_at <= {_AT} and (r.escalated_at is null or r.escalated_at > {_AT})",
    "due_soon": f"r.due_at > {_AT} and r.due_soon_at <= {_AT}",
    "on_time": f"r.due_at > {_AT} and (r.due_soon_at is null or r.due_soon_at > {_AT})",
}
#: Of a run that is over no deadline runs, whatever an older process left in its row.
_RUNNING: Final = "r.due_at is not null and r.ended_at is null"
_BEFORE: Final = "(r.created_at, r.run_id) < (%(instant)s::timestamptz, %(run_id)s::uuid)"
_AFTER: Final = "(r.due_at, r.run_id) > (%(instant)s::timestamptz, %(run_id)s::uuid)"
_NEWEST_FIRST: Final = "order by r.created_at desc, r.run_id desc limit %(limit)s::bigint"
_DUE_FIRST: Final = "order by r.due_at, r.run_id limit %(limit)s::bigint"
_OLDEST: Final = datetime.min.replace(tzinfo=UTC)
_NO_RUN: Final = RunId("00000000-0000-0000-0000-000000000000")


def page_call(
    sql: Statements, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
) -> Call:
    """The statement for a page with these filters; values are bound, never written in."""
    clauses, values = _asked(sql, where)
    if cursor is not None:
        clauses.append(_BEFORE)
        values |= {"instant": cursor[0], "run_id": cursor[1]}
    values["limit"] = str(limit)
    return Call("\nand ".join([sql["runs"], *clauses]) + "\n" + _NEWEST_FIRST, values)


def due_call(
    sql: Statements, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
) -> Call:
    """The same of runs with a deadline that runs, the first due first."""
    clauses, values = _asked(sql, where)
    if cursor is not None:
        clauses.append(_AFTER)
        values |= {"instant": cursor[0], "run_id": cursor[1]}
    values["limit"] = str(limit)
    return Call("\nand ".join([sql["runs"], _RUNNING, *clauses]) + "\n" + _DUE_FIRST, values)


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


def due_page(
    sql: Statements, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
) -> Script[ListPage]:
    """One page of runs with a deadline that runs, and the next cursor if there is more."""
    if cursor is not None and not is_run_id(cursor[1]):
        return ListPage(items=(), next=None)
    rows = yield from ask(due_call(sql, where, cursor, max(0, limit) + 1))
    items = tuple(_listed(row) for row in rows[:limit])
    last = items[-1].row if len(rows) > limit and items else None
    due = None if last is None else last.deadline
    return ListPage(
        items=items, next=None if last is None or due is None else (due.due_at, last.run_id)
    )


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


def _asked(sql: Statements, where: RunFilter) -> tuple[list[str], dict[str, object]]:
    values: dict[str, object] = {}
    clauses: list[str] = []
    for name, clause in _CLAUSES.items():
        asked = getattr(where, name)
        if asked is not None:
            clauses.append(clause.format(tags=sql.names.table("tags").replace("%", "%%")))
            values[name] = asked
    if where.deadline is not None:
        clauses += [_RUNNING, _DUE[where.deadline]]
        values["deadline_at"] = where.deadline_at
    return clauses, values


def _listed(row: TupleRow) -> Listed:
    *run, last, digest, at, codec, revision, reason = row
    return Listed(
        row=run_from(tuple(run)),
        head=head_from((last, digest, at)),
        quarantined=None if reason is None else quarantine_from(revision, reason),
        codec=codec,
    )
