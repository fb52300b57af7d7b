"""
Rules A and P1 to P3: results enter the run once, and lead where the definition says.

The outcome of a visit is read off its application: a source is a result (an
answer's is a rejection or not), no source is a failure or a time-out.
"""

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.planner import (
    barred,
    values_read,
    visits_allowed,
    wanted,
    way,
)
from squidmesh_core.definition.spec import (
    ApprovalNode,
    ChildrenNode,
    LogNode,
    Outcome,
    PauseNode,
    ReceiveNode,
    Spec,
    StepNode,
    Transition,
    WaitNode,
)
from squidmesh_core.ids import NodeName, VisitKey, is_timeout, undone_visit
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    Decided,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    StepApplied,
)
from squidmesh_core.values import condition_to_json
from squidmesh_core.values.condition import same

_FORWARD = (
    StepApplied,
    AttemptScheduled,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
)

#: What a visit may fail with before it is one.
_BARRED = frozenset({"missing_input_path", "invalid_input"})


class Progress(Family):
    """A1 to A5, P1 to P3."""

    def judge(self, entry: Entry) -> None:
        """Whether a node is entered, or a result taken in, as the definition says."""
        if self.model.terminal is not None and isinstance(entry, _FORWARD):
            self.note("A3", entry.revision, f"the run is {self.model.terminal.status}")
        begins = isinstance(entry, RunSignalReceived | RunStarted | RunPruned)
        if self.model.started is None and self.model.pruned is None and not begins:
            self.note("P1", entry.revision, "the run has not started")
        match entry:
            case RunStarted():
                if self.model.started is not None or self.model.appends > 1:
                    self.note("P1", entry.revision, "a run starts once, in its first append")
            case AttemptScheduled():
                if entry.kind != "compensation" and not is_timeout(entry.attempt_key):
                    kinds = (StepNode,) if entry.kind == "step" else (WaitNode, LogNode)
                    self._entered(entry, entry.visit_key, entry.step, kinds)
            case ManualStepPaused():
                if entry.visit_key is not None and entry.step is not None:
                    kind = PauseNode if entry.kind == "pause" else ApprovalNode
                    self._entered(entry, entry.visit_key, entry.step, (kind,))
            case MessageAwaited():
                self._entered(entry, entry.visit_key, entry.step, (ReceiveNode,))
            case StepApplied():
                self._judge_result(entry)
                self._judge_entrance(entry)
                self._judge_route(entry)
            case _:
                pass

    def close(self) -> None:
        """Whether everything that follows from an append is in it."""
        model, spec = self.model, self.spec
        if model.started is None and model.pruned is None:
            self.note("P1", model.revision, "the first append starts no run")
        for entry in model.append:
            if isinstance(entry, AttemptCompleted | AttemptFailed):
                self._judge_consequence(entry)
        if spec is not None and not model.over:
            for step in wanted(spec, model):
                self.note("P2", model.revision, f"{step} is to be entered and was not")

    # --- results

    def _judge_result(self, entry: StepApplied) -> None:
        visit, model = entry.visit_key, self.model
        if visit in model.applied or undone_visit(visit) in model.undone:
            self.note("A1", entry.revision, f"{visit} is applied already")
        if entry.source is not None:
            self._judge_source(entry)
        elif entry.reused_from is None and entry.error is None and not self._failed_here(visit):
            self.note("A2", entry.revision, f"{visit} has no result, and no failure before it")
        node = self.node(entry.step)
        if node is not None and undone_visit(visit) is None and entry.reused_from is None:
            key = None if isinstance(node, WaitNode | LogNode) else node.output
            expected = key if entry.source is not None else None
            if entry.output != expected:
                self.note("A2", entry.revision, f"the output is {entry.output!r}, not {expected!r}")

    def _judge_source(self, entry: StepApplied) -> None:
        brought = None if entry.source is None else self.model.brought.get(entry.source)
        if brought is None:
            self.note("A2", entry.revision, f"there is no result to take in at {entry.source}")
        elif brought.step != entry.step or brought.visit not in {None, entry.visit_key}:
            self.note(
                "A2",
                entry.revision,
                f"{entry.source} is a result of {brought.visit or brought.step}",
            )

    def _failed_here(self, visit: VisitKey) -> bool:
        return any(
            isinstance(entry, AttemptFailed)
            and entry.retry is None
            and entry.attempt_key in self.model.tries
            and self.model.tries[entry.attempt_key].intent.visit_key == visit
            for entry in self.model.append
        )

    def _judge_consequence(self, entry: AttemptCompleted | AttemptFailed) -> None:
        """A4: an attempt that ended is applied, goes on, or ends the run, in its append."""
        model, attempt = self.model, self.model.tries.get(entry.attempt_key)
        if attempt is None or (isinstance(entry, AttemptFailed) and entry.retry is not None):
            return
        applied = [e for e in model.append if isinstance(e, StepApplied)]
        brings = isinstance(entry, AttemptCompleted) and not entry.deferred
        if brings and not is_timeout(entry.attempt_key):
            if not any(e.source == entry.revision for e in applied):
                self.note("A4", entry.revision, f"{entry.attempt_key} is done and not applied")
            return
        visit = attempt.intent.visit_key
        led = any(e.visit_key == visit for e in applied) or any(
            e.deferred is not None and e.deferred.from_attempt == entry.attempt_key
            for e in model.append
            if isinstance(e, AttemptScheduled)
        )
        if not led and not model.over:
            self.note("A4", entry.revision, f"{entry.attempt_key} ended, and nothing follows")

    # --- entrances and routes

    def _judge_entrance(self, entry: StepApplied) -> None:
        """A visit that begins with its application failed on the way in."""
        if (
            entry.reused_from
            or entry.visit_key in self.model.visits
            or undone_visit(entry.visit_key)
        ):
            return
        if entry.error is None or entry.error.kind not in _BARRED:
            self.note("A2", entry.revision, f"{entry.visit_key} was never entered")
            return
        self._entered(entry, entry.visit_key, entry.step, (StepNode, ReceiveNode))

    def _entered(
        self, entry: Entry, visit: VisitKey, step: NodeName, kinds: tuple[type, ...]
    ) -> None:
        spec, model = self.spec, self.model
        if spec is None or visit in model.visits or model.over:
            return
        node = spec.nodes.get(step)
        if node is None or not isinstance(node, kinds):
            self.note("P2", entry.revision, f"the definition has no such node {step}")
            return
        times, most = model.entered.get(step, 0), visits_allowed(spec, node)
        if spec.by_dependencies:
            missing = [name for name in node.after if name not in model.done]
            if times or missing:
                self.note("P3", entry.revision, f"{step}: visit {times + 1}, waits for {missing}")
        elif step not in model.owed:
            self.note("P2", entry.revision, f"no route leads to {step} now")
        elif most is not None and times >= most:
            self.note("P2", entry.revision, f"{step} may be entered {most} times only")
        why = barred(node, model.context)
        said = entry.error.kind if isinstance(entry, StepApplied) and entry.error else None
        if said != why:
            self.note("P2", entry.revision, f"{step} failed with {said} on the way in, not {why}")

    def _judge_route(self, entry: StepApplied) -> None:
        spec, node = self.spec, self.node(entry.step)
        if spec is None or node is None or isinstance(node, ChildrenNode) or entry.reused_from:
            return
        expected, taken = None, entry.transition
        context = self._context_with(entry)
        if not self.model.over and undone_visit(entry.visit_key) is None:
            on = self._outcome(entry, spec)
            expected = way(spec, entry.step, on, context)
        if not _agree(taken, expected):
            self.note("P2", entry.revision, f"{entry.step} takes {taken}, not {expected}")
        if taken is not None:
            read = values_read(spec, taken.source, taken.on, context)
            if not same(taken.values, read):
                self.note("A5", entry.revision, f"{dict(taken.values)} decided, not {read}")

    def _outcome(self, entry: StepApplied, spec: Spec) -> Outcome:
        model, visit = self.model, entry.visit_key
        if entry.source is not None:
            answer = model.answers.get(visit)
            return "error" if answer is not None and answer.action == "rejected" else "ok"
        waited = visit in model.gates or visit in model.awaiting
        if waited and (entry.step, "timeout") in spec.routes:
            return "timeout"
        return "error"

    def _context_with(self, entry: StepApplied) -> dict[str, object]:
        if entry.source is None or entry.output is None:
            return self.model.context
        brought = self.model.brought.get(entry.source)
        return {**self.model.context, entry.output: brought.value if brought else None}


def _agree(taken: Decided | None, expected: Transition | None) -> bool:
    if taken is None or expected is None:
        return taken is None and expected is None
    condition = expected.condition
    return (taken.source, taken.on, taken.target, taken.recovery) == (
        expected.source,
        expected.on,
        expected.target,
        expected.recovery,
    ) and same(taken.condition, None if condition is None else condition_to_json(condition))
