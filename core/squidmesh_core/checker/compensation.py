"""
Rules S: undoing what was done, backwards, each visit at most once.

    forward ── a failure for good, or a cancel ─▶ siblings settle ─▶ undoing ─▶ the end

Nothing is stored about what is to be undone, so the rules derive it from what
was applied, as the runtime has to.
"""

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.planner import callback, forward_held, to_undo
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import VisitKey, is_timeout, undone_visit
from squidmesh_core.protocol.entries import (
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    InputUndo,
    ManualStepPaused,
    MessageAwaited,
    MessageReceived,
    RunTerminal,
    StepApplied,
)


class Compensation(Family):
    """S1 to S5."""

    def judge(self, entry: Entry) -> None:
        """Whether undoing starts, goes on and ends as it should."""
        match entry:
            case CompensationStarted():
                self._started(entry)
            case RunTerminal():
                self._ended(entry)
            case AttemptScheduled(kind="compensation", deferred=None):
                self._undo(entry)
            case _:
                if self.model.compensation is not None:
                    self._judge_forward(entry)

    # --- the start, and what it forbids

    def _started(self, entry: CompensationStarted) -> None:
        model, spec = self.model, self.spec
        if model.compensation is not None:
            self.note("S1", entry.revision, f"undoing began at {model.compensation.revision}")
        asked = self.receipt("cancel") or self.receipt("retry_compensation")
        if entry.cause == "cancel" and not asked:
            self.note("S1", entry.revision, "nobody cancelled it")
        if (entry.cause == "failure") is not (entry.failure is not None):
            self.note("S1", entry.revision, f"the failure of a {entry.cause} is {entry.failure}")
        if spec is not None and not self._worth_it(spec):
            self.note("S1", entry.revision, "there is nothing to undo, now or soon")

    def _worth_it(self, spec: Spec) -> bool:
        """Whether something is done, or still held, that has a callback."""
        held = (self.model.visits.get(visit) for visit in forward_held(self.model))
        return bool(to_undo(spec, self.model)) or any(
            callback(spec, step) for step in held if step is not None
        )

    def _judge_forward(self, entry: Entry) -> None:
        match entry:
            case AttemptScheduled() if entry.kind != "compensation":
                self.note("S1", entry.revision, f"{entry.attempt_key} goes forward")
            case AttemptFailed() if entry.retry is not None:
                attempt = self.model.tries.get(entry.attempt_key)
                if attempt is not None and not attempt.undoes:
                    self.note("S1", entry.revision, f"{entry.attempt_key} is retried")
            case StepApplied() if entry.transition is not None:
                self.note("S1", entry.revision, f"{entry.visit_key} leads on")
            case StepApplied():
                self._judge_undone(entry)
            case ManualStepPaused() | MessageAwaited() | MessageReceived():
                self.note("S1", entry.revision, f"{entry.step or 'a hold'} is waited for")
            case _:
                pass

    # --- one visit after the other

    def _undo(self, entry: AttemptScheduled) -> None:
        model, spec = self.model, self.spec
        forward = undone_visit(entry.visit_key)
        if not isinstance(entry.input, InputUndo) or entry.input.visit_key != forward:
            self.note("S4", entry.revision, f"{entry.visit_key} is given {entry.input}")
        if model.compensation is None:
            self.note("S1", entry.revision, "undoing has not started")
            return
        if forward is None or forward not in model.applied or forward in model.undone:
            self.note("S2", entry.revision, f"{forward} is not there to be undone")
            return
        if held := [*forward_held(model), *self._undoing()]:
            self.note("S3", entry.revision, f"{held[0]} has not settled")
        if spec is None:
            return
        order = to_undo(spec, model)
        if forward not in order:
            self.note("S2", entry.revision, f"{forward} had no effect, or has no callback")
        elif order[0] != forward:
            self.note("S3", entry.revision, f"{order[0]} comes before {forward}")

    def _undoing(self) -> list[VisitKey]:
        return [a.intent.visit_key for a in self.model.live.values() if a.undoes]

    def _judge_undone(self, entry: StepApplied) -> None:
        forward = undone_visit(entry.visit_key)
        if forward is not None and forward not in self.model.applied:
            self.note("S2", entry.revision, f"{forward} is undone and was never done")

    # --- the end

    def _ended(self, entry: RunTerminal) -> None:
        model, spec = self.model, self.spec
        given_up = self.receipt("cancel") is not None
        if model.compensation is None:
            if entry.recovery:
                self.note("S5", entry.revision, "nothing was undone, so nothing is left over")
            if spec is not None and entry.status == "failed" and self._worth_it(spec):
                self.note("S1", entry.revision, "what was done is not undone")
            return
        started = model.compensation
        status = "cancelled" if given_up or started.cause == "cancel" else "failed"
        if entry.status != status or (status == "failed" and entry.error != started.failure):
            self.note("S5", entry.revision, f"it ends {entry.status} with {entry.error}")
        left: list[str] = [key for key in model.live if not is_timeout(key)]
        left += to_undo(spec, model) if spec is not None else []
        if left and not given_up:
            self.note("S5", entry.revision, f"{left[0]} is not at its end")
        self._judge_recovery(entry, spec, given_up=given_up)

    def _judge_recovery(self, entry: RunTerminal, spec: Spec | None, *, given_up: bool) -> None:
        """Everything that was not undone is listed; what was is not."""
        model = self.model
        expected = dict.fromkeys([*model.uncertain, *forward_held(model)], "effect_unknown")
        failed = (visit for visit, end in model.undone.items() if end is not None)
        expected.update(dict.fromkeys(failed, "compensation_failed"))
        if given_up and spec is not None:
            expected.update(dict.fromkeys(to_undo(spec, model), "abandoned"))
        listed = {one.visit_key: one.reason for one in entry.recovery}
        if listed != expected and (spec is not None or not given_up):
            self.note("S5", entry.revision, f"listed are {listed}, left are {expected}")
