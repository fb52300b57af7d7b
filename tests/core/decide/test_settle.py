"""Settling: an attempt ends once, by its holder, and the run moves on in the same append."""

from itertools import pairwise

from attrs import evolve

from squidmesh_core.ids import AttemptKey, ClaimId, token_hash
from squidmesh_core.protocol.commands import Command, Complete, Defer, Fail, Heartbeat, Held
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptScheduled,
    StepApplied,
)
from squidmesh_core.values import RetryPolicy
from support.scenario import BOOM, LEASE, RUN, SECOND, Scenario
from support.workflows import chain, step, workflow

CHARGE = chain(step("charge", output="receipt"), step("ship"))


def started() -> Scenario:
    run = Scenario(CHARGE)
    run.start({"amount": 5})
    return run


def settles(held: Held) -> list[Command]:
    """Every way to end an attempt, and the heartbeat."""
    return [
        Heartbeat(held=held, lease_ms=1),
        Complete(held=held),
        Fail(held=held, error=BOOM),
        Defer(held=held, reason="later"),
    ]


def refusals(run: Scenario, held: Held) -> set[str]:
    """The codes that a holder gets, whatever it says."""
    return {run.expects_refusal(command).code for command in settles(held)}


# --- who may settle


def test_nobody_settles_what_nobody_claimed() -> None:
    """A claim of the first attempt is none of the second, nor of what a cancel withdrew."""
    run = Scenario(chain(step("charge", retry=RetryPolicy(max_attempts=2))))
    run.start()
    held = run.claim("charge")
    run.fail(held)
    never = evolve(held, attempt_key=run.attempt("charge").key)

    assert {"not_claimed"} == refusals(run, never)
    run.cancel()
    assert {"not_claimed"} == refusals(run, never)


def test_unknown_attempt_is_refused_first() -> None:
    """A key that the run does not have."""
    run = started()
    held = evolve(run.claim("charge"), attempt_key=AttemptKey(f"{RUN}:charge:9"))

    assert {"unknown_attempt"} == refusals(run, held)


def test_unclaimed_attempt_is_refused_as_not_claimed() -> None:
    """Nobody holds it, so nobody can settle it."""
    run = started()
    nobody = Held(
        attempt_key=run.attempt("charge").key, claim_id=ClaimId("c"), claim_token_hash="0" * 64
    )

    assert {"not_claimed"} == refusals(run, nobody)


def test_wrong_claim_or_token_is_refused_before_the_lease_is_looked_at() -> None:
    """A stranger learns nothing about the lease: `stale_claim`, also when it is past."""
    run = started()
    held = run.claim("charge")
    run.time_passes(LEASE)

    assert {"stale_claim"} == refusals(run, evolve(held, claim_id=ClaimId("guessed")))
    assert {"stale_claim"} == refusals(run, evolve(held, claim_token_hash=token_hash("guessed")))


def test_expired_lease_is_refused_before_the_end_is_looked_at() -> None:
    """Past the lease the answer is `expired_claim`, whatever became of the run."""
    run = started()
    held = run.claim("charge")
    run.cancel()
    run.time_passes(LEASE)

    assert {"expired_claim"} == refusals(run, held)


def test_ended_run_is_refused_last() -> None:
    """A holder whose lease lives learns that the run is over."""
    run = started()
    held = run.claim("charge")
    run.cancel()

    assert {"terminal_run"} == refusals(run, held)


def test_failed_attempt_is_stale() -> None:
    """After a failure nothing more is heard of that attempt."""
    run = Scenario(chain(step("charge", retry=RetryPolicy(max_attempts=2))))
    run.start()
    held = run.claim("charge")
    run.fail(held)

    assert {"stale_claim"} == refusals(run, held)


def test_refusal_names_attempt_and_status() -> None:
    """A refusal says what it met; nothing was written."""
    run = started()
    held = run.claim("charge")
    run.complete(held)
    before = len(run.journal)
    refusal = run.expects_refusal(Fail(held=held, error=BOOM))

    assert {"run_id": RUN, "attempt_key": held.attempt_key, "status": "running"} == refusal.details
    assert before == len(run.journal)


# --- complete


def test_completion_application_and_successor_are_one_append() -> None:
    """The output is recorded, applied by reference, and the next step is there."""
    run = started()
    held = run.claim("charge")
    decision = run.complete(held, {"id": 1})
    completed, applied, scheduled = decision.entries

    assert isinstance(completed, AttemptCompleted)
    assert isinstance(applied, StepApplied)
    assert isinstance(scheduled, AttemptScheduled)
    assert ({"id": 1}, completed.revision, "receipt") == (
        completed.output,
        applied.source,
        applied.output,
    )
    assert {"amount": 5, "receipt": {"id": 1}} == run.state.context


def test_settle_claims_the_successor_in_its_append() -> None:
    """A worker that stays holds the next step when its completion is durable."""
    run = started()
    offer = run.offer()
    decision = run.complete(run.claim("charge"), offer=offer)

    assert isinstance(decision.entries[-1], AttemptClaimed)
    assert run.attempt("ship").key == run.held(offer).attempt_key


def test_successor_of_another_worker_is_not_claimed() -> None:
    """Not what it cannot perform, not of another queue, not before it is visible."""
    spec = chain(step("charge"), step("ship", queue="trucks"))
    run = Scenario(spec)
    run.start()
    held = run.claim("charge")
    run.complete(held, offer=run.offer())
    cannot = started()
    cannot.complete(cannot.claim("charge"), offer=cannot.offer(actions=frozenset({"do.charge"})))

    assert ["available", "available"] == [r.attempt("ship").status for r in (run, cannot)]


def test_one_successor_is_claimed_by_priority_then_time_then_key() -> None:
    """The smallest priority first; what was visible first; then the order of keys."""
    run = Scenario(
        workflow(
            step("pick"),
            step("c", after=("pick",), priority=1),
            step("b", after=("pick",)),
            step("a", after=("pick",)),
            step("old"),
        )
    )
    run.start()
    run.time_passes(SECOND)
    offers = [run.offer() for _ in range(4)]
    run.complete(run.claim("pick"), offer=offers[0])
    for before, offer in pairwise(offers):
        run.complete(run.held(before), offer=offer)

    assert ["old", "a", "b", "c"] == [run.held(o).attempt_key.split(":")[1] for o in offers]


def test_same_completion_again_is_a_success_without_a_write() -> None:
    """The same holder with the same output: also after the lease and after the end."""
    run = started()
    held = run.claim("charge")
    run.complete(held, {"id": 1})
    revision = run.entries(AttemptCompleted)[0].revision
    run.time_passes(LEASE)
    run.cancel()

    assert revision == run.expects_already(Complete(held=held, output={"id": 1})).revision


def test_other_output_is_a_conflicting_completion() -> None:
    """What was recorded first stands."""
    run = started()
    held = run.claim("charge")
    run.complete(held, 1)

    assert "conflicting_completion" == run.expects_refusal(Complete(held=held, output=2)).code
    assert "conflicting_completion" == run.expects_refusal(Complete(held=held, output=True)).code


def test_stranger_does_not_learn_the_output() -> None:
    """Another fence gets `stale_claim`, whether the output is the same or not."""
    run = started()
    held = run.claim("charge")
    run.complete(held, 1)
    stranger = evolve(held, claim_token_hash=token_hash("guessed"))

    assert {"stale_claim"} == {
        run.expects_refusal(Complete(held=stranger, output=output)).code for output in (1, 2)
    }


def test_completion_after_a_deferral_conflicts() -> None:
    """A deferred attempt has settled; its holder cannot complete it after all."""
    run = started()
    held = run.claim("charge")
    run.defer(held)

    assert "conflicting_completion" == run.expects_refusal(Complete(held=held)).code
