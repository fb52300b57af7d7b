"""Lists of runs, newest first: from the index alone, or by why they are where they are."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve

from squidmesh.door.door import Door
from squidmesh.door.known import Known
from squidmesh.door.recall import UNREADABLE
from squidmesh.views.filtering import RunFilters, listed, run_reason
from squidmesh.views.paging import Page, cursor_of, page_limit, read_cursor
from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.views.inspection import Run, run_view
from squidmesh_core.views.reason import STATUSES_OF, Reason, reason_of, told_by_status
from squidmesh_storage.api import Listed, ListPage, RunFilter

#: Runs that are read for one page at most, when the index alone does not tell.
MOST_READ: Final = 500
#: Of these, so many at once.
_AT_ONCE: Final = 100

_Place = tuple[datetime, RunId]


def runs(door: Door, filters: RunFilters, cursor: str | None, limit: int) -> Page[Run]:
    """
    Runs, newest first.

    Where a reason does not follow from the status, the journals of runs that may have it
    are read, `MOST_READ` for a page, which may therefore be short and not the last.

    Raises:
        ConfigError: A filter, the cursor or the limit is wrong.
        StorageError: The storage failed.
    """
    limit = page_limit(limit)
    reason = run_reason(filters.get("reason"))
    where = listed(filters, door.journal.now)
    begin = None if cursor is None else read_cursor(where, cursor, reason)
    if reason is None:
        page = door.journal.runs(where, begin, limit)
    else:
        page = _with_reason(door, where, reason, begin, limit)
    return Page(
        items=tuple(as_run(door, one) for one in page.items),
        next=None if page.next is None else cursor_of(where, *page.next, reason),
    )


def as_listed(door: Door, run_id: RunId) -> Run | None:
    """A run as lists have it, whatever became of its journal; null: none has it."""
    row = door.journal.rows_of(run_id).run
    if row is None:
        return None
    instant = RunFilter(since=row.created_at, until=row.created_at + timedelta(microseconds=1))
    cursor = None
    while True:
        page = door.journal.runs(instant, cursor, 100)
        found = next((one for one in page.items if one.row.run_id == run_id), None)
        if found is not None or page.next is None:
            return None if found is None else as_run(door, found)
        cursor = page.next


def as_run(door: Door, one: Listed) -> Run:
    """What a list shows of a run."""
    mark, run_id = one.quarantined, one.row.run_id
    where = "" if mark is None or mark.revision is None else f"revision {mark.revision}: "
    return run_view(
        one.row,
        one.head,
        quarantined=None if mark is None else f"{where}{mark.reason}",
        newer=one.codec > CODEC_VERSION or run_id in door.memory.left_alone,
    )


def readable(door: Door, run_ids: Sequence[RunId]) -> Iterator[tuple[RunId, Known]]:
    """
    Those of some runs that can be read; one that cannot stops no list.

    Raises:
        StorageError: The storage failed.
    """
    for run_id, known in zip(run_ids, door.fresh_all(run_ids), strict=True):
        if isinstance(known, Known):
            yield run_id, known
        elif isinstance(known, StorageError) and known.code in UNREADABLE:
            continue
        elif not isinstance(known, RunNotFound):  # it was removed since it was listed
            raise known


def _with_reason(
    door: Door, where: RunFilter, reason: Reason, begin: _Place | None, limit: int
) -> ListPage:
    """Listed runs that are where they are for a reason, and where to go on."""
    statuses = STATUSES_OF[reason]
    if where.status is None and len(statuses) == 1:
        where = evolve(where, status=statuses[0])
    found: list[Listed] = []
    cursor = begin
    for _ in range(MOST_READ // _AT_ONCE):
        page = door.journal.runs(where, cursor, _AT_ONCE)
        for one in _those_with(door, reason, page.items):
            found.append(one)
            if len(found) == limit:
                is_last = one is page.items[-1] and page.next is None
                place = None if is_last else (one.row.created_at, one.row.run_id)
                return ListPage(items=tuple(found), next=place)
        cursor = page.next
        if cursor is None:
            break
    return ListPage(items=tuple(found), next=cursor)


def _those_with(door: Door, reason: Reason, items: Sequence[Listed]) -> list[Listed]:
    maybe = [one for one in items if one.row.status in STATUSES_OF[reason]]
    if told_by_status(reason):
        return maybe
    states = dict(readable(door, [one.row.run_id for one in maybe]))
    now = door.journal.now()
    meant = {run for run, one in states.items() if reason_of(one.state, one.spec, now) == reason}
    return [one for one in maybe if one.row.run_id in meant]
