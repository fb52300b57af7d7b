"""
Gates: a person says go on, yes or no; an operator holds a whole run.

Where an answer leads and what key it lies under were frozen when the gate
opened, so a deploy cannot change what an answer means.  The decision, who,
when and why enter the context, and the route taken is persisted.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal

from squidmesh_core.decide.advance import advance
from squidmesh_core.decide.answer import Answer, Refusal
from squidmesh_core.decide.apply import apply_answer
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.receipts import (
    digest_of,
    early_answer,
    misfit,
    refused,
    undoing,
    verb_of,
    write_receipt,
)
from squidmesh_core.definition.payload import resolve_payload
from squidmesh_core.definition.spec import ApprovalNode, PauseNode, Spec
from squidmesh_core.errors import PayloadError, enumerated
from squidmesh_core.ids import NodeName, VisitKey, visit_node
from squidmesh_core.protocol.commands import Pause, Resume, Review
from squidmesh_core.protocol.entries import (
    GateAction,
    ManualStepPaused,
    ManualStepResolved,
)
from squidmesh_core.protocol.wire import instant_to_text
from squidmesh_core.state.run import RunState

#: What a node that is no gate of the wanted kind is called in a refusal.
_KINDS: Final[Mapping[type, str]] = {PauseNode: "pause", ApprovalNode: "approval"}


def pause(state: RunState, spec: Spec, command: Pause, now: datetime) -> Answer:
    """Hold the run: claimed attempts settle, gates and messages are taken, no claim is made."""
    answer = early_answer(state, spec, command) or undoing(state)
    if answer is not None:
        return answer
    hold = state.gates.hold
    if hold is not None:
        return refused(
            state,
            "invalid_transition",
            f"it is held already, since {instant_to_text(hold.at)}",
            at=instant_to_text(hold.at),
        )
    desk = Desk(state, spec, now, None)
    write_receipt(desk, "pause", command.said, command.digest, {})
    desk.write(ManualStepPaused(at=now, revision=desk.next_revision, kind="hold"))
    return desk.decision()


def resume(state: RunState, spec: Spec, command: Resume, now: datetime) -> Answer:
    """Lift the hold first; without one, answer a pause node."""
    answer = early_answer(state, spec, command) or undoing(state)
    if answer is not None:
        return answer
    desk = Desk(state, spec, now, None)
    if command.node is None and state.gates.hold is not None:
        write_receipt(desk, "resume", command.said, command.digest, {})
        desk.write(
            ManualStepResolved(
                at=now,
                revision=desk.next_revision,
                action="resumed",
                actor=command.said.actor,
                comment=command.said.comment,
            )
        )
    else:
        gate = _gate(state, spec, command.node, "pause")
        if isinstance(gate, Refusal):
            return gate
        _answer(desk, gate, command, "resumed", form=None)
    advance(desk)
    return desk.decision()


def review(state: RunState, spec: Spec, command: Review, now: datetime) -> Answer:
    """Answer an approval, with its form."""
    answer = early_answer(state, spec, command) or undoing(state)
    if answer is not None:
        return answer
    gate = _gate(state, spec, command.node, "approval")
    if isinstance(gate, Refusal):
        return gate
    form = _form(state, spec, gate, command, now)
    if isinstance(form, Refusal):
        return form
    desk = Desk(state, spec, now, None)
    _answer(desk, gate, command, command.decision, form=form)
    advance(desk)
    return desk.decision()


# --- which gate is meant


def _gate(
    state: RunState, spec: Spec, named: str | None, kind: Literal["pause", "approval"]
) -> ManualStepPaused | Refusal:
    gates = list(state.gates.open.values())
    meant = [gate for gate in gates if named is None or named in {gate.step, gate.visit_key}]
    fitting = [gate for gate in meant if gate.kind == kind]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = told_apart(fitting)
        why = f"several gates are open ({enumerated(names)}); name one"
        return refused(state, "ambiguous_gate", why, nodes=names)
    if meant:
        return _other_kind(state, str(meant[0].step), meant[0].kind, kind)
    node = None if named is None else spec.nodes.get(_name_in(named))
    if named is not None and not isinstance(node, PauseNode | ApprovalNode):
        what = (
            "is no gate"
            if node is not None
            else "is no node of the definition that it started with"
        )
        return refused(
            state, "unsupported_manual_step", f"{named!r} {what}", node=named, reason="no_gate"
        )
    if node is not None and _KINDS[type(node)] != kind:
        return _other_kind(state, node.name, _KINDS[type(node)], kind)
    return _closed(state, named)


def told_apart(gates: Sequence[ManualStepPaused]) -> list[str]:
    """Names that mean one of these gates each: of their nodes, or of the visits of one node."""
    nodes = [str(gate.step) for gate in gates]
    return nodes if len({*nodes}) == len(nodes) else [str(gate.visit_key) for gate in gates]


def _other_kind(state: RunState, node: str, actual: str, wanted: str) -> Refusal:
    return refused(
        state,
        "unsupported_manual_step",
        f"{node!r} is a gate of kind {actual}, not {wanted}",
        node=node,
        reason=actual,
    )


def _closed(state: RunState, named: str | None) -> Refusal:
    """No gate of this name is open: who answered it last, and when."""
    for said in reversed(state.gates.answers):
        if said.visit_key is not None and named in {None, said.step, said.visit_key}:
            return refused(
                state,
                "invalid_transition",
                f"{said.step!r} is {said.action} already, "
                f"by {_whom(said.actor)} at {instant_to_text(said.at)}",
                node=said.step,
                reason=said.action,
                actor=said.actor,
                at=instant_to_text(said.at),
            )
    what = "no gate is open" if named is None else f"the gate {named!r} is not open"
    return refused(state, "invalid_transition", what, node=named, reason="not_open")


def _whom(actor: object) -> str:
    """A name in a sentence; whatever else is known of somebody is in the details alone."""
    if isinstance(actor, Mapping):
        actor = actor.get("id") or actor.get("name")
    return repr(actor) if actor else "somebody"


# --- what an answer does


def _form(
    state: RunState, spec: Spec, gate: ManualStepPaused, command: Review, now: datetime
) -> Mapping[str, object] | Refusal | None:
    node = spec.nodes.get(gate.step) if gate.step else None
    fields = node.form if isinstance(node, ApprovalNode) else None
    filled: object = {} if command.form is None else command.form
    if fields is None:
        if isinstance(filled, Mapping) and filled.keys() <= command.assumed:
            return None
        why = f"{gate.step!r} has no form to fill in; it keeps the definition it started with"
        return refused(state, "invalid_form", why, node=gate.step)
    if command.form is None and command.decision == "rejected":
        return None
    try:
        return resolve_payload(fields, filled, now=now, what="form", assumed=command.assumed)
    except PayloadError as error:
        return misfit(state, gate.step, error)


def _answer(
    desk: Desk,
    gate: ManualStepPaused,
    command: Resume | Review,
    action: GateAction,
    *,
    form: Mapping[str, object] | None,
) -> None:
    said = command.said
    digest = digest_of(desk.spec, desk.run_id, command, gate.step)
    write_receipt(desk, verb_of(command), said, digest, {"node": gate.step})
    desk.write(
        ManualStepResolved(
            at=desk.now,
            revision=desk.next_revision,
            action=action,
            visit_key=gate.visit_key,
            step=gate.step,
            actor=said.actor,
            comment=said.comment,
            result={
                "decision": action,
                "actor": said.actor,
                "decided_at": instant_to_text(desk.now),
                "comment": said.comment,
                "form": form,
            },
        )
    )
    apply_answer(desk, gate, rejected=action == "rejected")


def _name_in(named: str) -> NodeName:
    """The node that a command names, by its name or by a visit of it."""
    return visit_node(VisitKey(named)) if ":" in named else NodeName(named)
