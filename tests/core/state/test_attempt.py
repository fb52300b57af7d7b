"""The machine of one attempt: its table is complete, and its clock has no gap."""

from datetime import datetime, timedelta
from itertools import product
from typing import get_args

import pytest

from squidmesh_core.decide import Decision, decide
from squidmesh_core.ids import ClaimId
from squidmesh_core.protocol.commands import Claim, Command, Complete, Defer, Fail, Heartbeat
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
)
from squidmesh_core.state.attempt import (
    LIVE,
    MISFITS,
    MOVES,
    Attempt,
    AttemptEntry,
    AttemptStatus,
    Reason,
    after,
)
from squidmesh_core.values import RetryPolicy
from support.scenario import BOOM, EPOCH, LEASE, Scenario
from support.workflows import chain, step

STATUSES: tuple[AttemptStatus, ...] = get_args(AttemptStatus)
ENTRIES = (AttemptClaimed, AttemptHeartbeat, AttemptCompleted, AttemptFailed)
PAIRS = list(product(STATUSES, ENTRIES))
INSTANT = timedelta(microseconds=1)


def in_status(status: AttemptStatus) -> Attempt:
    """An attempt that got into a status by commands."""
    run = Scenario(chain(step("charge", retry=RetryPolicy(max_attempts=2)), step("ship")))
    run.start()
    if status == "withdrawn":
        run.cancel()
    elif status in {"claimed", "completed"}:
        held = run.claim("charge")
        if status == "completed":
            run.complete(held)
            return next(iter(run.state.settled.values()))
    elif status in {"failed", "retry_scheduled"}:
        run.fail(run.claim("charge"))
        if status == "failed":
            return next(iter(run.state.settled.values()))
    return run.attempt("charge")


def test_what_is_known_of_an_attempt_outlives_its_claims() -> None:
    """Progress goes on to whoever takes over; the end keeps it, the deliveries and the lease."""
    run = Scenario(chain(step("charge"), step("ship")))
    run.start()
    held, told = run.claim("charge"), {"done": 1}
    run.decides(Heartbeat(held=held, lease_ms=60_000, progress=told))
    run.time_passes(LEASE)
    held = run.claim("charge")
    assert (told, 2) == (run.attempt("charge").progress, run.attempt("charge").deliveries)
    run.complete(held)
    [ended] = run.state.settled.values()

    assert (told, 2, EPOCH + 2 * LEASE) == (ended.progress, ended.deliveries, ended.lease_until)


def test_a_claim_that_is_no_text_of_unicode_is_not_held() -> None:
    """A damaged journal may name any, and reading it raises nothing."""
    attempt = in_status("claimed")
    assert attempt.claim is not None
    token = attempt.claim.claim_token_hash

    assert attempt.fenced_by(attempt.claim.claim_id, token)
    assert not attempt.fenced_by(attempt.claim.claim_id, "\ud800")


def entry_of_holder(attempt: Attempt, kind: type) -> AttemptEntry:
    """An entry that fits as well as it can: by the holder, while the lease lives."""
    claim_id, token = ClaimId("nobody's"), "0" * 64
    if attempt.claim is not None:
        claim_id, token = attempt.claim.claim_id, attempt.claim.claim_token_hash
    if kind is AttemptClaimed:
        return AttemptClaimed(
            at=attempt.lease_until or EPOCH,
            attempt_key=attempt.key,
            claim_id=ClaimId("newer"),
            claim_token_hash=token,
            owner="ben",
            lease_until=EPOCH + 2 * LEASE,
        )
    if kind is AttemptHeartbeat:
        return AttemptHeartbeat(
            at=EPOCH,
            attempt_key=attempt.key,
            claim_id=claim_id,
            claim_token_hash=token,
            lease_until=EPOCH + LEASE,
        )
    if kind is AttemptCompleted:
        return AttemptCompleted(
            at=EPOCH, attempt_key=attempt.key, claim_id=claim_id, claim_token_hash=token
        )
    return AttemptFailed(
        at=EPOCH, attempt_key=attempt.key, claim_id=claim_id, claim_token_hash=token, error=BOOM
    )


@pytest.mark.parametrize(("status", "kind"), PAIRS)
def test_every_status_and_entry_is_in_one_table(
    status: AttemptStatus, kind: type[AttemptEntry]
) -> None:
    """Each pair either moves the attempt or is a misfit, never both, never neither."""
    assert 1 == ((status, kind) in MOVES) + ((status, kind) in MISFITS)


def test_tables_hold_nothing_else() -> None:
    """No row speaks of a status or an entry that does not exist."""
    assert set(PAIRS) == MOVES.keys() | MISFITS.keys()


@pytest.mark.parametrize(("status", "kind"), PAIRS)
def test_machine_does_what_its_table_says(status: AttemptStatus, kind: type[AttemptEntry]) -> None:
    """From each reachable status, an entry that fits leads where `MOVES` says, else `MISFITS`."""
    attempt = in_status(status)
    assert status == attempt.status

    moved = after(attempt, entry_of_holder(attempt, kind))
    outcome: AttemptStatus | Reason = moved.status if isinstance(moved, Attempt) else moved

    assert {**MOVES, **MISFITS}[status, kind] == outcome


def test_live_statuses_are_those_that_can_be_claimed() -> None:
    """What may still be claimed is live; the rest is settled for good."""
    assert LIVE == {status for status, kind in MOVES if kind is AttemptClaimed}


# --- boundaries (specs/protocol.md §3)


@pytest.mark.parametrize(
    ("now", "visible"),
    [(EPOCH - INSTANT, False), (EPOCH, True), (EPOCH + INSTANT, True)],
    ids=["just before", "at", "just after"],
)
def test_attempt_is_visible_from_its_instant_on(now: datetime, visible: bool) -> None:
    """Visible when `visible_at <= now`."""
    assert visible == in_status("available").visible(now)


@pytest.mark.parametrize(
    ("now", "expired"),
    [
        (EPOCH + LEASE - INSTANT, False),
        (EPOCH + LEASE, True),
        (EPOCH + LEASE + INSTANT, True),
    ],
    ids=["just before", "at", "just after"],
)
def test_lease_ends_at_its_instant(now: datetime, expired: bool) -> None:
    """Expired when `lease_until <= now`: at the very end it is over."""
    assert expired == in_status("claimed").expired(now)


@pytest.mark.parametrize("pause", [LEASE - INSTANT, LEASE, LEASE + INSTANT])
@pytest.mark.parametrize("verb", ["heartbeat", "complete", "fail", "defer"])
def test_lease_has_no_gap_and_no_overlap(pause: timedelta, verb: str) -> None:
    """At each instant either the holder is heard or another may claim, and never both."""
    run = Scenario(chain(step("charge")))
    run.start()
    held = run.claim("charge")
    run.time_passes(pause)
    commands: dict[str, Command] = {
        "heartbeat": Heartbeat(held=held, lease_ms=1),
        "complete": Complete(held=held),
        "fail": Fail(held=held, error=BOOM),
        "defer": Defer(held=held, reason="later"),
    }
    claim = Claim(attempt_key=held.attempt_key, offer=run.offer("ben"))
    answers = [decide(run.state, run.spec, asked, run.now) for asked in (commands[verb], claim)]

    assert [pause < LEASE, pause >= LEASE] == [isinstance(a, Decision) for a in answers]
