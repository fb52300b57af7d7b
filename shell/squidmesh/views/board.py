"""The board of deadlines: the index says which runs to read, and these alone are read."""

from collections.abc import Sequence
from datetime import datetime

from attrs import evolve, frozen

from squidmesh import checks
from squidmesh.door.door import Door
from squidmesh.views.filtering import BoardFilters, deadline_status, due
from squidmesh.views.listing import readable
from squidmesh.views.paging import (
    check_mark,
    instant_in,
    mark_of,
    one_in,
    packed,
    page_limit,
    run_in,
    unpacked,
)
from squidmesh_core.ids import RunId
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.board import Board, most_urgent_first, places_of, run_deadlines
from squidmesh_storage.api import Listed, RunFilter


@frozen(kw_only=True)
class _Wanted:
    """Which deadlines to show."""

    #: Of which runs.
    where: RunFilter
    status: DeadlineStatus | None

    @property
    def places(self) -> Sequence[DeadlineStatus]:
        """Where to look, in order."""
        return places_of(self.status)

    @property
    def mark(self) -> str:
        """What tells cursors of this list from others."""
        return mark_of(self.where, "deadlines", self.status)


@frozen(kw_only=True)
class _Place:
    """Where a page begins."""

    #: The instant that the board is judged at, from the first page on.
    at: datetime
    #: How the most urgent deadline stands of the runs to begin with.
    standing: DeadlineStatus
    #: Only those beyond this one, by (due_at, run id); null: from the first on.
    beyond: tuple[datetime, RunId] | None = None


def deadlines(
    door: Door, filters: BoardFilters, cursor: str | None, limit: int, now: datetime | None
) -> Board:
    """
    What is late and what soon will be, the most urgent first.

    A page holds the deadlines of up to `limit` runs.  A run that cannot be read is left
    out; `runs` shows it, and `verify` tells of it.

    Raises:
        ConfigError: A filter, the cursor, the limit or the instant is wrong.
        StorageError: The storage failed.
    """
    limit, at = page_limit(limit), checks.instant("now", now)
    status = deadline_status("status", filters.get("status"))
    wanted = _Wanted(where=due(filters), status=status)
    if cursor is None:
        place = _Place(at=at or door.journal.now(), standing=wanted.places[0])
    else:
        place = _read(wanted, cursor, at)
    # One run more than asked for tells whether there is a next page.
    found = _found(door, wanted, place, limit + 1)
    shown = found[:limit]
    return Board(
        at=place.at,
        items=most_urgent_first(
            view
            for _, known in readable(door, [one.row.run_id for _, one in shown])
            for view in run_deadlines(known.state, place.at, status)
        ),
        next=_cursor(wanted, place.at, *shown[-1]) if len(found) > limit else None,
    )


def _found(
    door: Door, wanted: _Wanted, place: _Place, most: int
) -> list[tuple[DeadlineStatus, Listed]]:
    """Runs by how their most urgent deadline stands, then by what is due first."""
    beyond = place.beyond
    found: list[tuple[DeadlineStatus, Listed]] = []
    for standing in wanted.places[wanted.places.index(place.standing) :]:
        where = evolve(wanted.where, deadline=standing, deadline_at=place.at)
        page = door.journal.deadlines(where, beyond, most - len(found))
        found += ((standing, one) for one in page.items)
        if len(found) == most:
            break
        beyond = None
    return found


def _cursor(wanted: _Wanted, at: datetime, standing: DeadlineStatus, last: Listed) -> str | None:
    deadline = last.row.deadline
    if deadline is None:  # a journal lists here only runs that have one
        return None
    due_at = deadline.due_at.isoformat()
    return packed(at.isoformat(), standing, due_at, last.row.run_id, wanted.mark)


def _read(wanted: _Wanted, cursor: str, now: datetime | None) -> _Place:
    at, standing, due_at, run_id, mark = unpacked(cursor, 5)
    check_mark(mark, wanted.mark)
    place = _Place(
        at=instant_in(at),
        standing=one_in(standing, wanted.places),
        beyond=(instant_in(due_at), run_in(run_id)),
    )
    if now not in {None, place.at}:
        raise checks.wrong("now", "the cursor goes on at the instant of its first page")
    return place
