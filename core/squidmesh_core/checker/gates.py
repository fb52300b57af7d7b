"""
Rules M: where people and messages from outside are waited for.

    gate    opened ─▶ answered ─▶ applied        a receipt, an answer, its consequence: one append
    await   opened ─▶ applied                    by the oldest message, or by the next that comes
    either  opened ─▶ timer over ─▶ applied      as a failure, by its own route

M7 is about messages, which the list that these ids come from does not know.
"""

from typing import Final

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.planner import found_by, visits_allowed, way
from squidmesh_core.definition.spec import Node, Outcome, ReceiveNode, Spec
from squidmesh_core.ids import NodeName, Revision, VisitKey, is_timeout, timeout_key
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    StepApplied,
)

#: What may answer a gate of each kind, and the command that brings it.
ANSWERS: Final = {
    "hold": {"resumed": "resume"},
    "pause": {"resumed": "resume"},
    "approval": {"approved": "approve", "rejected": "reject"},
}
_OUTCOMES: Final[tuple[Outcome, ...]] = ("ok", "error", "timeout")


class Gates(Family):
    """M1 to M7, and P4 for what is opened."""

    def judge(self, entry: Entry) -> None:
        """Whether a gate or await opens, is answered or ends as it may."""
        match entry:
            case ManualStepPaused():
                self._paused(entry)
            case ManualStepResolved():
                self._resolved(entry)
            case MessageAwaited():
                if entry.visit_key in self.model.visits:
                    self.note("M1", entry.revision, f"{entry.visit_key} was entered before")
                self._judge_await(entry)
            case MessageReceived():
                self._received(entry)
            case AttemptClaimed():
                self._struck(entry)
            case StepApplied():
                self._applied(entry)
            case _:
                pass

    def close(self) -> None:
        """Whether each answer has its consequence, and each message its visit."""
        model = self.model
        applied = {e.source for e in model.append if isinstance(e, StepApplied)}
        answers = [e for e in model.append if isinstance(e, ManualStepResolved)]
        for entry in answers:
            if entry.visit_key is not None and entry.revision not in applied:
                self.note("M4", entry.revision, f"{entry.visit_key}: nothing follows the answer")
        if model.over:
            return
        waiting = {entry.step for entry in model.awaiting.values()}
        for step in waiting.intersection(model.kept.values()):
            self.note("M7", model.revision, f"{step} waits while a message for it is kept")

    # --- gates and holds

    def _paused(self, entry: ManualStepPaused) -> None:
        if entry.kind == "hold":
            if self.model.hold is not None:
                self.note("M1", entry.revision, f"held since {self.model.hold.revision}")
            if not self.receipt("pause"):
                self.note("M4", entry.revision, "nobody paused the run")
            return
        if entry.visit_key is None or entry.step is None:
            self.note("M2", entry.revision, f"a gate of kind {entry.kind} has a visit")
        elif entry.visit_key in self.model.visits:
            self.note("M1", entry.revision, f"{entry.visit_key} was entered before")
        node, spec = self.node(entry.step), self.spec
        if node is not None and spec is not None and entry.step is not None:
            self._frozen(entry, entry.step, spec)
            output = getattr(node, "output", None)
            if entry.output != output or not self._clock_started(node, entry):
                self.note("P4", entry.revision, f"{entry.step} has another output or deadline")

    def _frozen(self, entry: ManualStepPaused, step: NodeName, spec: Spec) -> None:
        """The targets are those of the definition; an ok that leads nowhere may be left out."""
        expected = {}
        for on in _OUTCOMES:
            route = way(spec, step, on, self.model.context)
            if route is not None and (on in entry.targets or (step, on) in spec.routes):
                expected[on] = route.target
        if dict(entry.targets) != expected:
            self.note("P4", entry.revision, f"{step} leads to {entry.targets}, not {expected}")

    def _resolved(self, entry: ManualStepResolved) -> None:
        visit = entry.visit_key
        gate = self.model.hold if visit is None else self.model.gates.get(visit)
        if visit in self.model.answers:
            self.note("M3", entry.revision, f"{visit} was answered before")
        elif gate is None or gate.step != entry.step:
            self.note("M2", entry.revision, f"no such gate is open: {visit or 'hold'}")
        elif entry.action not in ANSWERS[gate.kind]:
            self.note("M2", entry.revision, f"a {gate.kind} is not {entry.action}")
        else:
            self._asked_for(entry, ANSWERS[gate.kind][entry.action])

    def _asked_for(self, entry: ManualStepResolved, command: str) -> None:
        receipt = self.receipt(command)
        if receipt is None:
            self.note("M4", entry.revision, f"there is no receipt of a {command}")
        elif entry.action != "resumed" and (entry.actor is None or receipt.actor != entry.actor):
            self.note("M5", entry.revision, f"{entry.actor!r} answers for {receipt.actor!r}")

    # --- messages

    def _judge_await(self, entry: MessageAwaited) -> None:
        node = self.node(entry.step)
        if not isinstance(node, ReceiveNode):
            return
        text = found_by(node, self.model.context)
        if entry.correlation != text or not self._clock_started(node, entry):
            self.note("P4", entry.revision, f"{entry.step} has another correlation or deadline")

    def _received(self, entry: MessageReceived) -> None:
        if not self.receipt("send"):
            self.note("M4", entry.revision, "there is no receipt of a send")
        node, spec = self.node(entry.step), self.spec
        if node is None or spec is None:
            return
        most = visits_allowed(spec, node)
        if not isinstance(node, ReceiveNode):
            self.note("M7", entry.revision, f"{entry.step} takes no messages")
        elif most is not None and self.model.messages.get(entry.step, 0) >= most:
            self.note("M7", entry.revision, f"{entry.step} is visited {most} times only")

    def _clock_started(self, node: Node, entry: ManualStepPaused | MessageAwaited) -> bool:
        """Whether the deadline is that of the node, counted from the opening."""
        policy, deadline = getattr(node, "deadline", None), entry.deadline
        if deadline is None:
            return policy is None
        # A start may say that nothing of it begins before some instant.
        later = self.model.appends == 1 and deadline.started_at > entry.at
        return deadline.policy == policy and (later or deadline.started_at == entry.at)

    # --- how they end

    def _struck(self, entry: AttemptClaimed) -> None:
        """A time-out is claimed while what it guards is open."""
        attempt = self.model.tries.get(entry.attempt_key)
        if attempt is not None and attempt.withdrawn and is_timeout(entry.attempt_key):
            self.note("M6", entry.revision, f"{attempt.intent.visit_key} is over already")

    def _applied(self, entry: StepApplied) -> None:
        model, visit = self.model, entry.visit_key
        gate, awaited = model.gates.get(visit), visit in model.awaiting
        if entry.source in model.kept:
            self._taken(entry, entry.source)
        elif awaited or gate is not None:
            answered = entry.source in model.brought
            if not answered and not self._over_time(entry):
                self.note("M6", entry.revision, f"nothing ends {visit}: no answer, no time-out")
        if gate is not None and entry.transition is not None:
            on, target = entry.transition.on, entry.transition.target
            if gate.targets.get(on, "complete" if on == "ok" else None) != target:
                self.note("M4", entry.revision, f"{visit} leads to {target}, not as it was opened")

    def _over_time(self, entry: StepApplied) -> bool:
        timer = timeout_key(entry.visit_key)
        struck = any(
            isinstance(e, AttemptCompleted) and e.attempt_key == timer for e in self.model.append
        )
        return struck and entry.error is not None and entry.error.kind == "timed_out"

    def _taken(self, entry: StepApplied, source: Revision | None) -> None:
        model = self.model
        first = next((at for at, step in model.kept.items() if step == entry.step), None)
        oldest: VisitKey | None = next(
            (visit for visit, e in model.awaiting.items() if e.step == entry.step), None
        )
        if (first, oldest) != (source, entry.visit_key):
            self.note(
                "M7",
                entry.revision,
                f"message {source} went to {entry.visit_key}, the oldest are {first} and {oldest}",
            )
