"""
Moving a run on, inside a decision: everything that follows, in the same append.

The next attempts, gates and awaits, work that needs nobody (logs, waits and
time-outs that are over), what is undone next, the claim of the successor by
the worker that offered its slot, and the end.
"""

from datetime import datetime, timedelta

from squidmesh_core.decide.apply import apply_success, apply_timeout, end_run, fail_run
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.enter import enter
from squidmesh_core.ids import AttemptKey, ClaimId, attempt_key, is_timeout, run_visit, undo_key
from squidmesh_core.plan.compensation import Undo, candidates
from squidmesh_core.plan.progress import plan
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptScheduled,
    Failure,
    InputUndo,
)
from squidmesh_core.state.attempt import Attempt


def advance(desk: Desk) -> None:
    """Do what the state asks for until nothing more can be done right now."""
    draft = desk.draft
    while draft.forward:
        asked = plan(draft, desk.spec)
        if asked.complete:
            end_run(desk, "completed")
            return
        applied = len(draft.applied)
        for node in asked.enter:
            if draft.forward:
                enter(desk, desk.spec.nodes[node])
        # Planning settles: it asks for more only once something more was taken in.
        if not _tick_one(desk) and len(draft.applied) == applied:
            break
    undo_next(desk)
    if draft.terminal is None:
        _claim_successor(desk)


def undo_next(desk: Desk) -> None:
    """
    Schedule the next callback, or end the run once everything was undone.

    Claimed attempts settle first, and there is one callback at a time
    (specs/protocol.md §5).
    """
    saga = desk.draft.saga.started
    if saga is None or desk.draft.terminal is not None or desk.draft.live:
        return
    undo = next(candidates(desk.draft, desk.spec), None)
    if undo is not None:
        desk.write(_callback(desk, undo))
    else:
        end_run(desk, "failed" if saga.cause == "failure" else "cancelled")


def tick(desk: Desk, attempt: Attempt, offer: Offer) -> None:
    """Claim and complete work that needs nobody, and take its (empty) result in."""
    claim_id, token = desk.mint(offer)
    _write_claim(desk, attempt.key, offer, claim_id, token)
    desk.write(
        AttemptCompleted(
            at=desk.now,
            revision=desk.next_revision,
            attempt_key=attempt.key,
            claim_id=claim_id,
            claim_token_hash=token,
        )
    )
    if is_timeout(attempt.key):
        _strike(desk, attempt)
    else:
        node = desk.spec.nodes[attempt.intent.step]
        apply_success(desk, attempt.intent.visit_key, node, source=desk.draft.revision)


def claim_for(desk: Desk, key: AttemptKey, offer: Offer) -> None:
    """Claim an attempt for the worker that offers."""
    _write_claim(desk, key, offer, offer.claim_id, offer.claim_token_hash)
    desk.offer = None


def _claim_order(attempt: Attempt) -> tuple[int, datetime, str]:
    """Smaller is claimed sooner (specs/protocol.md §3)."""
    intent = attempt.intent
    return intent.priority, intent.visible_at, intent.attempt_key


def _strike(desk: Desk, timer: Attempt) -> None:
    """A time-out is over: what it guards fails."""
    visit = timer.intent.visit_key
    if visit == run_visit(desk.run_id):
        message = f"the run was not over by {timer.intent.visible_at}"
        fail_run(desk, None, Failure(kind="run_timed_out", message=message))
        return
    node = desk.spec.nodes[timer.intent.step]
    message = f"nothing came for {node.name} by {timer.intent.visible_at}"
    apply_timeout(desk, visit, node, Failure(kind="timed_out", message=message))


def _callback(desk: Desk, undo: Undo) -> AttemptScheduled:
    queue, priority = desk.lane(undo.node)
    visit = undo_key(undo.visit)
    key = attempt_key(visit, 1)
    return AttemptScheduled(
        at=desk.now,
        revision=desk.next_revision,
        attempt_key=key,
        visit_key=visit,
        step=undo.node.name,
        kind="compensation",
        input=InputUndo(visit_key=undo.visit),
        queue=queue,
        action=undo.action,
        priority=priority,
        visible_at=desk.now,
        idempotency_key=undo.key or key,
        retry=undo.retry,
    )


def _tick_one(desk: Desk) -> bool:
    offer = desk.offer
    if offer is None:
        return False
    due = [a for a in _takeable(desk, offer) if a.intent.action is None]
    if not due:
        return False
    tick(desk, min(due, key=_claim_order), offer)
    return True


def _claim_successor(desk: Desk) -> None:
    offer = desk.offer
    if offer is None:
        return
    due = [
        attempt
        for attempt in _takeable(desk, offer)
        if attempt.intent.action in offer.actions
        and attempt.intent.queue not in offer.limited
        and not _comes_later(attempt, offer)
    ]
    if due:
        claim_for(desk, min(due, key=_claim_order).key, offer)


def _comes_later(attempt: Attempt, offer: Offer) -> bool:
    """Whether more urgent work is known to wait in its queue (specs/protocol.md §3)."""
    waiting = offer.waiting.get(attempt.intent.queue)
    return waiting is not None and waiting < attempt.intent.priority


def _takeable(desk: Desk, offer: Offer) -> list[Attempt]:
    if desk.draft.gates.hold is not None:
        return []
    waiting = [*desk.draft.live.values(), *desk.draft.timers.values()]
    return [
        attempt
        for attempt in waiting
        if attempt.status != "claimed"
        and attempt.visible(desk.now)
        and attempt.intent.queue in offer.queues
    ]


def _write_claim(desk: Desk, key: AttemptKey, offer: Offer, claim_id: ClaimId, token: str) -> None:
    desk.write(
        AttemptClaimed(
            at=desk.now,
            revision=desk.next_revision,
            attempt_key=key,
            claim_id=claim_id,
            claim_token_hash=token,
            owner=offer.owner,
            lease_until=desk.now + timedelta(milliseconds=offer.lease_ms),
        )
    )
