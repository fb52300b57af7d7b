"""The deadlines of a run: what is late, and what soon will be.  They only warn."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from squidmesh_core.ids import NodeName, VisitKey, visit_node
from squidmesh_core.plan.deadline import evaluate, thresholds
from squidmesh_core.protocol.entries import Deadline
from squidmesh_core.state.run import RunState
from squidmesh_core.values.deadline import DeadlineStatus, Thresholds
from squidmesh_core.values.policy import Escalation
from squidmesh_core.views.plain import View


@frozen(kw_only=True)
class DeadlineView(View):
    """A deadline as it stands at some instant."""

    status: DeadlineStatus
    node: NodeName
    visit_key: VisitKey
    started_at: datetime
    due_at: datetime
    due_soon_at: datetime | None = None
    escalated_at: datetime | None = None
    #: Negative once it is overdue.
    remaining: timedelta
    escalation: Escalation
    #: Whom or what to tell, a text of the host.
    target: str | None = None


def deadline_views(state: RunState, now: datetime) -> tuple[DeadlineView, ...]:
    """The deadlines that run, the soonest first; none of a run that is over."""
    if state.terminal is not None:
        return ()
    found = [
        _view(node, visit, deadline, now) for node, visit, deadline in _running(state) if deadline
    ]
    return tuple(sorted(found, key=lambda view: (view.due_at, view.visit_key)))


def running_deadlines(state: RunState) -> Sequence[Deadline]:
    """The deadlines that run."""
    if state.terminal is not None:
        return ()
    # Asked at every append; mostly there is one attempt, and nobody is waited for.
    found = [one.intent.deadline for one in state.live.values() if one.intent.deadline]
    if state.gates.open:
        found += [gate.deadline for gate in state.gates.open.values() if gate.deadline]
    if state.mail.awaited:
        found += [entry.deadline for entry in state.mail.awaited.values() if entry.deadline]
    return found


def first_thresholds(deadlines: Iterable[Deadline]) -> Thresholds | None:
    """
    The first instant of each kind that comes; null: there is no deadline.

    Their status at any instant is that of the most urgent deadline.
    """
    found = [thresholds(deadline) for deadline in deadlines]
    if not found:
        return None
    return Thresholds(
        due_at=min(one.due_at for one in found),
        due_soon_at=min((one.due_soon_at for one in found if one.due_soon_at), default=None),
        escalated_at=min((one.escalated_at for one in found if one.escalated_at), default=None),
    )


def _running(state: RunState) -> Iterator[tuple[NodeName, VisitKey, Deadline | None]]:
    for attempt in state.live.values():
        yield attempt.intent.step, attempt.intent.visit_key, attempt.intent.deadline
    for visit, gate in state.gates.open.items():
        yield visit_node(visit), visit, gate.deadline
    for visit, entry in state.mail.awaited.items():
        yield entry.step, visit, entry.deadline


def _view(node: NodeName, visit: VisitKey, deadline: Deadline, now: datetime) -> DeadlineView:
    due = evaluate(deadline, now)
    return DeadlineView(
        status=due.status,
        node=node,
        visit_key=visit,
        started_at=due.started_at,
        due_at=due.due_at,
        due_soon_at=due.due_soon_at,
        escalated_at=due.escalated_at,
        remaining=due.remaining,
        escalation=deadline.policy.escalation,
        target=deadline.policy.target,
    )
