"""Pages of runs, the newest or the first to end first, by key and never by offset."""

import sqlite3
from datetime import datetime
from typing import Final, cast

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunRow
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
_ORDER: Final = "order by r.created_at desc, r.run_id desc limit :limit"
#: After every instant that a datetime can hold.
_NEWEST: Final = 2**63 - 1
#: Before every one.
_OLDEST: Final = -(2**63)


def statement(where: RunFilter) -> str:
    """The statement for a page with these filters; values are bound, never written in."""
    asked = [clause for name, clause in _CLAUSES.items() if getattr(where, name) is not None]
    return "\nand ".join([SQL["runs"], *asked]) + "\n" + _ORDER


def page(
    connection: sqlite3.Connection,
    where: RunFilter,
    cursor: tuple[datetime, RunId] | None,
    limit: int,
) -> ListPage:
    """One page after a cursor, and the next cursor if there is more."""
    # One row more than asked for tells whether there is a next page.
    rows = connection.execute(statement(where), _values(where, cursor, limit + 1)).fetchall()
    items = tuple(_listed(row) for row in rows[:limit])
    last = items[-1].row if len(rows) > limit and items else None
    return ListPage(items=items, next=None if last is None else (last.created_at, last.run_id))


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


def _values(
    where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
) -> dict[str, Value]:
    created_at, run_id = (_NEWEST, "") if cursor is None else (micros(cursor[0]), str(cursor[1]))
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
        "created_at": created_at,
        "run_id": run_id,
        "limit": limit,
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
