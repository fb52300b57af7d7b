"""
Rules T and P8: a run ends once, for a reason that its journal shows; until then it can move.
Of a run that was removed, what it ended as is all that is left.

A failure for good is read off the append that it happens in: an attempt without
retry or error route, a time-out or a rejection without a route, a result that no
route takes on, an input that is not there, a visit too many.
"""

from collections.abc import Iterator

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.planner import barred, visits_allowed, wanted, way
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, NodeName, Revision, is_timeout, run_visit
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptFailed,
    CompensationStarted,
    Entry,
    Failure,
    RunPruned,
    RunTerminal,
    StepApplied,
)

#: A step, and what its failure may be called.
Reason = tuple[NodeName | None, frozenset[str]]

_NO_ROUTE = frozenset({"no_matching_transition", "unknown_transition"})


class Endings(Family):
    """T1 to T3, T5, P8."""

    def judge(self, entry: Entry) -> None:
        """Whether the run may still be spoken of, and may end like this."""
        model = self.model
        if model.terminal is not None:
            self.note("T3", entry.revision, f"the run ended at {model.terminal.revision}")
        if model.pruned is not None:
            self.note("T5", entry.revision, "the run was pruned, and there is more of it")
        match entry:
            case RunPruned():
                self._judge_tombstone(entry)
            case RunTerminal():
                if model.terminal is not None:
                    self.note("T1", entry.revision, f"it ended at {model.terminal.revision}")
                else:
                    self._judge_end(entry)
            case CompensationStarted(cause="failure"):
                if not self.receipt("retry_compensation"):
                    self._judge_failure(entry.revision, entry.step, entry.failure)
            case _:
                pass

    def close(self) -> None:
        """Whether the run can move on by itself, or waits for somebody."""
        model = self.model
        if model.terminal is not None or model.started is None:
            return
        if model.compensation is None and self.spec is not None and list(self._reasons(self.spec)):
            self.note("T2", model.revision, "something failed for good, and the run goes on")
        alive = any(not is_timeout(key) for key in model.live)
        if alive or model.gates or model.awaiting:
            return
        if model.hold is None:
            self.note("P8", model.revision, "nothing is live, open or awaited, and it did not end")
        else:
            self.note("T2", model.revision, "nothing is left, and a hold keeps no run from its end")

    def _judge_tombstone(self, entry: RunPruned) -> None:
        if self.model.revision != BEGINNING:
            self.note("T5", entry.revision, "the run was pruned, and its journal is there")
        if not entry.started_at <= entry.ended_at <= entry.at:
            self.note(
                "T5", entry.revision, "it was pruned before its end, or ended before its start"
            )

    def _judge_end(self, entry: RunTerminal) -> None:
        compensation = self.model.compensation
        if entry.status == "cancelled":
            asked = compensation is not None and compensation.cause == "cancel"
            if not asked and not self.receipt("cancel"):
                self.note("T2", entry.revision, "nobody cancelled it")
        elif compensation is not None:
            if entry.status == "completed":
                self.note("T2", entry.revision, "a run that is undone does not complete")
            elif entry.step != compensation.step:
                self.note("T2", entry.revision, "the end blames another step than undoing did")
        elif entry.status == "failed":
            self._judge_failure(entry.revision, entry.step, entry.error)
        else:
            self._judge_completion(entry.revision)

    def _judge_completion(self, revision: Revision) -> None:
        model, spec = self.model, self.spec
        left: list[str] = [key for key in model.live if not is_timeout(key)]
        left += [*model.gates, *model.awaiting]
        if spec is not None:
            left += wanted(spec, model)
            if list(self._reasons(spec)):
                self.note("T2", revision, "something failed for good, and the run completes")
            unreached = [n.name for n in spec.steps if n.name not in model.done]
            left += unreached if spec.by_dependencies else []
        if left:
            self.note("T2", revision, f"the run completes, and there is still {left[0]}")

    def _judge_failure(
        self, revision: Revision, step: NodeName | None, error: Failure | None
    ) -> None:
        if error is None:
            self.note("T2", revision, "the failure is not named")
        elif self.spec is not None and not any(
            name == step and error.kind in kinds for name, kinds in self._reasons(self.spec)
        ):
            self.note("T2", revision, f"{step} did not fail for good with {error.kind}")

    # --- what fails a run

    def _reasons(self, spec: Spec) -> Iterator[Reason]:
        model = self.model
        for entry in model.append:
            match entry:
                case AttemptFailed(retry=None):
                    attempt = model.tries.get(entry.attempt_key)
                    if attempt is not None and not attempt.undoes:
                        yield from self._unrouted(attempt.intent.step, entry.error.kind, spec)
                case AttemptCompleted() if is_timeout(entry.attempt_key):
                    yield from self._timed_out(entry, spec)
                case StepApplied(source=int(), transition=None):
                    yield from self._stranded(entry, spec)
                case _:
                    pass
        for step in wanted(spec, model):
            yield from self._barred(step, spec)

    def _unrouted(self, step: NodeName, kind: str, spec: Spec) -> Iterator[Reason]:
        if way(spec, step, "error", self.model.context) is None:
            yield step, frozenset({kind})

    def _timed_out(self, entry: AttemptCompleted, spec: Spec) -> Iterator[Reason]:
        attempt = self.model.tries.get(entry.attempt_key)
        if attempt is None:
            return
        step, visit = attempt.intent.step, attempt.intent.visit_key
        if visit == run_visit(self.model.run_id):
            # The run's own time-out has no step; nor has the failure that follows.
            yield None, frozenset({"run_timed_out"})
            yield step, frozenset({"run_timed_out"})
        elif not any(way(spec, step, on, self.model.context) for on in ("timeout", "error")):
            yield step, frozenset({"timed_out"})

    def _stranded(self, entry: StepApplied, spec: Spec) -> Iterator[Reason]:
        answer = self.model.answers.get(entry.visit_key)
        if answer is not None and answer.action == "rejected":
            yield entry.step, frozenset({"rejected"})
        elif not spec.by_dependencies:
            yield entry.step, _NO_ROUTE

    def _barred(self, step: NodeName, spec: Spec) -> Iterator[Reason]:
        node = spec.nodes.get(step)
        if node is None:
            return
        most = visits_allowed(spec, node)
        if most is not None and self.model.entered.get(step, 0) >= most:
            yield step, frozenset({"visits_exhausted"})
        elif why := barred(node, self.model.context):
            yield from self._unrouted(step, why, spec)
