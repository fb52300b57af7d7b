"""
Deadlines: what is due, due soon, overdue, escalated (reference §33).

They never change execution; they are evaluated at reading time.
"""

from datetime import datetime, timedelta
from typing import Literal

from attrs import frozen

from squidmesh_core.definition.spec import ApprovalNode, PauseNode, ReceiveNode, StepNode
from squidmesh_core.protocol.entries import Deadline

DeadlineStatus = Literal["on_time", "due_soon", "overdue", "escalated"]


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


def evaluate(deadline: Deadline, now: datetime) -> Due:
    """How the deadline stands at an instant."""
    policy = deadline.policy
    due_at = deadline.started_at + timedelta(milliseconds=policy.within_ms)
    due_soon_at = escalated_at = None
    if policy.due_soon_ms is not None:
        due_soon_at = due_at - timedelta(milliseconds=policy.due_soon_ms)
    if policy.escalate_after_ms is not None:
        escalated_at = due_at + timedelta(milliseconds=policy.escalate_after_ms)
    status: DeadlineStatus = "on_time"
    if escalated_at is not None and now >= escalated_at:
        status = "escalated"
    elif now >= due_at:
        status = "overdue"
    elif due_soon_at is not None and now >= due_soon_at:
        status = "due_soon"
    return Due(
        status=status,
        started_at=deadline.started_at,
        due_at=due_at,
        due_soon_at=due_soon_at,
        escalated_at=escalated_at,
        remaining=due_at - now,
    )
