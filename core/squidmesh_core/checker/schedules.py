"""
Rules P4 to P7 and P9: what is scheduled is what the definition says, when it says.

An attempt comes from one of four places: a node is entered, an attempt was
deferred, a visit is to be undone, a time-out begins.  Retries are the fifth,
and born in the failure itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.model import Try
from squidmesh_core.checker.planner import callback, lane, timeout_of
from squidmesh_core.definition.spec import StepNode, WaitNode
from squidmesh_core.ids import (
    NodeName,
    Revision,
    VisitKey,
    attempt_key,
    deferred_key,
    is_timeout,
    run_visit,
    timeout_key,
    undone_visit,
    visit_key,
)
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    Deadline,
    Deferred,
    Entry,
    InputFrom,
    InputOf,
    ManualStepPaused,
    MessageAwaited,
    RunStarted,
    StepApplied,
)
from squidmesh_core.values import DeadlinePolicy, Exponential, RetryPolicy

#: No retry waits longer: 366 days.
LONGEST_DELAY_MS: Final = 366 * 24 * 60 * 60 * 1000
#: How a callback is retried whose step does not say.
CALLBACK_RETRY: Final = RetryPolicy(
    max_attempts=5, backoff=Exponential(min_ms=1_000, max_ms=60_000)
)


class Schedules(Family):
    """P4 to P7, P9."""

    def judge(self, entry: Entry) -> None:
        """Whether what is scheduled comes from somewhere, as it should."""
        match entry:
            case AttemptScheduled():
                self._scheduled(entry)
            case AttemptFailed():
                self._retried(entry)
            case ManualStepPaused() | MessageAwaited() | StepApplied(reused_from=None):
                self._visited(entry.revision, entry.visit_key, entry.step)
            case _:
                pass

    def close(self) -> None:
        """Whether whatever has a time-out got its timer."""
        model = self.model
        if self.spec is None or model.over:
            return
        for entry in model.append:
            visit, most = None, None
            if isinstance(entry, RunStarted):
                visit, most = run_visit(model.run_id), self.spec.timeout_ms
            elif isinstance(entry, ManualStepPaused | MessageAwaited):
                visit, most = entry.visit_key, timeout_of(self.node(entry.step))
            if visit is None or most is None or visit in model.applied:
                continue
            if timeout_key(visit) not in model.tries:
                self.note("P4", entry.revision, f"{visit} has no timer, and ends after {most} ms")

    def _scheduled(self, entry: AttemptScheduled) -> None:
        if entry.attempt_key in self.model.tries:
            self.note("P5", entry.revision, f"{entry.attempt_key} was scheduled before")
        elif is_timeout(entry.attempt_key):
            self._timer(entry)
        elif entry.deferred is not None:
            self._continued(entry, entry.deferred)
        elif entry.kind == "compensation":
            self._undo(entry)
        else:
            self._first(entry)

    # --- where attempts come from

    def _first(self, entry: AttemptScheduled) -> None:
        self._visited(entry.revision, entry.visit_key, entry.step)
        self._fresh(entry, entry.attempt_key)
        node = self.node(entry.step)
        if node is None:
            return
        queue, priority = lane(self.model, node)
        self._fields(entry, {"queue": queue, "priority": priority})
        over = entry.at
        if isinstance(node, StepNode):
            self._fields(
                entry,
                {
                    "kind": "step",
                    "action": node.action,
                    "input": InputFrom(bindings=node.input),
                    "recovery": node.recovery,
                    "retry": node.retry,
                    "max_deliveries": node.max_deliveries,
                    "deadline": _deadline(node.deadline, entry.visible_at),
                },
            )
        else:
            self._fields(entry, {"kind": "timer", "action": None})
            over += timedelta(milliseconds=node.duration_ms if isinstance(node, WaitNode) else 0)
        self._due(entry, over)

    def _timer(self, entry: AttemptScheduled) -> None:
        visit, spec = entry.visit_key, self.spec
        whole = visit == run_visit(self.model.run_id)
        step = NodeName("") if whole else self.model.visits.get(visit)
        self._fields(
            entry,
            {"attempt_key": timeout_key(visit), "kind": "timer", "action": None, "step": step},
        )
        begun = (
            isinstance(e, RunStarted)
            if whole
            else isinstance(e, ManualStepPaused | MessageAwaited) and e.visit_key == visit
            for e in self.model.append
        )
        if not any(begun):
            self.note("P4", entry.revision, f"{visit} does not begin in this append")
        if spec is None:
            return
        most = spec.timeout_ms if whole else timeout_of(self.node(entry.step))
        if most is None:
            self.note("P4", entry.revision, f"{visit} has no time-out")
        else:
            self._due(entry, entry.at + timedelta(milliseconds=most))

    def _continued(self, entry: AttemptScheduled, deferred: Deferred) -> None:
        key = deferred.from_attempt
        source = self.model.tries.get(key)
        if source is None or not _deferred(source, self.model.append):
            self.note("P4", entry.revision, f"{key} was not deferred in this append")
            return
        intent = source.intent
        kept = ("visit_key", "step", "kind", "queue", "action", "priority", "recovery", "retry")
        self._fields(entry, {name: getattr(intent, name) for name in kept})
        self._fields(
            entry,
            {
                "attempt_key": deferred_key(key),
                "number": source.number,
                "input": InputOf(attempt_key=key),
                "max_deliveries": intent.max_deliveries,
                "deadline": source.deadline,
            },
        )
        if deferred.deferred_at != entry.at or entry.visible_at < entry.at:
            self.note("P7", entry.revision, f"{key} is visible before it was deferred")
        if entry.idempotency_key != intent.idempotency_key:
            self.note("P9", entry.revision, f"{entry.attempt_key} has another idempotency key")

    def _undo(self, entry: AttemptScheduled) -> None:
        forward = undone_visit(entry.visit_key)
        applied = None if forward is None else self.model.applied.get(forward)
        if applied is None:
            return  # S2 says so
        reused = applied.reused_from
        handed = reused.undo_key if reused is not None else None
        self._fresh(entry, handed or entry.attempt_key)
        self._fields(entry, {"step": applied.step, "visible_at": entry.at})
        node = self.node(applied.step)
        if self.spec is not None and isinstance(node, StepNode):
            queue, priority = lane(self.model, node)
            self._fields(
                entry,
                {
                    "action": callback(self.spec, applied.step),
                    "retry": node.compensate_retry or CALLBACK_RETRY,
                    "queue": queue,
                    "priority": priority,
                },
            )

    def _retried(self, entry: AttemptFailed) -> None:
        retry, attempt = entry.retry, self.model.tries.get(entry.attempt_key)
        if retry is None or attempt is None:
            return
        if retry.attempt_key in self.model.tries:
            self.note("P5", entry.revision, f"{retry.attempt_key} was scheduled before")
        policy, number = attempt.intent.retry, attempt.number + 1
        if policy is None or number > policy.max_attempts:
            self.note("P6", entry.revision, f"{entry.attempt_key} may not be retried")
            return
        key = attempt_key(attempt.intent.visit_key, number)
        if (retry.number, retry.attempt_key) != (number, key):
            self.note("P6", entry.revision, f"the next attempt is {key}, not {retry.attempt_key}")
        least, most = _delays(policy, attempt.number)
        if not least <= retry.visible_at - entry.at <= most:
            delay = retry.visible_at - entry.at
            self.note("P6", entry.revision, f"the delay is {delay}, not {least} … {most}")
        deadline = attempt.intent.deadline
        policy_of = None if deadline is None else deadline.policy
        if retry.deadline != _deadline(policy_of, retry.visible_at):
            self.note("P6", entry.revision, f"the deadline of {retry.attempt_key} is another")

    # --- what they have in common

    def _visited(self, revision: Revision, visit: VisitKey | None, step: NodeName | None) -> None:
        model = self.model
        if visit is None or step is None or visit in model.visits or undone_visit(visit):
            return
        expected = visit_key(model.run_id, step, model.entered.get(step, 0) + 1)
        if visit != expected:
            self.note("P9", revision, f"the visit is {visit}, not {expected}")

    def _fresh(self, entry: AttemptScheduled, handed: str) -> None:
        if entry.number != 1:
            self.note("P6", entry.revision, f"attempt {entry.number} is born in no failure")
        expected = attempt_key(entry.visit_key, 1)
        if entry.attempt_key != expected or entry.idempotency_key != handed:
            self.note(
                "P9",
                entry.revision,
                f"the keys are {entry.attempt_key}, {entry.idempotency_key}, "
                f"not {expected}, {handed}",
            )

    def _due(self, entry: AttemptScheduled, over: datetime) -> None:
        # A start may say that nothing of it is claimable before some instant.
        later = self.model.appends == 1 and entry.visible_at >= over
        if entry.visible_at != over and not later:
            self.note("P7", entry.revision, f"visible from {entry.visible_at}, not from {over}")

    def _fields(self, entry: AttemptScheduled, expected: Mapping[str, object]) -> None:
        for name, value in expected.items():
            if getattr(entry, name) != value:
                self.note(
                    "P4",
                    entry.revision,
                    f"{entry.attempt_key}: {name} is {getattr(entry, name)!r}, not {value!r}",
                )


def _deferred(source: Try, append: list[Entry]) -> bool:
    return isinstance(source.end, AttemptCompleted) and source.end.deferred and source.end in append


def _deadline(policy: DeadlinePolicy | None, at: datetime) -> Deadline | None:
    return None if policy is None else Deadline(policy=policy, started_at=at)


def _delays(policy: RetryPolicy, number: int) -> tuple[timedelta, timedelta]:
    """The shortest and the longest delay after an attempt: jitter halves, `retry_after` fills up."""
    if policy.backoff is None:
        return timedelta(0), timedelta(milliseconds=LONGEST_DELAY_MS)
    cap = min(policy.backoff.max_ms, LONGEST_DELAY_MS)
    delay = min(policy.backoff.min_ms * 2 ** min(number - 1, 62), cap)
    least = delay / 2 if policy.jitter else delay
    return timedelta(milliseconds=least), timedelta(milliseconds=cap)
