"""Pages of runs, the newest, the first to end or the first due first, by key and never by offset."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunRow
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_storage.api import Listed, ListPage, RunFilter
from squidmesh_storage.sqlite.rows import Value, head_from, micros, quarantine_from, run_from
from squidmesh_storage.sqlite.statements import SQL

#: Member of the filter → what it asks for.  SQLite picks the index by what is there.
_CLAUSES: Final = {
    "workflow": "r.workflow = :workflow",
    "version": "r.version = :version",
    "status": "r.status = :status",
    "queue": "r.queue = :queue",
    "parent": "r.parent = :parent",
    "tag": "r.run_id in (select run_id from squidmesh_tags where tag = :tag)",
    "since": "r.created_at >= :since",
    "until": "r.created_at < :until",
    "text": "(instr(r.run_id, :text) or instr(r.key, :text)"
    " or instr(r.workflow, :text) or instr(r.error, :text))",
}
#: Status of the most urgent deadline → what the row says then.
_DUE: Final[Mapping[DeadlineStatus, str]] = {
    "escalated": "r.due_at <= :deadline_at and r.escalated_at <= :deadline_at",
    "overdue": "r.due_at <= :deadline_at"
    " and (r.escalated_at is null or r.escalated_at > :deadline_at)",
    "due_soon": "r.due_at > :deadline_at and r.due_soon_at <= :deadline_at",
    "on_time": "r.due_at > :deadline_at"
    " and (r.due_soon_at is null or r.due_soon_at > :deadline_at)",
}
#: Of a run that is over no deadline runs, whatever an older process left in its row.
_RUNNING: Final = "r.due_at is not null and r.ended_at is null"
_NEWEST_FIRST: Final = "order by r.created_at desc, r.run_id desc limit :limit"
_DUE_FIRST: Final = "order by r.due_at, r.run_id limit :limit"
#: After every instant that a datetime can hold.
_NEWEST: Final = 2**63 - 1
#: Before every one.
_OLDEST: Final = -(2**63)


def statement(where: RunFilter) -> str:
    """The statement for a page with these filters; values are bound, never written in."""
    clauses = ["(r.created_at, r.run_id) < (:instant, :run_id)", *_asked(where), *_due(where)]
    return "\nand ".join([SQL["runs"], *clauses]) + "\n" + _NEWEST_FIRST


def due_statement(where: RunFilter) -> str:
    """The same of runs with a deadline that runs, the first due first."""
    # The pluses keep SQLite from every other index: there are fewer runs in that of deadlines.
    others = (f"+{clause}" for clause in _asked(where))
    clauses = [_RUNNING, "(r.due_at, r.run_id) > (:instant, :run_id)", *others, *_due(where)]
    return "\nand ".join([SQL["runs"], *clauses]) + "\n" + _DUE_FIRST


def page(
    connection: sqlite3.Connection,
    where: RunFilter,
    cursor: tuple[datetime, RunId] | None,
    limit: int,
) -> ListPage:
    """One page after a cursor, and the next cursor if there is more."""
    beyond = (_NEWEST, "") if cursor is None else (micros(cursor[0]), str(cursor[1]))
    items, more = _page(connection, statement(where), _values(where, beyond), limit)
    last = items[-1].row if more else None
    return ListPage(items=items, next=None if last is None else (last.created_at, last.run_id))


def due_page(
    connection: sqlite3.Connection,
    where: RunFilter,
    cursor: tuple[datetime, RunId] | None,
    limit: int,
) -> ListPage:
    """One page of runs with a deadline that runs, and the next cursor if there is more."""
    beyond = (_OLDEST, "") if cursor is None else (micros(cursor[0]), str(cursor[1]))
    items, more = _page(connection, due_statement(where), _values(where, beyond), limit)
    last = items[-1].row if more else None
    due = None if last is None else last.deadline
    return ListPage(
        items=items, next=None if last is None or due is None else (due.due_at, last.run_id)
    )


def finished(
    connection: sqlite3.Connection,
    before: datetime,
    limit: int,
    after: tuple[datetime, RunId] | None,
) -> tuple[RunRow, ...]:
    """Runs by their end, the oldest first, beyond a cursor."""
    ended_at, run_id = (_OLDEST, "") if after is None else (micros(after[0]), str(after[1]))
    asked = {"before": micros(before), "ended_at": ended_at, "run_id": run_id, "limit": limit}
    return tuple(run_from(row) for row in connection.execute(SQL["finished"], asked))


def _asked(where: RunFilter) -> list[str]:
    return [clause for name, clause in _CLAUSES.items() if getattr(where, name) is not None]


def _due(where: RunFilter) -> list[str]:
    return [] if where.deadline is None else [_RUNNING, _DUE[where.deadline]]


def _page(
    connection: sqlite3.Connection, text: str, values: dict[str, Value], limit: int
) -> tuple[tuple[Listed, ...], bool]:
    # One row more than asked for tells whether there is a next page.
    rows = connection.execute(text, {**values, "limit": limit + 1}).fetchall()
    return tuple(_listed(row) for row in rows[:limit]), len(rows) > limit > 0


def _values(where: RunFilter, beyond: tuple[int, str]) -> dict[str, Value]:
    instant, run_id = beyond
    return {
        "workflow": where.workflow,
        "version": where.version,
        "status": where.status,
        "queue": where.queue,
        "parent": where.parent,
        "tag": where.tag,
        "text": where.text,
        "since": None if where.since is None else micros(where.since),
        "until": None if where.until is None else micros(where.until),
        "deadline_at": None if where.deadline_at is None else micros(where.deadline_at),
        "instant": instant,
        "run_id": run_id,
    }


def _listed(row: tuple[Value, ...]) -> Listed:
    *run, last, digest, at, codec, revision, reason = row
    return Listed(
        row=run_from(tuple(run)),
        head=head_from((int(str(last)), str(digest), int(str(at)))),
        quarantined=None
        if reason is None
        else quarantine_from(cast("int | None", revision), str(reason)),
        codec=cast("int", codec),
    )
