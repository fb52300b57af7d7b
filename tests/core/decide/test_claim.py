"""Claims, leases and heartbeats: who holds an attempt, and how long."""

from datetime import timedelta

import pytest
from attrs import evolve

from squidmesh_core.decide import claim_row
from squidmesh_core.ids import AttemptKey, token_hash
from squidmesh_core.protocol.commands import Claim, Complete, Heartbeat
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    StepApplied,
)
from squidmesh_core.protocol.rows import Head
from squidmesh_core.values import RetryPolicy
from squidmesh_core.views.index import attempt_rows
from support.scenario import EPOCH, LEASE, RUN, SECOND, Scenario
from support.workflows import chain, log, route, step, wait, workflow

CHARGE = chain(step("charge"), step("ship"))


def started() -> Scenario:
    run = Scenario(CHARGE)
    run.start()
    return run


def claim_of(run: Scenario, name: str = "charge") -> Claim:
    return Claim(attempt_key=run.attempt(name).key, offer=run.offer("ben"))


# --- claiming


def test_token_hash_is_that_of_the_reference() -> None:
    """The journal keeps the SHA-256 of a token in lower-case hex."""
    digest = "ccee1a67bb5b1c0b2cc95e39dfa8ed366388a3664558f408e0a606569337251d"

    assert digest == token_hash("token_1")


def test_claim_names_owner_lease_and_token_hash() -> None:
    """A claim is one entry; its lease is counted from the decision's instant."""
    run = started()
    run.time_passes(SECOND)
    offer = run.offer("ana", lease=timedelta(milliseconds=1_500))
    decision = run.decides(Claim(attempt_key=run.attempt("charge").key, offer=offer))

    assert decision.entries == (
        AttemptClaimed(
            at=EPOCH + SECOND,
            revision=run.state.revision,
            attempt_key=AttemptKey(f"{RUN}:charge:1"),
            claim_id=offer.claim_id,
            claim_token_hash=offer.claim_token_hash,
            owner="ana",
            lease_until=EPOCH + timedelta(milliseconds=2_500),
        ),
    )


def test_unknown_attempt_cannot_be_claimed() -> None:
    """A key that the run does not have is refused."""
    run = started()
    claim = evolve(claim_of(run), attempt_key=AttemptKey(f"{RUN}:charge:2"))

    assert "unknown_attempt" == run.expects_refusal(claim).code


def test_invisible_attempt_cannot_be_claimed() -> None:
    """Before `visible_at` nobody gets it; at that instant anybody does."""
    run = Scenario(CHARGE)
    run.start(visible_at=EPOCH + SECOND)

    assert "not_claimed" == run.expects_refusal(claim_of(run)).code
    run.time_passes(SECOND)
    run.decides(claim_of(run))


def test_held_attempt_cannot_be_claimed() -> None:
    """While its lease lives an attempt has one holder."""
    run = started()
    run.claim("charge")
    run.time_passes(LEASE - timedelta(microseconds=1))

    assert "stale_claim" == run.expects_refusal(claim_of(run)).code


def test_settled_attempt_cannot_be_claimed() -> None:
    """What ended is not delivered again."""
    run = started()
    held = run.claim("charge")
    run.complete(held)
    claim = Claim(attempt_key=held.attempt_key, offer=run.offer())

    assert "stale_claim" == run.expects_refusal(claim).code


def test_nothing_is_claimed_after_the_end() -> None:
    """An ended run hands nothing out, whatever the attempt's status."""
    run = started()
    held = run.claim("charge")
    run.cancel()
    run.time_passes(LEASE)
    claim = Claim(attempt_key=held.attempt_key, offer=run.offer())

    assert "terminal_run" == run.expects_refusal(claim).code


def test_takeover_keeps_the_attempt() -> None:
    """A redelivery is the same attempt: key, number, input and idempotency key stay."""
    run = started()
    run.claim("charge")
    first = run.attempt("charge")
    run.time_passes(LEASE)
    run.claim("charge", by="ben")
    second = run.attempt("charge")

    assert (first.intent, first.input) == (second.intent, second.input)
    assert [1, 2] == [first.deliveries, second.deliveries]


def test_fencing_token_grows_with_each_claim() -> None:
    """The token is the revision of the newest claim, so a later holder has a greater one."""
    run = started()
    tokens = []
    for _ in range(3):
        run.claim("charge")
        tokens.append(int(run.attempt("charge").fencing_token or 0))
        run.time_passes(LEASE)

    assert [int(claim.revision) for claim in run.entries(AttemptClaimed)] == tokens
    assert sorted(tokens) == tokens


def test_superseded_holder_is_not_heard() -> None:
    """Whose lease was taken over can neither keep nor settle the attempt."""
    run = started()
    ana = run.claim("charge")
    run.time_passes(LEASE)
    run.claim("charge", by="ben")

    assert "stale_claim" == run.expects_refusal(Complete(held=ana)).code
    assert "stale_claim" == run.expects_refusal(Heartbeat(held=ana, lease_ms=1)).code


@pytest.mark.parametrize("name", ["note", "nap"])
def test_work_without_action_is_claimed_and_completed_at_once(name: str) -> None:
    """A log and a wait that is over are done by whoever claims them, in one append."""
    run = Scenario(chain(log("note") if name == "note" else wait("nap", 1), step("charge")))
    run.start()
    run.time_passes(SECOND)
    decision = run.tick(name)

    assert [AttemptClaimed, AttemptCompleted, StepApplied] == [
        type(entry) for entry in decision.entries[:3]
    ]
    assert "claimed" == run.attempt("charge").status


# --- lost workers


def lost(run: Scenario, times: int) -> None:
    """Workers take the step and never come back."""
    for _ in range(times):
        run.claim("charge")
        run.time_passes(LEASE)


def test_attempt_is_delivered_five_times() -> None:
    """The takeover beyond the fifth delivery ends the attempt as `worker_lost`."""
    run = started()
    lost(run, 5)
    decision = run.decides(claim_of(run))
    failed = decision.entries[0]

    assert isinstance(failed, AttemptFailed)
    assert ("worker_lost", None, None) == (failed.error.kind, failed.claim_id, failed.retry)
    assert ("failed", 5) == (run.state.status, len(run.entries(AttemptClaimed)))


def test_step_may_say_how_often_it_is_delivered() -> None:
    """`max_deliveries` counts all claims of one attempt, the first one too."""
    run = Scenario(chain(step("charge", max_deliveries=1)))
    run.start()
    lost(run, 1)
    run.decides(claim_of(run))

    assert "failed" == run.state.status


def test_lost_worker_is_not_retried_and_takes_the_error_route() -> None:
    """A policy for failures does not count for losses; the error route does."""
    run = Scenario(
        workflow(
            step("charge", max_deliveries=1, retry=RetryPolicy(max_attempts=5)),
            step("call"),
            routes=(route("charge", "call", on="error"),),
        )
    )
    run.start()
    lost(run, 1)
    offer = run.offer("ben")
    run.decides(Claim(attempt_key=run.attempt("charge").key, offer=offer))

    assert ["call"] == run.steps
    assert [run.attempt("call").key] == run.claimed_for(offer)


def test_deferral_starts_the_count_anew() -> None:
    """A worker that stops and hands its work back was not lost."""
    run = Scenario(chain(step("charge", max_deliveries=1)))
    run.start()
    for _ in range(3):
        run.defer(run.claim("charge"))

    assert ("available", 0) == (run.attempt("charge").status, run.attempt("charge").deliveries)


# --- heartbeats


def test_heartbeat_moves_the_lease_from_now() -> None:
    """The holder may act for another lease from the heartbeat's instant."""
    run = started()
    held = run.claim("charge")
    run.time_passes(LEASE - SECOND)
    run.heartbeat(held)

    assert EPOCH + 2 * LEASE - SECOND == run.attempt("charge").lease_until


def test_heartbeat_never_shortens_the_lease() -> None:
    """A shorter one leaves the lease as it is."""
    run = started()
    held = run.claim("charge")
    run.heartbeat(held, lease=SECOND)

    assert EPOCH + LEASE == run.attempt("charge").lease_until
    assert [EPOCH + LEASE] == [entry.lease_until for entry in run.entries(AttemptHeartbeat)]


def test_heartbeat_tells_progress_and_keeps_it() -> None:
    """What a step says of itself is shown until it says something else."""
    run = started()
    held = run.claim("charge")
    run.decides(Heartbeat(held=held, lease_ms=60_000, progress={"page": 3}))
    run.heartbeat(held)

    assert {"page": 3} == run.attempt("charge").progress


def test_late_heartbeat_does_not_revive_the_lease() -> None:
    """At the very end of the lease it is too late."""
    run = started()
    held = run.claim("charge")
    run.time_passes(LEASE)

    assert "expired_claim" == run.expects_refusal(Heartbeat(held=held, lease_ms=60_000)).code


def test_claim_on_an_expired_lease_works_after_a_clock_step_back() -> None:
    """Judgement is made at `max(now, previous at)`: what was over stays over."""
    run = started()
    run.claim("charge", lease=SECOND)
    run.time_passes(SECOND)
    run.claim("charge", by="ben")
    run.now = EPOCH

    assert "stale_claim" == run.expects_refusal(claim_of(run)).code
    assert run.state.at == EPOCH + SECOND


# --- from the index row alone


def test_row_of_work_without_action_is_left_to_the_state() -> None:
    """A log needs a decision on the state, since it is also completed."""
    run = Scenario(chain(log("note")))
    run.start()
    [row] = attempt_rows(run.state)
    head = Head(revision=run.state.revision, hash="0" * 64, at=EPOCH)

    assert None is claim_row(row, head, run.offer(), EPOCH)


def test_row_is_due_at_the_head_s_instant_when_the_clock_stepped_back() -> None:
    """A claim is never stamped before the entry it follows."""
    run = started()
    [row] = attempt_rows(run.state)
    head = Head(revision=run.state.revision, hash="0" * 64, at=EPOCH)
    claim = claim_row(row, head, run.offer(), EPOCH - LEASE)

    assert claim is not None
    assert (EPOCH, EPOCH + LEASE) == (claim.at, claim.lease_until)
    assert head.revision + 1 == claim.revision
