"""
Bugs to plant in what waits: gates, holds, messages, time-outs, commands and their keys.

As in `bugs`: mistakes that somebody could make, most of them in the deciders
and the fold alike.
"""

from importlib import import_module

import pytest
from attrs import evolve

from squidmesh_core.decide import Already, Refusal, advance, apply, receipts
from squidmesh_core.decide import enter as enter_module
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import (
    ApprovalNode,
    Node,
    PauseNode,
    ReceiveNode,
    Spec,
)
from squidmesh_core.ids import AttemptKey, NodeName, Revision, VisitKey
from squidmesh_core.plan import progress
from squidmesh_core.protocol.commands import Offer, Operating, Receipted
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    Failure,
    ManualStepPaused,
    ManualStepResolved,
    MessageReceived,
    RunSignalReceived,
    StepApplied,
)
from squidmesh_core.state import fold
from squidmesh_core.state import fold as fold_module
from squidmesh_core.state.attempt import AttemptEntry, Reason
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.gates import Gates
from squidmesh_core.state.mail import Mail
from squidmesh_core.state.run import RunState

#: The package's attributes of these names are functions.
gates_module = import_module("squidmesh_core.decide.gates")
claim_module = import_module("squidmesh_core.decide.claim")
messages_module = import_module("squidmesh_core.decide.messages")
cancel_module = import_module("squidmesh_core.decide.cancel")
index_module = import_module("squidmesh_core.views.index")


# --- gates and holds


def gate_answered_twice(patch: pytest.MonkeyPatch) -> None:
    """An answered gate stays open, and a second answer is taken in over the first."""
    honest = fold._applied

    def forgetful(draft: Draft, entry: StepApplied) -> Reason | None:
        if entry.visit_key in draft.gates.open:
            draft.applied = {k: v for k, v in draft.applied.items() if k != entry.visit_key}
        return honest(draft, entry)

    patch.setattr(Gates, "closed", lambda self, visit: self)
    patch.setattr(fold, "_applied", forgetful)


def rejection_without_a_route_wedges(patch: pytest.MonkeyPatch) -> None:
    """A no that leads nowhere is taken in, and nothing follows."""
    honest = apply.fail_run

    def fail_run(desk: Desk, step: NodeName | None, failure: Failure) -> None:
        if failure.kind != "rejected":
            honest(desk, step, failure)

    patch.setattr(apply, "fail_run", fail_run)


def rejection_taken_for_a_yes(patch: pytest.MonkeyPatch) -> None:
    """Whatever the answer, the ok target is taken."""
    honest = apply.apply_answer

    def apply_answer(desk: Desk, gate: ManualStepPaused, *, rejected: bool) -> None:
        honest(desk, gate, rejected=False)

    patch.setattr(gates_module, "apply_answer", apply_answer)


def targets_read_again(patch: pytest.MonkeyPatch) -> None:
    """An answer leads where today's definition says, not where the gate did."""
    honest = apply.apply_answer

    def apply_answer(desk: Desk, gate: ManualStepPaused, *, rejected: bool) -> None:
        node = desk.spec.nodes[gate.step or NodeName("")]
        targets = enter_module._targets(desk, node)
        honest(desk, evolve(gate, targets=targets), rejected=rejected)

    patch.setattr(gates_module, "apply_answer", apply_answer)


def answer_not_in_the_context(patch: pytest.MonkeyPatch) -> None:
    """A decision is recorded, and no step ever sees it."""
    honest = fold._resolved

    def resolved(draft: Draft, entry: ManualStepResolved) -> Reason | None:
        reason = honest(draft, entry)
        if entry.revision in draft.unapplied:
            draft.unapplied[entry.revision] = None
        return reason

    patch.setattr(fold, "_resolved", resolved)


def no_receipt(patch: pytest.MonkeyPatch) -> None:
    """Answers are taken, but who gave the command is not written."""
    patch.setattr(gates_module, "write_receipt", lambda *_: None)


def successor_claimed_under_a_hold(patch: pytest.MonkeyPatch) -> None:
    """A settlement does not look at the hold when it claims what comes next."""
    honest = advance._takeable

    def takeable(desk: Desk, offer: Offer) -> list[object]:
        held, desk.draft.gates = desk.draft.gates, evolve(desk.draft.gates, hold=None)
        found: list[object] = [*honest(desk, offer)]
        desk.draft.gates = held
        return found

    hold_not_folded(patch)
    patch.setattr(advance, "_takeable", takeable)


def claimed_under_a_hold(patch: pytest.MonkeyPatch) -> None:
    """A worker that comes by does not look at the hold."""
    honest = claim_module._why_not

    def why_not(state: RunState, *rest: object) -> Refusal | None:
        answer = honest(evolve(state, gates=evolve(state.gates, hold=None)), *rest)
        assert answer is None or isinstance(answer, Refusal)
        return answer

    hold_not_folded(patch)
    patch.setattr(claim_module, "_why_not", why_not)


def hold_not_folded(patch: pytest.MonkeyPatch) -> None:
    """The fold lets a held run be claimed."""
    honest = fold._moved

    def moved(draft: Draft, entry: AttemptEntry) -> Reason | None:
        if not isinstance(entry, AttemptClaimed):
            return honest(draft, entry)
        held, draft.gates = draft.gates, evolve(draft.gates, hold=None)
        reason = honest(draft, entry)
        draft.gates = held
        return reason

    patch.setattr(fold, "_moved", moved)


def hold_keeps_a_run_from_its_end(patch: pytest.MonkeyPatch) -> None:
    """A run that is held does not complete when its last work does."""
    honest = progress.plan

    def plan(state: RunState | Draft, spec: Spec) -> progress.Plan:
        asked = honest(state, spec)
        return evolve(asked, complete=False) if state.gates.hold else asked

    patch.setattr(advance, "plan", plan)


def held_run_left_in_the_index(patch: pytest.MonkeyPatch) -> None:
    """The rows of a held run stay where workers look."""
    patch.setattr(index_module, "_takeable", lambda s: {} if s.terminal else {**s.live, **s.timers})


# --- messages


def message_given_to_the_newest_visit(patch: pytest.MonkeyPatch) -> None:
    """Who waited longest goes on waiting."""

    def newest(self: Mail, step: NodeName) -> VisitKey | None:
        waiting = [key for key, entry in self.awaited.items() if entry.step == step]
        return waiting[-1] if waiting else None

    patch.setattr(Mail, "oldest_visit", newest)


def newest_message_taken_first(patch: pytest.MonkeyPatch) -> None:
    """What was kept is taken from the wrong end."""

    def newest(self: Mail, step: NodeName) -> Revision | None:
        kept = [revision for revision, node in self.kept.items() if node == step]
        return kept[-1] if kept else None

    patch.setattr(Mail, "oldest_message", newest)


def early_message_lost(patch: pytest.MonkeyPatch) -> None:
    """A message is kept only if somebody waits for it."""
    honest = Mail.received

    def received(self: Mail, entry: MessageReceived) -> Mail:
        waits = any(awaited.step == entry.step for awaited in self.awaited.values())
        return honest(self, entry) if waits else self

    patch.setattr(Mail, "received", received)


def message_kept_though_taken(patch: pytest.MonkeyPatch) -> None:
    """A message that was taken can be taken again by the next visit."""
    honest = fold._applied

    def applied(draft: Draft, entry: StepApplied) -> Reason | None:
        output = draft.unapplied.get(entry.source or Revision(0))
        reason = honest(draft, entry)
        if entry.source is not None and reason is None:
            draft.unapplied[entry.source] = output
        return reason

    def taken(self: Mail, visit: VisitKey, source: Revision | None) -> Mail:
        return evolve(self, awaited={k: e for k, e in self.awaited.items() if k != visit})

    patch.setattr(fold, "_applied", applied)
    patch.setattr(Mail, "taken", taken)


def messages_without_bound(patch: pytest.MonkeyPatch) -> None:
    """More messages are taken in than the node can ever have visits."""
    patch.setattr(messages_module, "room_for", lambda *_: True)


# --- time-outs


def timer_not_withdrawn(patch: pytest.MonkeyPatch) -> None:
    """The timer outlives the visit that it guards."""
    patch.setattr(fold_module, "timeout_key", lambda visit: AttemptKey(f"{visit}:none"))


def timer_counts_as_live(patch: pytest.MonkeyPatch) -> None:
    """A run that waits for its time-out looks busy."""
    honest = RunState.status.fget  # type: ignore[attr-defined]  # a property, as mypy sees it

    def status(self: RunState) -> object:
        return honest(evolve(self, live={**self.live, **self.timers}))

    patch.setattr(RunState, "status", property(status))


def timer_keeps_a_run_from_its_end(patch: pytest.MonkeyPatch) -> None:
    """The run's own time-out is waited for."""
    honest = progress.plan

    def plan(state: RunState | Draft, spec: Spec) -> progress.Plan:
        asked = honest(state, spec)
        return evolve(asked, complete=False) if state.timers else asked

    patch.setattr(advance, "plan", plan)


def time_out_goes_the_way_of_an_answer(patch: pytest.MonkeyPatch) -> None:
    """A time-out is taken for a yes."""

    def apply_timeout(desk: Desk, visit: VisitKey, node: Node, failure: Failure) -> None:
        apply.apply_success(desk, visit, node, source=None)

    patch.setattr(advance, "apply_timeout", apply_timeout)


def time_out_counts_a_visit(patch: pytest.MonkeyPatch) -> None:
    """A visit that timed out is counted as if it had failed on the way in, once more."""
    honest = fold._settle_visit

    def settle(draft: Draft, entry: StepApplied) -> None:
        if entry.error is not None and entry.error.kind == "timed_out":
            draft.enter(entry.step)
        honest(draft, entry)

    patch.setattr(fold, "_settle_visit", settle)


def deadline_acts(patch: pytest.MonkeyPatch) -> None:
    """A gate that has only a deadline ends by itself."""
    honest = enter_module._limit

    def limit(
        desk: Desk, node: PauseNode | ApprovalNode | ReceiveNode, visit: VisitKey, begins: object
    ) -> None:
        if node.deadline is not None and node.timeout_ms is None:
            node = evolve(node, timeout_ms=node.deadline.within_ms)
        honest(desk, node, visit, begins)  # type: ignore[arg-type]  # handed on as it came

    patch.setattr(enter_module, "_limit", limit)


def time_out_starts_when_it_is_over(patch: pytest.MonkeyPatch) -> None:
    """A time-out strikes at once."""
    honest = enter_module.start_clock

    def start_clock(desk: Desk, visit: VisitKey, step: NodeName, ends: object) -> None:
        honest(desk, visit, step, desk.now)

    patch.setattr(enter_module, "start_clock", start_clock)


# --- commands and their keys


def key_bound_to_the_run(patch: pytest.MonkeyPatch) -> None:
    """A key that one command used is taken for every other."""

    def receipt(self: RunState, command: str, key: str) -> RunSignalReceived | None:
        return next((r for r in self.receipts if r.idempotency_key == key), None)

    patch.setattr(RunState, "receipt", receipt)


def key_forgotten_at_the_end(patch: pytest.MonkeyPatch) -> None:
    """Once the run is over a repetition is refused instead of answered."""
    honest = RunState.receipt

    def receipt(self: RunState, command: str, key: str) -> RunSignalReceived | None:
        return None if self.terminal else honest(self, command, key)

    patch.setattr(RunState, "receipt", receipt)


def other_payload_under_the_key_passes(patch: pytest.MonkeyPatch) -> None:
    """Only the key is compared."""
    honest = receipts.early_answer

    def early_answer(state: RunState, spec: Spec, command: Operating) -> Already | Refusal | None:
        before = state.receipt(receipts.verb_of(command), command.said.key or "")
        return honest(state, spec, evolve(command, digest=before.digest) if before else command)

    for module in (gates_module, messages_module, cancel_module):
        patch.setattr(module, "early_answer", early_answer)


def repetition_done_again(patch: pytest.MonkeyPatch) -> None:
    """A repeated message is one more message."""
    honest = receipts.early_answer

    def early_answer(state: RunState, spec: Spec, command: Operating) -> Already | Refusal | None:
        return honest(state, spec, evolve(command, said=evolve(command.said, key=None)))

    patch.setattr(messages_module, "early_answer", early_answer)


def key_not_written(patch: pytest.MonkeyPatch) -> None:
    """The receipt does not hold the key."""
    honest = receipts.write_receipt

    def write_receipt(desk: Desk, verb: object, said: Receipted, *rest: object) -> None:
        honest(desk, verb, evolve(said, key=None), *rest)  # type: ignore[arg-type]  # handed on

    for module in (gates_module, messages_module, cancel_module):
        patch.setattr(module, "write_receipt", write_receipt)


def over_means_over_first(patch: pytest.MonkeyPatch) -> None:
    """Whether the run is over is asked before whether the command was given before."""
    honest = receipts.early_answer

    def early_answer(state: RunState, spec: Spec, command: Operating) -> Already | Refusal | None:
        keyless = evolve(command, said=evolve(command.said, key=None))
        return honest(state, spec, keyless) or honest(state, spec, command)

    for module in (gates_module, messages_module, cancel_module):
        patch.setattr(module, "early_answer", early_answer)
