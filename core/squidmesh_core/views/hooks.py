"""Hooks as people see them: who is told of what, and which telling fails."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.notices import Delivery, Subscription
from squidmesh_core.views.plain import View


@frozen(kw_only=True)
class FailingNotice(View):
    """A notice whose last call failed, and which is told again."""

    id: str
    run_id: RunId
    at: datetime
    #: Calls so far.
    attempts: int
    #: What the last one failed with.
    problem: str
    #: Nobody calls before this instant.
    next_at: datetime | None = None


@frozen(kw_only=True)
class Hook(View):
    """Somebody who wants to be told of an event."""

    event: str
    name: str
    #: From when on it is told.
    since: datetime
    #: When a worker last had a function for it.
    seen_at: datetime
    #: Notices that wait for it, among the first that were looked at.
    pending: int = 0
    #: Whether there are more than were looked at.
    more: bool = False
    #: Those that failed, among the first.
    failing: tuple[FailingNotice, ...] = ()


def hook_view(
    key: str, subscription: Subscription, waiting: Sequence[Delivery], *, more: bool = False
) -> Hook:
    """
    A hook as it stands.

    Args:
        key: That of its record: the event, a space, its name.
        subscription: What the record says.
        waiting: The first notices that wait for it.
        more: Whether there are others behind them.
    """
    event, _, name = key.partition(" ")
    return Hook(
        event=event,
        name=name,
        since=subscription.since,
        seen_at=subscription.seen_at,
        pending=len(waiting),
        more=more,
        failing=tuple(
            FailingNotice(
                id=one.notice.id,
                run_id=one.notice.run_id,
                at=one.notice.at,
                attempts=one.attempts,
                problem=one.problem,
                next_at=one.until,
            )
            for one in waiting
            if one.problem is not None
        ),
    )
