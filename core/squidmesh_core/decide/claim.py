"""
Claims and leases: take the right to settle an attempt, and keep it.

    the holder may act           while now < lease_until
    somebody else may take over  once lease_until <= now

The token proves who (only its hash is stored), the fencing token which turn:
it is the revision of the claim's entry (specs/protocol.md §3).
"""

from datetime import datetime, timedelta
from typing import Final

from squidmesh_core.decide.advance import advance, claim_for, tick
from squidmesh_core.decide.answer import Answer, Refusal
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.settle import fence, final, lose
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import Revision
from squidmesh_core.protocol.commands import Claim, Heartbeat, Offer
from squidmesh_core.protocol.entries import AttemptClaimed, AttemptHeartbeat
from squidmesh_core.protocol.rows import AttemptRow, Head
from squidmesh_core.state.attempt import LIVE, Attempt
from squidmesh_core.state.run import RunState

#: How often an attempt is delivered where its step does not say.
MOST_DELIVERIES: Final = 5


def claim_row(row: AttemptRow, head: Head, offer: Offer, now: datetime) -> AttemptClaimed | None:
    """
    The claim of an unclaimed attempt, from its index row alone.

    The row of an unclaimed attempt is exact (specs/protocol.md §8.10), so no
    state is needed.  Null when the row is held, not due at the decision's
    instant, or needs no action: then `Claim` is decided on the state.
    """
    at = max(now, head.at)
    if row.held_until is not None or row.action is None or row.visible_at > at:
        return None
    return AttemptClaimed(
        at=at,
        revision=Revision(head.revision + 1),
        attempt_key=row.attempt_key,
        claim_id=offer.claim_id,
        claim_token_hash=offer.claim_token_hash,
        owner=offer.owner,
        lease_until=at + timedelta(milliseconds=offer.lease_ms),
    )


def claim(state: RunState, spec: Spec, command: Claim, now: datetime) -> Answer:
    """
    Claim an attempt whose state is known: fresh, or lost by its last holder.

    Work without an action is claimed and completed here.  An attempt that was
    delivered as often as allowed is not delivered again, nor is a forward one
    while the run undoes its steps: it fails as `worker_lost`.
    """
    attempt = state.attempt(command.attempt_key)
    refusal = _why_not(state, attempt, command, now)
    if refusal is not None or attempt is None:
        return refusal or _unknown(state, command)
    desk = Desk(state, spec, now, command.offer)
    most = attempt.intent.max_deliveries or MOST_DELIVERIES
    if attempt.status == "claimed" and (attempt.deliveries >= most or final(state, attempt)):
        lose(desk, attempt)
        advance(desk)
    elif attempt.intent.action is None:
        tick(desk, attempt, command.offer)
        advance(desk)
    else:
        claim_for(desk, attempt.key, command.offer)
    return desk.decision()


def heartbeat(state: RunState, spec: Spec, command: Heartbeat, now: datetime) -> Answer:
    """Move the lease to `now + lease_ms`; it never gets shorter."""
    held = fence(state, command.held, now)
    if isinstance(held, Refusal):
        return held
    wanted = now + timedelta(milliseconds=command.lease_ms)
    lease_until = max(wanted, held.lease_until or wanted)
    desk = Desk(state, spec, now, None)
    desk.write(
        AttemptHeartbeat(
            at=now,
            revision=desk.next_revision,
            attempt_key=held.key,
            claim_id=command.held.claim_id,
            claim_token_hash=command.held.claim_token_hash,
            lease_until=lease_until,
            progress=command.progress,
        )
    )
    return desk.decision()


def _why_not(
    state: RunState, attempt: Attempt | None, command: Claim, now: datetime
) -> Refusal | None:
    details: dict[str, object] = {"run_id": state.run_id, "attempt_key": command.attempt_key}
    if attempt is None:
        return _unknown(state, command)
    if state.terminal is not None:
        return Refusal(
            code="terminal_run",
            message=f"run {state.run_id} is {state.status}; nothing was claimed",
            details={**details, "status": state.status},
        )
    if state.gates.hold is not None:
        return Refusal(
            code="not_claimed",
            message=f"run {state.run_id} is held; nothing was claimed",
            details={**details, "status": state.status},
        )
    if attempt.status not in LIVE:
        return Refusal(
            code="stale_claim",
            message=f"{attempt.key} is {attempt.status}; nothing was claimed",
            details=details,
        )
    if attempt.status == "claimed" and not attempt.expired(now):
        return Refusal(
            code="stale_claim",
            message=f"{attempt.key} is held until {attempt.lease_until}; nothing was claimed",
            details=details,
        )
    if not attempt.visible(now):
        return Refusal(
            code="not_claimed",
            message=f"{attempt.key} is visible from {attempt.intent.visible_at}, not at {now}",
            details=details,
        )
    return None


def _unknown(state: RunState, command: Claim) -> Refusal:
    return Refusal(
        code="unknown_attempt",
        message=f"run {state.run_id} has no attempt {command.attempt_key}; nothing was claimed",
        details={"run_id": state.run_id, "attempt_key": command.attempt_key},
    )
