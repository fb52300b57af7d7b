"""The board of deadlines: what is late in all runs, and what soon will be."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, get_args

from attrs import frozen

from squidmesh_core.state.run import RunState
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.deadlines import DeadlineView, deadline_views
from squidmesh_core.views.inspection import Run, run_of
from squidmesh_core.views.plain import View

#: The most urgent first.
URGENCY: Final[tuple[DeadlineStatus, ...]] = tuple(reversed(get_args(DeadlineStatus)))


@frozen(kw_only=True)
class RunDeadline(View):
    """A deadline that runs, and whose."""

    run: Run
    deadline: DeadlineView


@frozen(kw_only=True)
class Board(View):
    """One page of deadlines, the most urgent first."""

    #: The instant that all of them are judged at, on the pages that follow too.
    at: datetime
    items: tuple[RunDeadline, ...]
    #: Hand it back as `cursor` for the next page; null: this was the last.
    next: str | None = None


def places_of(status: DeadlineStatus | None) -> Sequence[DeadlineStatus]:
    """
    How the most urgent deadline stands of runs that hold such a one, in the order to look.

    A run whose worst is escalated may hold others that are only due soon: they come
    after those of runs in which nothing is worse.
    """
    if status is None:
        return URGENCY
    return (status, *URGENCY[: URGENCY.index(status)])


def run_deadlines(
    state: RunState, now: datetime, status: DeadlineStatus | None = None
) -> tuple[RunDeadline, ...]:
    """The deadlines of a run that run, or those of them that stand so."""
    views = [one for one in deadline_views(state, now) if status in {None, one.status}]
    if not views:
        return ()
    run = run_of(state)
    return tuple(RunDeadline(run=run, deadline=view) for view in views)


def most_urgent_first(found: Iterable[RunDeadline]) -> tuple[RunDeadline, ...]:
    """Escalated, overdue, due soon, on time; of each, what is due first."""
    return tuple(sorted(found, key=_urgency))


def _urgency(one: RunDeadline) -> tuple[int, datetime, str, str]:
    deadline = one.deadline
    return (
        URGENCY.index(deadline.status),
        deadline.due_at,
        one.run.id,
        deadline.visit_key,
    )
