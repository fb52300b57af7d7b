"""
The reducer: entries → `RunState`.

    fold(state, entries) -> RunState

A `Draft` is the state while entries are taken in.  It shares every container
with the state it began from until it writes to one, so folding one append into
a long run costs that append, and the state it came from never changes.
Deciders write on a draft too: what they return is folded already.

It is one class because one entry may touch several parts of a state; what has
a machine of its own (`attempt`, `gates`, `mail`, `saga`) is kept beside it.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar, assert_never

from attrs import asdict, evolve

from squidmesh_core.ids import (
    BEGINNING,
    UNDO_MARK,
    AttemptKey,
    NodeName,
    Revision,
    RunId,
    VisitKey,
    is_timeout,
    timeout_key,
    undone_visit,
)
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    Failure,
    InputFrom,
    InputOf,
    InputUndo,
    InputValue,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    NextAttempt,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.state.attempt import Attempt, AttemptEntry, Reason, after, attempt_of
from squidmesh_core.state.gates import Gates
from squidmesh_core.state.mail import Mail
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
        self.timers = state.timers
        self.visits = state.visits
        self.applied = _shared(state.applied)
        self.done = _shared(state.done)
        self.owed = state.owed
        self.unapplied = dict(state.unapplied)
        self.failures = state.failures
        self.gates = state.gates
        self.mail = state.mail
        self.saga = state.saga
        self.receipts = state.receipts
        self.terminal = state.terminal
        self.pruned = state.pruned
        self.anomalies = state.anomalies

    @property
    def forward(self) -> bool:
        """Whether the run still goes forward: neither over nor undoing its steps."""
        return self.terminal is None and self.saga.started is None

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
            timers=self.timers,
            visits=self.visits,
            applied=self.applied,
            done=self.done,
            owed=self.owed,
            unapplied=self.unapplied,
            failures=self.failures,
            gates=self.gates,
            mail=self.mail,
            saga=self.saga,
            receipts=self.receipts,
            terminal=self.terminal,
            pruned=self.pruned,
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
        if self.at is None or entry.at > self.at:
            self.at = entry.at

    def _reason_against(self, entry: Entry) -> Reason | None:
        """What no entry may do, whatever its type."""
        if self.terminal is not None:
            return "terminal_run"
        if self.started is None and not isinstance(
            entry, RunStarted | RunSignalReceived | RunPruned
        ):
            return "malformed_entry"
        if self.saga.started is not None and isinstance(
            entry, ManualStepPaused | MessageAwaited | MessageReceived
        ):
            return "compensating"
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
            case ManualStepPaused():
                return self._paused(entry)
            case ManualStepResolved():
                return self._resolved(entry)
            case MessageAwaited():
                return self._awaited(entry)
            case MessageReceived():
                self.mail = self.mail.received(entry)
                self.unapplied[entry.revision] = entry.payload
                return None
            case CompensationStarted():
                return self._compensating(entry)
            case RunPruned():
                return self._pruned(entry)
        assert_never(entry)

    # -- the run

    def _started(self, entry: RunStarted) -> Reason | None:
        if self.started is not None:
            return "malformed_entry"
        self.started = entry
        self.context = dict(entry.input)
        return None

    def _ended(self, entry: RunTerminal) -> Reason | None:
        self.terminal = entry
        self._nothing_forward()
        return None

    def _pruned(self, entry: RunPruned) -> Reason | None:
        """What a tombstone says stands for the receipt, the start and the end that are gone."""
        if self.revision != BEGINNING:
            return "malformed_entry"
        self.pruned = entry
        self.receipts = (
            RunSignalReceived(
                at=entry.started_at,
                revision=entry.revision,
                command=entry.command,
                digest=entry.digest,
            ),
        )
        self.started = RunStarted(
            at=entry.started_at,
            revision=entry.revision,
            workflow=entry.workflow,
            definition=entry.definition,
            definition_version=entry.definition_version,
            trigger=entry.trigger,
            queue=entry.queue,
            priority=entry.priority,
            replayed_from=entry.replayed_from,
        )
        self.terminal = RunTerminal(at=entry.ended_at, revision=entry.revision, status=entry.status)
        return None

    def _compensating(self, entry: CompensationStarted) -> Reason | None:
        if self.saga.started is not None:
            return "compensating"
        self.saga = evolve(self.saga, started=entry)
        self._nothing_forward()
        return None

    def _nothing_forward(self) -> None:
        """Withdraw what is unclaimed and close what is open; claimed attempts stay claimed."""
        self.owed = ()
        self.gates = self.gates.all_closed()
        self.mail = self.mail.nobody_waits()
        for key, attempt in [*self.live.items(), *self.timers.items()]:
            if attempt.status != "claimed":
                self._settle(key, evolve(attempt, status="withdrawn"))

    def _applied(self, entry: StepApplied) -> Reason | None:
        forward = undone_visit(entry.visit_key) if UNDO_MARK in entry.visit_key else None
        if forward is not None and self.saga.started is None:
            return "not_compensating"
        if entry.visit_key in self.applied or forward in self.saga.undone:
            return "conflicting_completion"
        if entry.source is not None:
            if entry.source not in self.unapplied:
                return "result_not_completed"
            output = self.unapplied.pop(entry.source)
            if entry.output is not None:
                self.context = {**self.context, entry.output: output}
        if forward is not None:
            self.saga = self.saga.with_undone(forward, "compensated")
            return None
        if entry.reused_from is not None and entry.output is not None:
            self.context = {**self.context, entry.output: entry.reused_from.value}
        if self.applied is self._base.applied:
            self.applied = dict(self.applied)
            self.done = dict(self.done)
        self.applied[entry.visit_key] = entry
        self.done[entry.step] = self.done.get(entry.step, 0) + 1
        if self._waits() or entry.error is not None or entry.reused_from is not None:
            self._settle_visit(entry)
        if entry.transition is not None and entry.transition.target != "complete":
            self.owed = (*self.owed, entry.transition.target)
        return None

    def _waits(self) -> bool:
        """Whether anything waits outside the run: hardly ever, on the steady path."""
        return bool(self.timers or self.gates.open or self.mail.awaited or self.mail.kept)

    def _settle_visit(self, entry: StepApplied) -> None:
        """Nothing waits for this visit any more; one that begins with its end is counted."""
        visit = entry.visit_key
        waited = visit in self.gates.open or visit in self.mail.awaited
        if entry.reused_from is not None or (entry.error is not None and not waited):
            self._enter(entry.step)
        if entry.error is not None:
            self._fail_visit(visit, entry.error)
        self.gates = self.gates.closed(visit)
        self.mail = self.mail.taken(visit, entry.source)
        if self.timers:
            timer = self.timers.get(timeout_key(visit))
            if timer is not None:
                self._settle(timer.key, evolve(timer, status="withdrawn"))

    # -- gates and messages

    def _paused(self, entry: ManualStepPaused) -> Reason | None:
        if entry.visit_key in self.applied:
            return "terminal_attempt"
        gates = self.gates.paused(entry)
        if not isinstance(gates, Gates):
            return gates
        self.gates = gates
        if entry.step is not None:
            self._enter(entry.step)
        return None

    def _resolved(self, entry: ManualStepResolved) -> Reason | None:
        gates = self.gates.resolved(entry)
        if not isinstance(gates, Gates):
            return gates
        self.gates = gates
        if entry.visit_key is not None:
            self.unapplied[entry.revision] = entry.result
        return None

    def _awaited(self, entry: MessageAwaited) -> Reason | None:
        if entry.visit_key in self.applied:
            return "terminal_attempt"
        mail = self.mail.expecting(entry)
        if not isinstance(mail, Mail):
            return mail
        self.mail = mail
        self._enter(entry.step)
        return None

    # -- attempts

    def _scheduled(self, entry: AttemptScheduled) -> Reason | None:
        key, undoes = entry.attempt_key, entry.kind == "compensation"
        known = self._known(key)
        if known is not None:
            same = evolve(entry, at=known.intent.at, revision=known.intent.revision)
            return None if same == known.intent else "conflicting_runnable_intent"
        if undoes is not (self.saga.started is not None):
            return "not_compensating" if undoes else "compensating"
        resolved = self._input(entry)
        if resolved is None:
            return "malformed_entry"
        attempt = attempt_of(intent=entry, input=resolved)
        if entry.kind == "timer" and is_timeout(key):
            self.timers = {**self.timers, key: attempt}
            return None
        self.live[key] = attempt
        if entry.deferred is None and entry.number == 1 and not undoes:
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
            case InputUndo(visit_key=visit):
                return self._undo_input(visit)
        assert_never(entry.input)

    def _undo_input(self, visit: VisitKey) -> dict[str, object] | None:
        """What a visit was given, what it gave, and why it is undone."""
        applied = self.applied.get(visit)
        if applied is None or self.saga.started is None:
            return None
        failure = self.saga.started.failure
        why = None if failure is None else asdict(failure)
        if applied.reused_from is not None:
            reused = applied.reused_from
            return {"input": dict(reused.input or {}), "output": reused.value, "failure": why}
        for attempt in reversed(self.settled.values()):
            done = attempt.settlement
            if isinstance(done, AttemptCompleted) and done.revision == applied.source:
                return {"input": dict(attempt.input), "output": done.output, "failure": why}
        return None

    def _moved(self, entry: AttemptEntry) -> Reason | None:
        key = entry.attempt_key
        attempt = self._known(key)
        if attempt is None:
            return "unknown_runnable_intent"
        if isinstance(entry, AttemptClaimed):
            if self.gates.hold is not None:
                return "held_run"
            if self.saga.started is not None and attempt.intent.kind != "compensation":
                return "compensating"
        moved = after(attempt, entry)
        if not isinstance(moved, Attempt):
            return moved
        if moved.settlement is not None:
            self._settle(key, moved)
        elif key in self.timers:
            self.timers = {**self.timers, key: moved}
        else:
            self.live[key] = moved
        return None

    def _completed(self, entry: AttemptCompleted) -> Reason | None:
        limits = entry.attempt_key in self.timers
        reason = self._moved(entry)
        if reason is not None or limits:
            return reason
        if entry.deferred:
            self._doubt(self.settled[entry.attempt_key], None)
        else:
            self.unapplied[entry.revision] = entry.output
        return None

    def _failed(self, entry: AttemptFailed) -> Reason | None:
        retry = entry.retry
        if retry is not None:
            if self._known(retry.attempt_key) is not None:
                return "conflicting_runnable_intent"
            failing = self._known(entry.attempt_key)
            if self.saga.started and failing and failing.intent.kind != "compensation":
                return "compensating"
        reason = self._moved(entry)
        if reason is not None:
            return reason
        attempt = self.settled[entry.attempt_key]
        visit = attempt.intent.visit_key
        self._fail_visit(visit, entry.error)
        if retry is not None:
            self.live[retry.attempt_key] = retried(attempt, retry)
        elif attempt.intent.kind == "compensation":
            forward = undone_visit(visit)
            if forward is not None:
                self.saga = self.saga.with_undone(forward, "failed")
        else:
            self._doubt(attempt, entry.error)
        return None

    def _doubt(self, attempt: Attempt, error: Failure | None) -> None:
        """Once undoing began, a forward attempt that ends without a result may have had effects."""
        if self.saga.started is not None and attempt.intent.kind != "compensation":
            self.saga = self.saga.with_uncertain(attempt.intent.visit_key, error)

    # -- what several entries do

    def _known(self, key: AttemptKey) -> Attempt | None:
        return self.live.get(key) or self.settled.get(key) or self.timers.get(key)

    def _settle(self, key: AttemptKey, attempt: Attempt) -> None:
        self.live.pop(key, None)
        if key in self.timers:
            self.timers = {k: timer for k, timer in self.timers.items() if k != key}
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
