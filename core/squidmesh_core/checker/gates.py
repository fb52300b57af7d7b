"""
Rules M: where people and messages from outside are waited for.

    gate    opened ─▶ answered ─▶ applied        a receipt, an answer, its consequence: one append
    await   opened ─▶ applied                    by the oldest message, or by the next that comes
    either  opened ─▶ timer over ─▶ applied      as a failure, by its own route

M7 is about messages, which the list that these ids come from does not know.
"""

from typing import Final

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.planner import visits_allowed, way
from squidmesh_core.definition.spec import Outcome, ReceiveNode, Spec
from squidmesh_core.ids import NodeName, Revision, VisitKey, is_timeout, timeout_key
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    Deadline,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    StepApplied,
)
from squidmesh_core.values import bind

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
        for entry in model.append:
            if isinstance(entry, ManualStepResolved) and entry.visit_key is not None:
                if entry.revision not in applied:
                    self.note(
                        "M4", entry.revision, f"{entry.visit_key}: nothing follows the answer"
                    )
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
            deadline = _deadline(node, entry)
            if (entry.output, entry.deadline) != (getattr(node, "output", None), deadline):
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
        gate = self.model.hold if entry.visit_key is None else self.model.gates.get(entry.visit_key)
        if entry.visit_key in self.model.answers:
            self.note("M3", entry.revision, f"{entry.visit_key} was answered before")
        elif gate is None or gate.step != entry.step:
            self.note("M2", entry.revision, f"no such gate is open: {entry.visit_key or 'hold'}")
            return
        allowed = ANSWERS[gate.kind if gate is not None else "approval"]
        if gate is not None and entry.action not in allowed:
            self.note("M2", entry.revision, f"a {gate.kind} is not {entry.action}")
            return
        command = allowed.get(entry.action, "resume")
        receipts = [
            e for e in self.model.receipts if e in self.model.append and e.command == command
        ]
        if not receipts:
            self.note("M4", entry.revision, f"there is no receipt of a {command}")
        if entry.action != "resumed":
            said = receipts[-1].actor if receipts else entry.actor
            if entry.actor is None or said != entry.actor:
                self.note("M5", entry.revision, f"{entry.actor!r} answered, {said!r} asked to")

    # --- messages

    def _judge_await(self, entry: MessageAwaited) -> None:
        node = self.node(entry.step)
        if not isinstance(node, ReceiveNode):
            return
        text = None
        if node.correlation is not None:
            bound = bind({"of": node.correlation}, self.model.context)
            value = bound.get("of") if isinstance(bound, dict) else None
            plain = isinstance(value, str | int) and not isinstance(value, bool)
            text = str(value) or None if plain else None
        if (entry.correlation, entry.deadline) != (text, _deadline(node, entry)):
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
            answer = model.answers.get(visit)
            answered = answer is not None and answer.revision == entry.source
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


def _deadline(node: object, entry: ManualStepPaused | MessageAwaited) -> Deadline | None:
    policy = getattr(node, "deadline", None)
    return None if policy is None else Deadline(policy=policy, started_at=entry.at)
