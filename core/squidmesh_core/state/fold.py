"""
The reducer: entries → `RunState`.

    fold(state, entries) -> RunState

A state is made of parts that have machines of their own (`attempt`, `gates`, `mail`,
`saga`); here is what each entry does to which of them, on a `Draft`.
"""

from collections.abc import Iterable
from typing import assert_never

from attrs import evolve

from squidmesh_core.ids import (
    BEGINNING,
    UNDO_MARK,
    Revision,
    RunId,
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
from squidmesh_core.state.attempt import Attempt, AttemptEntry, Reason, after
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.gates import Gates
from squidmesh_core.state.inputs import input_of
from squidmesh_core.state.mail import Mail
from squidmesh_core.state.run import RunState


def fold(state: RunState, entries: Iterable[Entry]) -> RunState:
    """The state once these entries are taken in, in order; never raises."""
    draft = Draft(state)
    for entry in entries:
        take(draft, entry)
    return draft.state()


def fold_run(run_id: RunId, entries: Iterable[Entry]) -> RunState:
    """The state of a whole journal."""
    return fold(RunState(run_id=run_id), entries)


def take(draft: Draft, entry: Entry) -> None:
    """Take one entry in."""
    reason = _reason_against(draft, entry) or _dispatch(draft, entry)
    if reason is not None:
        draft.note(reason, entry)
    draft.revision = Revision(draft.revision + 1)
    if draft.at is None or entry.at > draft.at:
        draft.at = entry.at


def _reason_against(draft: Draft, entry: Entry) -> Reason | None:
    """What no entry may do, whatever its type."""
    if draft.terminal is not None:
        return "terminal_run"
    if draft.started is None and not isinstance(entry, RunStarted | RunSignalReceived | RunPruned):
        return "malformed_entry"
    if draft.saga.started is not None and isinstance(
        entry, ManualStepPaused | MessageAwaited | MessageReceived
    ):
        return "compensating"
    return None


def _dispatch(draft: Draft, entry: Entry) -> Reason | None:
    match entry:
        case AttemptCompleted():
            return _completed(draft, entry)
        case StepApplied():
            return _applied(draft, entry)
        case AttemptScheduled():
            return _scheduled(draft, entry)
        case AttemptClaimed() | AttemptHeartbeat():
            return _moved(draft, entry)
        case AttemptFailed():
            return _failed(draft, entry)
        case RunSignalReceived():
            draft.receipts = (*draft.receipts, entry)
            return None
        case RunStarted():
            return _started(draft, entry)
        case RunTerminal():
            return _ended(draft, entry)
        case ManualStepPaused():
            return _paused(draft, entry)
        case ManualStepResolved():
            return _resolved(draft, entry)
        case MessageAwaited():
            return _awaited(draft, entry)
        case MessageReceived():
            draft.mail = draft.mail.received(entry)
            draft.unapplied[entry.revision] = entry.payload
            return None
        case CompensationStarted():
            return _compensating(draft, entry)
        case RunPruned():
            return _pruned(draft, entry)
    assert_never(entry)


# -- the run


def _started(draft: Draft, entry: RunStarted) -> Reason | None:
    if draft.started is not None:
        return "malformed_entry"
    draft.started = entry
    draft.context = dict(entry.input)
    return None


def _ended(draft: Draft, entry: RunTerminal) -> Reason | None:
    draft.terminal = entry
    draft.nothing_forward()
    return None


def _pruned(draft: Draft, entry: RunPruned) -> Reason | None:
    """What a tombstone says stands for the receipt, the start and the end that are gone."""
    if draft.revision != BEGINNING:
        return "malformed_entry"
    draft.pruned = entry
    draft.receipts = (
        RunSignalReceived(
            at=entry.started_at,
            revision=entry.revision,
            command=entry.command,
            digest=entry.digest,
        ),
    )
    draft.started = RunStarted(
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
    draft.terminal = RunTerminal(at=entry.ended_at, revision=entry.revision, status=entry.status)
    return None


def _compensating(draft: Draft, entry: CompensationStarted) -> Reason | None:
    if draft.saga.started is not None:
        return "compensating"
    draft.saga = evolve(draft.saga, started=entry)
    draft.nothing_forward()
    return None


def _applied(draft: Draft, entry: StepApplied) -> Reason | None:
    forward = undone_visit(entry.visit_key) if UNDO_MARK in entry.visit_key else None
    if forward is not None and draft.saga.started is None:
        return "not_compensating"
    if entry.visit_key in draft.applied or forward in draft.saga.undone:
        return "conflicting_completion"
    if entry.source is not None:
        if entry.source not in draft.unapplied:
            return "result_not_completed"
        output = draft.unapplied.pop(entry.source)
        if entry.output is not None:
            draft.context = {**draft.context, entry.output: output}
    if forward is not None:
        draft.saga = draft.saga.with_undone(forward, "compensated")
        return None
    if entry.reused_from is not None and entry.output is not None:
        draft.context = {**draft.context, entry.output: entry.reused_from.value}
    draft.apply(entry)
    if draft.waits() or entry.error is not None or entry.reused_from is not None:
        _settle_visit(draft, entry)
    if entry.transition is not None and entry.transition.target != "complete":
        draft.owed = (*draft.owed, entry.transition.target)
    return None


def _settle_visit(draft: Draft, entry: StepApplied) -> None:
    """Nothing waits for this visit any more; one that begins with its end is counted."""
    visit = entry.visit_key
    waited = visit in draft.gates.open or visit in draft.mail.awaited
    if entry.reused_from is not None or (entry.error is not None and not waited):
        draft.enter(entry.step)
    if entry.error is not None:
        draft.fail_visit(visit, entry.error)
    draft.gates = draft.gates.closed(visit)
    draft.mail = draft.mail.taken(visit, entry.source)
    if draft.timers:
        timer = draft.timers.get(timeout_key(visit))
        if timer is not None:
            draft.settle(timer.key, evolve(timer, status="withdrawn"))


# -- gates and messages


def _paused(draft: Draft, entry: ManualStepPaused) -> Reason | None:
    if entry.visit_key in draft.applied:
        return "terminal_attempt"
    gates = draft.gates.paused(entry)
    if not isinstance(gates, Gates):
        return gates
    draft.gates = gates
    if entry.step is not None:
        draft.enter(entry.step)
    return None


def _resolved(draft: Draft, entry: ManualStepResolved) -> Reason | None:
    gates = draft.gates.resolved(entry)
    if not isinstance(gates, Gates):
        return gates
    draft.gates = gates
    if entry.visit_key is not None:
        draft.unapplied[entry.revision] = entry.result
    return None


def _awaited(draft: Draft, entry: MessageAwaited) -> Reason | None:
    if entry.visit_key in draft.applied:
        return "terminal_attempt"
    mail = draft.mail.expecting(entry)
    if not isinstance(mail, Mail):
        return mail
    draft.mail = mail
    draft.enter(entry.step)
    return None


# -- attempts


def _scheduled(draft: Draft, entry: AttemptScheduled) -> Reason | None:
    key, undoes = entry.attempt_key, entry.kind == "compensation"
    known = draft.known(key)
    if known is not None:
        same = evolve(entry, at=known.intent.at, revision=known.intent.revision)
        return None if same == known.intent else "conflicting_runnable_intent"
    if undoes is not (draft.saga.started is not None):
        return "not_compensating" if undoes else "compensating"
    resolved = input_of(draft, entry)
    if resolved is None:
        return "malformed_entry"
    attempt = Attempt(intent=entry, input=resolved)
    if entry.kind == "timer" and is_timeout(key):
        draft.timers = {**draft.timers, key: attempt}
        return None
    draft.live[key] = attempt
    if entry.deferred is None and entry.number == 1 and not undoes:
        draft.enter(entry.step)
    return None


def _moved(draft: Draft, entry: AttemptEntry) -> Reason | None:
    key = entry.attempt_key
    attempt = draft.known(key)
    if attempt is None:
        return "unknown_runnable_intent"
    if isinstance(entry, AttemptClaimed):
        if draft.gates.hold is not None:
            return "held_run"
        if draft.saga.started is not None and attempt.intent.kind != "compensation":
            return "compensating"
    moved = after(attempt, entry)
    if not isinstance(moved, Attempt):
        return moved
    if moved.settlement is not None:
        draft.settle(key, moved)
    elif key in draft.timers:
        draft.timers = {**draft.timers, key: moved}
    else:
        draft.live[key] = moved
    return None


def _completed(draft: Draft, entry: AttemptCompleted) -> Reason | None:
    limits = entry.attempt_key in draft.timers
    reason = _moved(draft, entry)
    if reason is not None or limits:
        return reason
    if entry.deferred:
        draft.doubt(draft.settled[entry.attempt_key], None)
    else:
        draft.unapplied[entry.revision] = entry.output
    return None


def _failed(draft: Draft, entry: AttemptFailed) -> Reason | None:
    retry = entry.retry
    if retry is not None:
        if draft.known(retry.attempt_key) is not None:
            return "conflicting_runnable_intent"
        failing = draft.known(entry.attempt_key)
        if draft.saga.started and failing and failing.intent.kind != "compensation":
            return "compensating"
    reason = _moved(draft, entry)
    if reason is not None:
        return reason
    attempt = draft.settled[entry.attempt_key]
    visit = attempt.intent.visit_key
    draft.fail_visit(visit, entry.error)
    if retry is not None:
        draft.live[retry.attempt_key] = retried(attempt, retry)
    elif attempt.intent.kind == "compensation":
        forward = undone_visit(visit)
        if forward is not None:
            draft.saga = draft.saga.with_undone(forward, "failed")
    else:
        draft.doubt(attempt, entry.error)
    return None


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
