"""
Deadlines: what is due, due soon, overdue, escalated (reference §33).

They never change execution; they are evaluated at reading time.
"""

from datetime import datetime, timedelta

from attrs import frozen

from squidmesh_core.definition.spec import ApprovalNode, PauseNode, ReceiveNode, StepNode
from squidmesh_core.protocol.entries import Deadline
from squidmesh_core.values.deadline import DeadlineStatus, Thresholds


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
    due_at = deadline.started_at + timedelta(milliseconds=policy.within_ms)
    soon, late = policy.due_soon_ms, policy.escalate_after_ms
    return Thresholds(
        due_at=due_at,
        due_soon_at=None if soon is None else due_at - timedelta(milliseconds=soon),
        escalated_at=None if late is None else due_at + timedelta(milliseconds=late),
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
