"""
Settling: a holder ends its attempt, and the run moves on in the same append.

Checks come in this order (specs/protocol.md §3): is the attempt known, is it
claimed, is the claim the newest, does the lease live, is the run still open.
Nothing is written unless all hold.
"""

from datetime import datetime, timedelta

from squidmesh_core.decide.advance import advance
from squidmesh_core.decide.answer import Already, Answer, Refusal
from squidmesh_core.decide.apply import apply_failure, apply_success, apply_undone
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import Revision, attempt_key, deferred_key
from squidmesh_core.plan.retry import retry_delay
from squidmesh_core.protocol.commands import Complete, Defer, Fail, Held
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    Deadline,
    Deferred,
    Failure,
    InputOf,
    NextAttempt,
)
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.run import RunState
from squidmesh_core.values.condition import same


def fence(state: RunState, held: Held, now: datetime) -> Attempt | Refusal:
    """The attempt, if whoever speaks still holds it at this instant."""
    attempt = state.attempt(held.attempt_key)
    if attempt is None:
        return _refusal(state, held, "unknown_attempt", "there is no such attempt")
    if attempt.status in {"available", "retry_scheduled", "withdrawn"}:
        return _refusal(state, held, "not_claimed", f"it is {attempt.status}")
    if attempt.status != "claimed":
        return _refusal(state, held, "stale_claim", f"it is {attempt.status} already")
    if not attempt.fenced_by(held.claim_id, held.claim_token_hash):
        return _refusal(state, held, "stale_claim", "a newer claim holds it")
    if attempt.expired(now):
        return _refusal(
            state, held, "expired_claim", f"its lease ended at {attempt.lease_until}, it is {now}"
        )
    if state.terminal is not None:
        return _refusal(state, held, "terminal_run", f"the run is {state.status}")
    return attempt


def complete(state: RunState, spec: Spec, command: Complete, now: datetime) -> Answer:
    """The step succeeded: record the output, apply it, go on."""
    repeated = _completed_before(state, command)
    if repeated is not None:
        return repeated
    attempt = fence(state, command.held, now)
    if isinstance(attempt, Refusal):
        return attempt
    desk = Desk(state, spec, now, command.offer)
    _write_completed(desk, command.held, output=command.output)
    visit, node = attempt.intent.visit_key, spec.nodes[attempt.intent.step]
    if attempt.intent.kind == "compensation":
        apply_undone(desk, visit, node.name)
    else:
        apply_success(desk, visit, node, source=desk.draft.revision)
    advance(desk)
    return desk.decision()


def fail(state: RunState, spec: Spec, command: Fail, now: datetime) -> Answer:
    """The step failed: a retry, the error route, or the end of the run."""
    attempt = fence(state, command.held, now)
    if isinstance(attempt, Refusal):
        return attempt
    desk = Desk(state, spec, now, command.offer)
    delay = (
        None
        if final(state, attempt)
        else retry_delay(
            attempt.intent.retry,
            number=attempt.intent.number,
            kinds=command.kinds,
            retryable=command.retryable,
            retry_after_ms=command.retry_after_ms,
            jitter=command.jitter,
        )
    )
    _fail_attempt(desk, attempt, command.error, delay, held=command.held)
    advance(desk)
    return desk.decision()


def defer(state: RunState, spec: Spec, command: Defer, now: datetime) -> Answer:
    """Same work, later: the attempt ends, its continuation is scheduled, nothing is applied."""
    attempt = fence(state, command.held, now)
    if isinstance(attempt, Refusal):
        return attempt
    desk = Desk(state, spec, now, command.offer)
    _write_completed(desk, command.held, deferred=True)
    later = now + timedelta(milliseconds=command.delay_ms or 0)
    if command.until is not None:
        later = max(now, command.until)
    if not final(state, attempt):
        desk.write(_continuation(desk, attempt, command.reason, later))
    advance(desk)
    return desk.decision()


def final(state: RunState, attempt: Attempt) -> bool:
    """Whether there is no next try: the run is undoing its steps, and this is no callback."""
    return state.undoing and attempt.intent.kind != "compensation"


def lose(desk: Desk, attempt: Attempt) -> None:
    """End an attempt whose workers were lost as often as allowed; the cause is unknown."""
    many = attempt.deliveries
    took = "1 worker took" if many == 1 else f"{many} workers took"
    came = "did not come" if many == 1 else "none came"
    error = Failure(
        kind="worker_lost",
        message=f"{took} {attempt.key} and {came} back",
        details={"deliveries": attempt.deliveries},
    )
    _fail_attempt(desk, attempt, error, None, held=None)


# --- what the above is made of


def _completed_before(state: RunState, command: Complete) -> Already | Refusal | None:
    """A repeated completion by the same holder is no second one, even after the lease."""
    attempt = state.attempt(command.held.attempt_key)
    if attempt is None or not isinstance(attempt.settlement, AttemptCompleted):
        return None
    if not attempt.fenced_by(command.held.claim_id, command.held.claim_token_hash):
        return None
    settled = attempt.settlement
    if not settled.deferred and same(settled.output, command.output):
        return Already(revision=settled.revision, state=state)
    return _refusal(
        state, command.held, "conflicting_completion", "it was completed with another output"
    )


def _write_completed(
    desk: Desk, held: Held, *, output: object = None, deferred: bool = False
) -> None:
    desk.write(
        AttemptCompleted(
            at=desk.now,
            revision=desk.next_revision,
            attempt_key=held.attempt_key,
            claim_id=held.claim_id,
            claim_token_hash=held.claim_token_hash,
            output=output,
            deferred=deferred,
        )
    )


def _fail_attempt(
    desk: Desk, attempt: Attempt, error: Failure, delay_ms: int | None, *, held: Held | None
) -> None:
    intent = attempt.intent
    retry = None
    if delay_ms is not None:
        visible_at = desk.now + timedelta(milliseconds=delay_ms)
        deadline = intent.deadline
        retry = NextAttempt(
            attempt_key=attempt_key(intent.visit_key, intent.number + 1),
            number=intent.number + 1,
            visible_at=visible_at,
            deadline=deadline and Deadline(policy=deadline.policy, started_at=visible_at),
        )
    desk.write(
        AttemptFailed(
            at=desk.now,
            revision=desk.next_revision,
            attempt_key=attempt.key,
            claim_id=held.claim_id if held else None,
            claim_token_hash=held.claim_token_hash if held else None,
            error=error,
            retry=retry,
        )
    )
    if retry is None and intent.kind != "compensation":
        node = desk.spec.nodes[intent.step]
        apply_failure(desk, intent.visit_key, node, error, attempted=True)


def _continuation(
    desk: Desk, attempt: Attempt, reason: object, later: datetime
) -> AttemptScheduled:
    intent = attempt.intent
    return AttemptScheduled(
        at=desk.now,
        revision=Revision(desk.next_revision),
        attempt_key=deferred_key(attempt.key),
        visit_key=intent.visit_key,
        step=intent.step,
        number=intent.number,
        kind=intent.kind,
        input=InputOf(attempt_key=attempt.key),
        queue=intent.queue,
        action=intent.action,
        priority=intent.priority,
        visible_at=later,
        idempotency_key=intent.idempotency_key,
        recovery=intent.recovery,
        retry=intent.retry,
        deadline=intent.deadline,
        deferred=Deferred(reason=reason, from_attempt=attempt.key, deferred_at=desk.now),
        max_deliveries=intent.max_deliveries,
    )


def _refusal(state: RunState, held: Held, code: str, why: str) -> Refusal:
    return Refusal(
        code=code,
        message=f"{held.attempt_key} cannot be settled or kept: {why}; nothing was written",
        details={
            "run_id": state.run_id,
            "attempt_key": held.attempt_key,
            "status": state.status,
        },
    )
