"""What a run waits for outside itself: people, messages, and what is being undone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from attrs import Factory, frozen

from squidmesh_core.definition.spec import ApprovalNode, PauseNode, Spec
from squidmesh_core.ids import NodeName, VisitKey, timeout_key, undo_key, visit_node
from squidmesh_core.plan.compensation import candidates
from squidmesh_core.plan.deadline import Due, evaluate
from squidmesh_core.protocol.entries import (
    Failure,
    GateKind,
    ManualStepPaused,
    MessageAwaited,
    Unrecovered,
)
from squidmesh_core.state.attempt import Attempt, AttemptStatus
from squidmesh_core.state.run import RunState
from squidmesh_core.views.given import failure_given, left_given
from squidmesh_core.views.plain import View

UndoStatus = Literal["pending", "running", "retrying", "compensated", "failed", "effect_unknown"]

_UNDER_WAY: Final[Mapping[AttemptStatus, UndoStatus]] = {
    "claimed": "running",
    "retry_scheduled": "retrying",
}


@frozen(kw_only=True)
class GateView(View):
    """A person is waited for."""

    kind: GateKind
    opened_at: datetime
    #: Null for a hold.
    node: NodeName | None = None
    visit_key: VisitKey | None = None
    question: str | None = None
    #: Outcome → where that answer leads.
    targets: Mapping[str, str] = Factory(dict)
    #: Names of the form's fields.
    form: tuple[str, ...] = ()
    deadline: Due | None = None
    #: When the gate ends by itself; null: never.
    times_out_at: datetime | None = None


@frozen(kw_only=True)
class AwaitedView(View):
    """A message is waited for."""

    node: NodeName
    visit_key: VisitKey
    since: datetime
    correlation: str | None = None
    deadline: Due | None = None
    times_out_at: datetime | None = None


@frozen(kw_only=True)
class UndoView(View):
    """One visit, and how far undoing it is."""

    node: NodeName
    visit_key: VisitKey
    status: UndoStatus


@frozen(kw_only=True)
class CompensationView(View):
    """How far undoing has come."""

    cause: Literal["failure", "cancel"]
    started_at: datetime
    failure: Failure | None
    #: The node whose failure it is.
    node: NodeName | None
    #: In the order it was, is and will be undone.
    steps: tuple[UndoView, ...]
    #: What was left when the run ended; a person must look.
    recovery: tuple[Unrecovered, ...] = ()


def gate_views(state: RunState, spec: Spec, now: datetime) -> tuple[GateView, ...]:
    """The hold, if there is one, then the open gates, the oldest first."""
    hold = state.gates.hold
    held = () if hold is None else (GateView(kind=hold.kind, opened_at=hold.at),)
    return held + tuple(_gate(state, spec, gate, now) for gate in state.gates.open.values())


def awaited_views(state: RunState, now: datetime) -> tuple[AwaitedView, ...]:
    """The visits that wait for a message, the oldest first."""
    return tuple(_awaited(state, entry, now) for entry in state.mail.awaited.values())


def compensation_view(state: RunState, spec: Spec) -> CompensationView | None:
    """How far undoing has come; null for a run that goes, or went, forward only."""
    started = state.saga.started
    if started is None:
        return None
    return CompensationView(
        cause=started.cause,
        started_at=started.at,
        failure=failure_given(started.failure),
        node=started.step,
        steps=_undone(state, spec),
        recovery=left_given(state.terminal.recovery) if state.terminal else (),
    )


def _gate(state: RunState, spec: Spec, gate: ManualStepPaused, now: datetime) -> GateView:
    node = spec.nodes.get(gate.step) if gate.step else None
    form = node.form if isinstance(node, ApprovalNode) else None
    return GateView(
        kind=gate.kind,
        opened_at=gate.at,
        node=gate.step,
        visit_key=gate.visit_key,
        question=node.question if isinstance(node, PauseNode | ApprovalNode) else None,
        targets=gate.targets,
        form=tuple(field.name for field in form or ()),
        deadline=evaluate(gate.deadline, now) if gate.deadline else None,
        times_out_at=None if gate.visit_key is None else _times_out_at(state, gate.visit_key),
    )


def _awaited(state: RunState, entry: MessageAwaited, now: datetime) -> AwaitedView:
    return AwaitedView(
        node=entry.step,
        visit_key=entry.visit_key,
        since=entry.at,
        correlation=entry.correlation,
        deadline=evaluate(entry.deadline, now) if entry.deadline else None,
        times_out_at=_times_out_at(state, entry.visit_key),
    )


def _times_out_at(state: RunState, visit: VisitKey) -> datetime | None:
    timer = state.timers.get(timeout_key(visit))
    return timer.intent.visible_at if timer else None


def in_turn(state: RunState) -> Attempt | None:
    """The one callback that is due, at work, or to be tried again; null: none is so far."""
    return next((one for one in state.live.values() if one.intent.kind == "compensation"), None)


def _undone(state: RunState, spec: Spec) -> tuple[UndoView, ...]:
    found: dict[VisitKey, UndoStatus] = dict(state.saga.undone)
    turn = in_turn(state)
    begun = {turn.intent.visit_key: _UNDER_WAY.get(turn.status)} if turn else {}
    if state.terminal is None:
        for undo in candidates(state, spec):
            found[undo.visit] = begun.get(undo_key(undo.visit)) or "pending"
    found |= dict.fromkeys(state.saga.uncertain, "effect_unknown")
    return tuple(
        UndoView(node=visit_node(visit), visit_key=visit, status=status)
        for visit, status in found.items()
    )
