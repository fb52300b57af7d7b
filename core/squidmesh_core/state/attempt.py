"""
One attempt, and the machine that it goes through.

    available ──┐                       ┌─▶ completed
                ├─▶ claimed ─▶ claimed ─┤
    retry_… ────┘   (again, when the    └─▶ failed
                     lease is past)
    unclaimed when the run ends: withdrawn

`MOVES` and `MISFITS` are the regular part: which entry moves which status where.
The odd part is the functions below them: a claim needs a visible attempt or a lease that
is past, everything a holder says needs the fence.  The boundary is
`now < lease_until` for the holder and `lease_until <= now` for everybody else, so
there is no gap and no overlap (specs/protocol.md §3).
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, assert_never

from attrs import evolve, frozen

from squidmesh_core.ids import AttemptKey, FencingToken
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
)
from squidmesh_core.protocol.making import quick

AttemptStatus = Literal[
    "available", "retry_scheduled", "claimed", "completed", "failed", "withdrawn"
]
Reason = Literal[
    "malformed_entry",
    "unknown_runnable_intent",
    "conflicting_runnable_intent",
    "terminal_run",
    "terminal_attempt",
    "active_claim",
    "attempt_not_visible",
    "stale_claim",
    "expired_claim",
    "conflicting_completion",
    "result_not_completed",
    "active_manual_step",
    "stale_manual_resolution",
    "active_await",
    "held_run",
    "compensating",
    "not_compensating",
]
Settlement = AttemptCompleted | AttemptFailed
AttemptEntry = AttemptClaimed | AttemptHeartbeat | Settlement

#: (status, entry) → the status after it.
MOVES: Final[Mapping[tuple[AttemptStatus, type], AttemptStatus]] = {
    ("available", AttemptClaimed): "claimed",
    ("retry_scheduled", AttemptClaimed): "claimed",
    ("claimed", AttemptClaimed): "claimed",
    ("claimed", AttemptHeartbeat): "claimed",
    ("claimed", AttemptCompleted): "completed",
    ("claimed", AttemptFailed): "failed",
}
#: (status, entry) → why the entry does not fit.
MISFITS: Final[Mapping[tuple[AttemptStatus, type], Reason]] = {
    ("available", AttemptHeartbeat): "stale_claim",
    ("available", AttemptCompleted): "stale_claim",
    ("available", AttemptFailed): "stale_claim",
    ("retry_scheduled", AttemptHeartbeat): "stale_claim",
    ("retry_scheduled", AttemptCompleted): "stale_claim",
    ("retry_scheduled", AttemptFailed): "stale_claim",
    ("completed", AttemptClaimed): "terminal_attempt",
    ("completed", AttemptHeartbeat): "stale_claim",
    ("completed", AttemptCompleted): "conflicting_completion",
    ("completed", AttemptFailed): "stale_claim",
    ("failed", AttemptClaimed): "terminal_attempt",
    ("failed", AttemptHeartbeat): "stale_claim",
    ("failed", AttemptCompleted): "stale_claim",
    ("failed", AttemptFailed): "stale_claim",
    ("withdrawn", AttemptClaimed): "terminal_attempt",
    ("withdrawn", AttemptHeartbeat): "stale_claim",
    ("withdrawn", AttemptCompleted): "stale_claim",
    ("withdrawn", AttemptFailed): "stale_claim",
}
LIVE: Final[frozenset[AttemptStatus]] = frozenset({"available", "retry_scheduled", "claimed"})


@quick
@frozen(kw_only=True)
class Attempt:
    """One try at a step."""

    #: What was asked for; of a retry, the first attempt's intent with its own key and time.
    intent: AttemptScheduled
    #: The input, resolved once, in the state just before it was scheduled.
    input: Mapping[str, object]
    status: AttemptStatus = "available"
    #: How often it was claimed.
    deliveries: int = 0
    #: The newest claim; its revision is the fencing token.
    claim: AttemptClaimed | None = None
    #: The holder may act until this instant.  Set by claim, moved by heartbeat.
    lease_until: datetime | None = None
    #: What the step last said of itself; set by heartbeats.
    progress: Mapping[str, object] | None = None
    settlement: Settlement | None = None

    @property
    def key(self) -> AttemptKey:
        """The key that everything else names this attempt by."""
        return self.intent.attempt_key

    @property
    def fencing_token(self) -> FencingToken | None:
        """The revision of the newest claim."""
        return FencingToken(self.claim.revision) if self.claim else None

    def visible(self, now: datetime) -> bool:
        """Whether it may be claimed as far as time goes."""
        return self.intent.visible_at <= now

    def expired(self, now: datetime) -> bool:
        """Whether it is claimed and the lease is past."""
        return self.lease_until is not None and self.lease_until <= now

    def fenced_by(self, claim_id: str | None, claim_token_hash: str | None) -> bool:
        """Whether these are the newest claim's."""
        claim = self.claim
        return (
            claim is not None
            and claim_id == claim.claim_id
            and claim_token_hash is not None
            and hmac.compare_digest(_bytes(claim_token_hash), _bytes(claim.claim_token_hash))
        )


def after(attempt: Attempt, entry: AttemptEntry) -> Attempt | Reason:
    """The attempt once the entry is taken in, or why the entry does not fit."""
    misfit = MISFITS.get((attempt.status, type(entry)))
    if misfit is not None:
        return misfit
    match entry:
        case AttemptClaimed():
            return _claimed(attempt, entry)
        case AttemptHeartbeat():
            return _heartbeat(attempt, entry)
        case AttemptCompleted():
            return _settled(attempt, entry, "completed")
        case AttemptFailed():
            return _settled(attempt, entry, "failed")
    assert_never(entry)


def _claimed(attempt: Attempt, entry: AttemptClaimed) -> Attempt | Reason:
    if attempt.status == "claimed" and not attempt.expired(entry.at):
        return "active_claim"
    if not attempt.visible(entry.at):
        return "attempt_not_visible"
    return Attempt(
        intent=attempt.intent,
        input=attempt.input,
        status="claimed",
        deliveries=attempt.deliveries + 1,
        claim=entry,
        lease_until=entry.lease_until,
        progress=attempt.progress,
    )


def _heartbeat(attempt: Attempt, entry: AttemptHeartbeat) -> Attempt | Reason:
    if not attempt.fenced_by(entry.claim_id, entry.claim_token_hash):
        return "stale_claim"
    if attempt.expired(entry.at):
        return "expired_claim"
    lease_until = attempt.lease_until
    if lease_until is None or entry.lease_until > lease_until:
        lease_until = entry.lease_until  # a heartbeat never shortens a lease
    progress = attempt.progress if entry.progress is None else entry.progress
    return evolve(attempt, lease_until=lease_until, progress=progress)


def _settled(
    attempt: Attempt, entry: Settlement, status: Literal["completed", "failed"]
) -> Attempt | Reason:
    if isinstance(entry, AttemptFailed) and entry.claim_id is None:
        if not attempt.expired(entry.at):
            return "active_claim"  # the runtime may end a lost claim, never a live one
    elif not attempt.fenced_by(entry.claim_id, entry.claim_token_hash):
        return "stale_claim"
    elif attempt.expired(entry.at):
        return "expired_claim"
    return Attempt(
        intent=attempt.intent,
        input=attempt.input,
        status=status,
        deliveries=attempt.deliveries,
        claim=attempt.claim,
        lease_until=attempt.lease_until,
        progress=attempt.progress,
        settlement=entry,
    )


def _bytes(text: str) -> bytes:
    # A damaged journal may hold any text; `compare_digest` takes only ASCII as text.
    return text.encode("utf-8", "surrogatepass")
