"""
Deadlines: what is due, due soon, overdue, escalated.

They never change execution; they are evaluated at reading time (specs/protocol.md §7).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from squidmesh_core.definition.spec import ApprovalNode, PauseNode, ReceiveNode, StepNode
from squidmesh_core.protocol.entries import Deadline
from squidmesh_core.values.deadline import DeadlineStatus, Thresholds

_DAY: Final = timedelta(days=1)
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + _DAY
_LAST: Final = datetime.max.replace(tzinfo=UTC) - _DAY


@frozen(kw_only=True)
class Due:
    """A deadline as it stands at some instant."""

    status: DeadlineStatus
    started_at: datetime
    due_at: datetime
    due_soon_at: datetime | None
    escalated_at: datetime | None
    #: Negative once it is overdue.
    remaining: timedelta


def started(
    node: StepNode | PauseNode | ApprovalNode | ReceiveNode, at: datetime
) -> Deadline | None:
    """The node's deadline with its clock started, if it has one."""
    return None if node.deadline is None else Deadline(policy=node.deadline, started_at=at)


def thresholds(deadline: Deadline) -> Thresholds:
    """When it is due, due soon, and escalated."""
    policy = deadline.policy
    due_at = _moved(deadline.started_at, policy.within_ms)
    soon, late = policy.due_soon_ms, policy.escalate_after_ms
    return Thresholds(
        due_at=due_at,
        due_soon_at=None if soon is None else _moved(due_at, -soon),
        escalated_at=None if late is None else _moved(due_at, late),
    )


def evaluate(deadline: Deadline, now: datetime) -> Due:
    """How the deadline stands at an instant."""
    instants = thresholds(deadline)
    return Due(
        status=instants.status(now),
        started_at=deadline.started_at,
        due_at=instants.due_at,
        due_soon_at=instants.due_soon_at,
        escalated_at=instants.escalated_at,
        remaining=instants.due_at - now,
    )


def _moved(at: datetime, milliseconds: int) -> datetime:
    """
    So much later than an instant.

    A journal of somebody else's may name any number: what lies outside the calendar is its
    first or last instant that every time zone can tell.
    """
    try:
        return min(max(at + timedelta(milliseconds=milliseconds), _FIRST), _LAST)
    except OverflowError:
        return _LAST if milliseconds > 0 else _FIRST
