"""
The reducer: entries → `RunState`.

    fold(state, entries) -> RunState

A `Draft` is the state while entries are taken in.  It shares every container
with the state it began from until it writes to one, so folding one append into
a long run costs that append, and the state it came from never changes.
Deciders write on a draft too: what they return is folded already.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar, assert_never

from attrs import evolve

from squidmesh_core.ids import AttemptKey, NodeName, Revision, RunId, VisitKey
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    Entry,
    Failure,
    InputFrom,
    InputOf,
    InputUndo,
    InputValue,
    NextAttempt,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.state.attempt import Attempt, AttemptEntry, Reason, after
from squidmesh_core.state.run import Anomaly, RunState
from squidmesh_core.values import MissingPath, bind

K = TypeVar("K")
V = TypeVar("V")


def fold(state: RunState, entries: Iterable[Entry]) -> RunState:
    """The state once these entries are taken in, in order; never raises."""
    draft = Draft(state)
    for entry in entries:
        draft.take(entry)
    return draft.state()


def fold_run(run_id: RunId, entries: Iterable[Entry]) -> RunState:
    """The state of a whole journal."""
    return fold(RunState(run_id=run_id), entries)


class Draft:
    """A state while entries are taken in; it owns what it has written to."""

    def __init__(self, state: RunState) -> None:
        self._base = state
        self.run_id = state.run_id
        self.revision = state.revision
        self.at = state.at
        self.started = state.started
        self.context = state.context
        self.live = dict(state.live)
        self.settled = _shared(state.settled)
        self.visits = state.visits
        self.applied = _shared(state.applied)
        self.done = _shared(state.done)
        self.owed = state.owed
        self.unapplied = dict(state.unapplied)
        self.failures = state.failures
        self.receipts = state.receipts
        self.terminal = state.terminal
        self.anomalies = state.anomalies

    def state(self) -> RunState:
        """What was taken in so far; writing on continues on copies."""
        self._base = state = RunState(
            run_id=self.run_id,
            revision=self.revision,
            at=self.at,
            started=self.started,
            context=self.context,
            live=self.live,
            settled=self.settled,
            visits=self.visits,
            applied=self.applied,
            done=self.done,
            owed=self.owed,
            unapplied=self.unapplied,
            failures=self.failures,
            receipts=self.receipts,
            terminal=self.terminal,
            anomalies=self.anomalies,
        )
        self.live = dict(self.live)
        self.unapplied = dict(self.unapplied)
        return state

    def take(self, entry: Entry) -> None:
        """Take one entry in."""
        reason = self._reason_against(entry) or self._dispatch(entry)
        if reason is not None:
            self._note(reason, entry)
        self.revision = Revision(self.revision + 1)
        self.at = entry.at if self.at is None else max(self.at, entry.at)

    def _reason_against(self, entry: Entry) -> Reason | None:
        """What no entry may do, whatever its type."""
        if self.terminal is not None:
            return "terminal_run"
        if self.started is None and not isinstance(entry, RunStarted | RunSignalReceived):
            return "malformed_entry"
        return None

    def _dispatch(self, entry: Entry) -> Reason | None:
        match entry:
            case AttemptCompleted():
                return self._completed(entry)
            case StepApplied():
                return self._applied(entry)
            case AttemptScheduled():
                return self._scheduled(entry)
            case AttemptClaimed() | AttemptHeartbeat():
                return self._moved(entry)
            case AttemptFailed():
                return self._failed(entry)
            case RunSignalReceived():
                self.receipts = (*self.receipts, entry)
                return None
            case RunStarted():
                return self._started(entry)
            case RunTerminal():
                return self._ended(entry)
        assert_never(entry)

    # -- the run

    def _started(self, entry: RunStarted) -> Reason | None:
        if self.started is not None:
            return "malformed_entry"
        self.started = entry
        self.context = dict(entry.input)
        return None

    def _ended(self, entry: RunTerminal) -> Reason | None:
        """The end withdraws what is unclaimed; claimed attempts stay claimed."""
        self.terminal = entry
        self.owed = ()
        for key, attempt in list(self.live.items()):
            if attempt.status != "claimed":
                self._settle(key, evolve(attempt, status="withdrawn"))
        return None

    def _applied(self, entry: StepApplied) -> Reason | None:
        if entry.visit_key in self.applied:
            return "conflicting_completion"
        if entry.source is not None:
            if entry.source not in self.unapplied:
                return "result_not_completed"
            output = self.unapplied.pop(entry.source)
            if entry.output is not None:
                self.context = {**self.context, entry.output: output}
        if self.applied is self._base.applied:
            self.applied = dict(self.applied)
            self.done = dict(self.done)
        self.applied[entry.visit_key] = entry
        self.done[entry.step] = self.done.get(entry.step, 0) + 1
        if entry.error is not None:
            self._enter(entry.step)
            self._fail_visit(entry.visit_key, entry.error)
        if entry.transition is not None and entry.transition.target != "complete":
            self.owed = (*self.owed, entry.transition.target)
        return None

    # -- attempts

    def _scheduled(self, entry: AttemptScheduled) -> Reason | None:
        known = self._known(entry.attempt_key)
        if known is not None:
            same = evolve(entry, at=known.intent.at, revision=known.intent.revision)
            return None if same == known.intent else "conflicting_runnable_intent"
        resolved = self._input(entry)
        if resolved is None:
            return "malformed_entry"
        self.live[entry.attempt_key] = Attempt(intent=entry, input=resolved)
        if entry.deferred is None and entry.number == 1:
            self._enter(entry.step)
        return None

    def _input(self, entry: AttemptScheduled) -> dict[str, object] | None:
        match entry.input:
            case InputFrom(bindings=bindings):
                if bindings is None:
                    return dict(self.context)
                values = bind(bindings, self.context)
                return None if isinstance(values, MissingPath) else values
            case InputOf(attempt_key=key):
                source = self._known(key)
                return None if source is None else dict(source.input)
            case InputValue(value=value):
                return dict(value) if isinstance(value, dict) else {"value": value}
            case InputUndo():
                return None  # compensation is not scheduled by this release
        assert_never(entry.input)

    def _moved(self, entry: AttemptEntry) -> Reason | None:
        key = entry.attempt_key
        attempt = self._known(key)
        if attempt is None:
            return "unknown_runnable_intent"
        moved = after(attempt, entry)
        if not isinstance(moved, Attempt):
            return moved
        if moved.settlement is None:
            self.live[key] = moved
        else:
            self._settle(key, moved)
        return None

    def _completed(self, entry: AttemptCompleted) -> Reason | None:
        reason = self._moved(entry)
        if reason is None and not entry.deferred:
            self.unapplied[entry.revision] = entry.output
        return reason

    def _failed(self, entry: AttemptFailed) -> Reason | None:
        retry = entry.retry
        if retry is not None and self._known(retry.attempt_key) is not None:
            return "conflicting_runnable_intent"
        reason = self._moved(entry)
        if reason is not None:
            return reason
        attempt = self.settled[entry.attempt_key]
        self._fail_visit(attempt.intent.visit_key, entry.error)
        if retry is not None:
            self.live[retry.attempt_key] = retried(attempt, retry)
        return None

    # -- what several entries do

    def _known(self, key: AttemptKey) -> Attempt | None:
        return self.live.get(key) or self.settled.get(key)

    def _settle(self, key: AttemptKey, attempt: Attempt) -> None:
        self.live.pop(key, None)
        if self.settled is self._base.settled:
            self.settled = dict(self.settled)
        self.settled[key] = attempt

    def _enter(self, step: NodeName) -> None:
        """A visit began: it is counted, and what a route owed is paid."""
        self.visits = {**self.visits, step: self.visits.get(step, 0) + 1}
        if step in self.owed:
            rest = list(self.owed)
            rest.remove(step)
            self.owed = tuple(rest)

    def _fail_visit(self, visit: VisitKey, error: Failure) -> None:
        self.failures = {**self.failures, visit: error}

    def _note(self, reason: Reason, entry: Entry) -> None:
        names = ("attempt_key", "visit_key", "step", "claim_id")
        keys = {name: str(getattr(entry, name)) for name in names if getattr(entry, name, None)}
        anomaly = Anomaly(
            reason=reason,
            entry_type=type(entry).__name__,
            revision=Revision(self.revision + 1),
            keys=keys,
        )
        self.anomalies = (*self.anomalies, anomaly)


def _shared(container: Mapping[K, V]) -> dict[K, V]:
    """The container itself, if it is one we can copy on writing."""
    return container if isinstance(container, dict) else dict(container)


def retried(attempt: Attempt, retry: NextAttempt) -> Attempt:
    """The retry that a failure gave birth to: same input, same idempotency key."""
    intent = evolve(
        attempt.intent,
        attempt_key=retry.attempt_key,
        number=retry.number,
        visible_at=retry.visible_at,
        deadline=retry.deadline,
        deferred=None,
    )
    return Attempt(intent=intent, input=attempt.input, status="retry_scheduled")
