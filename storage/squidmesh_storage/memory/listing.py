"""Pages of runs, the newest, the first to end or the first due first; and how many there are."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunRow
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_storage.api import Listed, ListPage, RunFilter, Tally
from squidmesh_storage.memory.tables import Tables

#: The place after which a page begins: an instant, and a run id of that instant.
Cursor = tuple[datetime, RunId]


def page(tables: Tables, where: RunFilter, cursor: Cursor | None, limit: int) -> ListPage:
    """One page after a cursor, the newest run first."""
    found = sorted(
        ((row.created_at, row.run_id) for row in tables.listed() if _fits(row, where)),
        reverse=True,
    )
    return _page(tables, [one for one in found if cursor is None or one < cursor], limit)


def due_page(tables: Tables, where: RunFilter, cursor: Cursor | None, limit: int) -> ListPage:
    """The same of runs with a deadline that runs, the first due first."""
    found = sorted(
        (row.deadline.due_at, row.run_id)
        for row in tables.listed()
        if row.deadline is not None and row.ended_at is None and _fits(row, where)
    )
    return _page(tables, [one for one in found if cursor is None or one > cursor], limit)


def finished(
    tables: Tables, before: datetime, limit: int, after: Cursor | None
) -> tuple[RunRow, ...]:
    """Runs by their end, the oldest first, beyond a cursor."""
    found = sorted(
        (row.ended_at, row.run_id)
        for row in tables.listed()
        if row.ended_at is not None and row.ended_at < before
    )
    beyond = [one for one in found if after is None or one > after]
    return tuple(tables.runs[run_id] for _, run_id in beyond[:limit])


def tally(tables: Tables, at: datetime) -> Tally:
    """How many runs there are."""
    rows = tables.listed()
    return Tally(
        runs=Counter((row.workflow, row.status) for row in rows),
        deadlines=Counter(
            (row.workflow, due) for row in rows if (due := _due(row, at)) is not None
        ),
    )


def _page(tables: Tables, found: Sequence[Cursor], limit: int) -> ListPage:
    return ListPage(
        items=tuple(_listed(tables, run_id) for _, run_id in found[:limit]),
        next=found[limit - 1] if len(found) > limit > 0 else None,
    )


def _listed(tables: Tables, run_id: RunId) -> Listed:
    return Listed(
        row=tables.runs[run_id],
        head=tables.journals[run_id][-1].head,
        quarantined=tables.quarantined.get(run_id),
        codec=tables.codecs[run_id],
    )


def _fits(row: RunRow, where: RunFilter) -> bool:
    searched = (row.run_id, row.key or "", row.workflow, row.error or "")
    return (
        where.workflow in {None, row.workflow}
        and where.version in {None, row.version}
        and where.status in {None, row.status}
        and where.queue in {None, row.queue}
        and where.parent in {None, row.parent}
        and (where.tag is None or where.tag in row.tags)
        and (where.since is None or row.created_at >= where.since)
        and (where.until is None or row.created_at < where.until)
        and (where.text is None or any(where.text in text for text in searched))
        and (where.deadline_at is None or where.deadline in {None, _due(row, where.deadline_at)})
    )


def _due(row: RunRow, now: datetime) -> DeadlineStatus | None:
    if row.deadline is None or row.ended_at is not None:
        return None
    return row.deadline.status(now)
