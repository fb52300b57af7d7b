"""
Moving a run on, inside a decision: everything that follows, in the same append.

The next attempts, work that needs nobody (logs, waits that are over), the claim
of the successor by the worker that offered its slot, and the end.
"""

from datetime import datetime, timedelta

from squidmesh_core.decide.apply import apply_success
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.enter import enter
from squidmesh_core.ids import AttemptKey, ClaimId
from squidmesh_core.plan.progress import plan
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import AttemptClaimed, AttemptCompleted, RunTerminal
from squidmesh_core.state.attempt import Attempt


def advance(desk: Desk) -> None:
    """Enter what the state asks for until nothing more can be done right now."""
    while desk.draft.terminal is None:
        asked = plan(desk.draft, desk.spec)
        if asked.complete:
            desk.write(RunTerminal(at=desk.now, revision=desk.next_revision, status="completed"))
            return
        for node in asked.enter:
            if desk.draft.terminal is None:
                enter(desk, desk.spec.nodes[node])
        if not _tick_one(desk) and not asked.enter:
            break
    if desk.draft.terminal is None:
        _claim_successor(desk)


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
    node = desk.spec.nodes[attempt.intent.step]
    apply_success(desk, attempt.intent.visit_key, node, source=desk.draft.revision)


def claim_for(desk: Desk, key: AttemptKey, offer: Offer) -> None:
    """Claim an attempt for the worker that offers."""
    _write_claim(desk, key, offer, offer.claim_id, offer.claim_token_hash)
    desk.offer = None


def claim_order(attempt: Attempt) -> tuple[int, datetime, str]:
    """Smaller is claimed sooner (specs/protocol.md §3)."""
    intent = attempt.intent
    return intent.priority, intent.visible_at, intent.attempt_key


def _tick_one(desk: Desk) -> bool:
    offer = desk.offer
    if offer is None:
        return False
    due = [a for a in _takeable(desk, offer) if a.intent.action is None]
    if not due:
        return False
    tick(desk, min(due, key=claim_order), offer)
    return True


def _claim_successor(desk: Desk) -> None:
    offer = desk.offer
    if offer is None:
        return
    due = [a for a in _takeable(desk, offer) if a.intent.action in offer.actions]
    if due:
        claim_for(desk, min(due, key=claim_order).key, offer)


def _takeable(desk: Desk, offer: Offer) -> list[Attempt]:
    return [
        attempt
        for attempt in desk.draft.live.values()
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
