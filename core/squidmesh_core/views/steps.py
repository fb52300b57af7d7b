"""The nodes of a definition, and how far a run is with each."""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import frozen

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import NodeName, visit_key
from squidmesh_core.plan.progress import waits_for
from squidmesh_core.state.run import RunState
from squidmesh_core.values import RecoveryPolicy
from squidmesh_core.views.plain import View

#: `waiting`: nobody is at it.  Once the run is over or undone that stays so: it was never
#: reached, or, where it was visited, withdrawn.
StepStatus = Literal[
    "waiting", "pending", "running", "retrying", "deferred", "paused", "completed", "failed"
]
#: Status → the sign before a node's name, where a picture is made of letters.
SIGNS: Final[Mapping[StepStatus, str]] = {
    "completed": "✔",
    "failed": "✖",
    "running": "▶",
    "retrying": "↻",
    "deferred": "…",
    "pending": "○",
    "paused": "‖",
    "waiting": "·",
}


@frozen(kw_only=True)
class StepView(View):
    """One node of the definition, and how far the run is with it."""

    name: NodeName
    kind: str
    status: StepStatus
    visits: int
    after: tuple[NodeName, ...] = ()
    #: Those of `after` that are not applied yet.
    waits_for: tuple[NodeName, ...] = ()
    #: What may be done about it once it is applied; null: it is no step.
    recovery: RecoveryPolicy | None = None
    #: Action key of the callback that undoes it; null: nothing does.
    undo: str | None = None


def step_views(state: RunState, spec: Spec) -> tuple[StepView, ...]:
    """Every node, in the order of the definition; how far a pruned run came nobody knows."""
    if state.pruned is not None:
        return ()
    return tuple(_step(state, spec, name) for name in spec.nodes)


def step_status(state: RunState, name: NodeName) -> StepStatus:
    """How far the run is with one node."""
    for attempt in state.live.values():
        if attempt.intent.step == name and attempt.intent.kind != "compensation":
            if attempt.status == "claimed":
                return "running"
            if attempt.status == "retry_scheduled":
                return "retrying"
            return "deferred" if attempt.intent.deferred else "pending"
    if any(gate.step == name for gate in state.gates.open.values()):
        return "paused"
    if any(entry.step == name for entry in state.mail.awaited.values()):
        return "pending"
    last = visit_key(state.run_id, name, max(state.visits.get(name, 0), 1))
    applied = state.applied.get(last)
    if applied is not None and applied.succeeded:
        return "completed"
    # A time-out or a missing input that ends the run is told by the end alone.
    end = state.saga.started or state.terminal
    blamed = end is not None and end.step == name
    return "failed" if blamed or last in state.failures else "waiting"


def _step(state: RunState, spec: Spec, name: NodeName) -> StepView:
    node = spec.nodes[name]
    step = node if isinstance(node, StepNode) else None
    return StepView(
        name=name,
        kind=type(node).__name__.removesuffix("Node").lower(),
        status=step_status(state, name),
        visits=state.visits.get(name, 0),
        after=node.after,
        waits_for=waits_for(node, state),
        recovery=None if step is None else step.recovery or RecoveryPolicy(),
        undo=None if step is None else step.compensate,
    )
