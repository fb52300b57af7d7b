"""Settling: an attempt ends once, by its holder, and the run moves on in the same append."""

from datetime import timedelta
from itertools import pairwise

from attrs import evolve

from squidmesh_core.ids import AttemptKey, ClaimId, token_hash
from squidmesh_core.protocol.commands import Command, Complete, Defer, Fail, Heartbeat, Held
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    Deferred,
    InputOf,
    StepApplied,
)
from squidmesh_core.values import Exponential, FromPath, RetryPolicy
from support.scenario import BOOM, EPOCH, LEASE, RUN, SECOND, Scenario
from support.workflows import chain, diamond, route, step, workflow

CHARGE = chain(step("charge", output="receipt"), step("ship"))
TWICE = RetryPolicy(max_attempts=2)
BACKOFF = RetryPolicy(max_attempts=5, backoff=Exponential(min_ms=1_000, max_ms=5_000))


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
    run = Scenario(chain(step("charge", retry=TWICE)))
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


# --- fail


def test_retry_is_born_in_the_failure() -> None:
    """One entry ends the attempt and names the next one; there is no other."""
    run = Scenario(chain(step("charge", retry=BACKOFF)))
    run.start()
    run.time_passes(SECOND)
    decision = run.fail(run.claim("charge"))
    [failed] = decision.entries

    assert isinstance(failed, AttemptFailed)
    assert failed.retry is not None
    assert (AttemptKey(f"{RUN}:charge:2"), 2, EPOCH + 2 * SECOND) == (
        failed.retry.attempt_key,
        failed.retry.number,
        failed.retry.visible_at,
    )
    assert "retry_scheduled" == run.attempt("charge").status


def test_retry_keeps_input_and_idempotency_key() -> None:
    """Whatever entered the context since, a retry works on what the first attempt got."""
    run = Scenario(
        workflow(
            step("pick", output="amount", retry=TWICE),
            step("bill", input={"x": FromPath(path=("amount",))}, retry=TWICE),
            step("end", after=("pick", "bill")),
        )
    )
    run.start({"amount": 5})
    run.perform("pick", 6)
    first = run.attempt("bill")
    run.fail(run.claim("bill"))
    second = run.attempt("bill")

    assert 6 == run.state.context["amount"]
    assert ({"x": 5}, {"x": 5}) == (first.input, second.input)
    assert [f"{RUN}:bill:1"] * 2 == [a.intent.idempotency_key for a in (first, second)]


def test_last_attempt_ends_the_run() -> None:
    """When the policy is exhausted and no route leads on, the run fails with the error."""
    run = Scenario(chain(step("charge", retry=TWICE)))
    run.start()
    run.fail(run.claim("charge"))
    run.fail(run.claim("charge"))

    assert run.state.terminal is not None
    assert ("failed", BOOM, "charge") == (
        run.state.terminal.status,
        run.state.terminal.error,
        run.state.terminal.step,
    )


def test_unretryable_failure_ends_at_once() -> None:
    """A step that says no retry can help gets none."""
    run = Scenario(chain(step("charge", retry=BACKOFF)))
    run.start()
    run.fail(run.claim("charge"), retryable=False)

    assert "failed" == run.state.status


def test_error_route_is_taken_after_the_retries() -> None:
    """First the policy, then the route, with its marker in the decision."""
    run = Scenario(
        workflow(
            step("charge", retry=TWICE),
            step("call"),
            routes=(route("charge", "call", on="error", recovery="undo"),),
        )
    )
    run.start()
    run.fail(run.claim("charge"))
    assert ["charge"] == run.steps
    run.fail(run.claim("charge"))
    [applied] = run.entries(StepApplied)

    assert ["call"] == run.steps
    assert applied.transition is not None
    assert ("error", "call", "undo") == (
        applied.transition.on,
        applied.transition.target,
        applied.transition.recovery,
    )
    assert (None, None) == (applied.source, applied.output)


def test_error_is_not_in_the_successor_s_context() -> None:
    """A handled failure leaves no output; it is kept for inspection."""
    run = Scenario(
        workflow(
            step("charge", output="receipt"),
            step("call"),
            routes=(route("charge", "call", on="error"),),
        )
    )
    run.start({"amount": 5})
    run.fail(run.claim("charge"))

    assert {"amount": 5} == run.attempt("call").input
    assert [BOOM] == list(run.state.failures.values())


def test_failure_of_one_branch_fences_the_others() -> None:
    """Without a route the run fails, and a sibling's result comes too late."""
    run = Scenario(diamond())
    run.start()
    run.perform("pick")
    pack = run.claim("pack")
    run.fail(run.claim("bill"))

    assert "failed" == run.state.status
    assert "terminal_run" == run.expects_refusal(Complete(held=pack)).code


# --- defer


def test_deferral_writes_completion_and_continuation_only() -> None:
    """Nothing is applied, so no join is released and no route is taken."""
    run = started()
    held = run.claim("charge")
    decision = run.defer(held, delay_ms=1_000)
    completed, scheduled = decision.entries

    assert isinstance(completed, AttemptCompleted)
    assert isinstance(scheduled, AttemptScheduled)
    assert completed.deferred
    assert {} == run.state.applied
    assert {} == run.state.unapplied


def test_continuation_is_the_same_work_later() -> None:
    """It keeps number, input and idempotency key, and says where it comes from."""
    run = started()
    first = run.attempt("charge")
    run.defer(run.claim("charge"), delay_ms=1_000)
    later = run.attempt("charge")

    assert first.input == later.input
    assert later.intent == evolve(
        first.intent,
        revision=later.intent.revision,
        attempt_key=AttemptKey(f"{RUN}:charge:1:deferred"),
        input=InputOf(attempt_key=first.key),
        visible_at=EPOCH + SECOND,
        deferred=Deferred(reason="not yet", from_attempt=first.key, deferred_at=EPOCH),
    )


def test_deferrals_are_numbered() -> None:
    """`:deferred`, `:deferred2`, `:deferred3`; the input survives them all."""
    run = started()
    keys = []
    for _ in range(3):
        run.defer(run.claim("charge"))
        keys.append(run.attempt("charge").key)

    stem = f"{RUN}:charge:1:deferred"
    assert [stem, f"{stem}2", f"{stem}3"] == keys
    assert {"amount": 5} == run.attempt("charge").input


def test_deferral_costs_no_attempt() -> None:
    """A failure after two deferrals is still the first failure."""
    run = Scenario(chain(step("charge", retry=TWICE)))
    run.start()
    run.defer(run.claim("charge"))
    run.defer(run.claim("charge"))
    run.fail(run.claim("charge"))

    assert (AttemptKey(f"{RUN}:charge:2"), 2) == (
        run.attempt("charge").key,
        run.attempt("charge").intent.number,
    )
    run.defer(run.claim("charge"))
    assert AttemptKey(f"{RUN}:charge:2:deferred") == run.attempt("charge").key


def test_deferral_until_an_instant() -> None:
    """An instant counts as it is; one of the past is now."""
    for until, visible_at in ((EPOCH + LEASE, EPOCH + LEASE), (EPOCH - LEASE, EPOCH)):
        run = started()
        run.decides(Defer(held=run.claim("charge"), reason="closed", until=until))

        assert visible_at == run.attempt("charge").intent.visible_at


def test_deferring_worker_may_take_other_work_at_once() -> None:
    """A worker whose step waits for the outside gets the next piece of the run."""
    run = Scenario(workflow(step("pack"), step("bill"), step("ship", after=("pack", "bill"))))
    run.start()
    offer = run.offer()
    held = run.claim("pack")
    run.decides(Defer(held=held, reason="later", delay_ms=1_000, offer=offer))

    assert [run.attempt("bill").key] == run.claimed_for(offer)


def test_deferred_step_completes_as_if_it_had_not_been() -> None:
    """The continuation's output is the visit's output."""
    run = started()
    run.defer(run.claim("charge"), delay_ms=1_000)
    run.time_passes(timedelta(milliseconds=1_000))
    run.perform("charge", 7)

    assert 7 == run.state.context["receipt"]
    assert ["ship"] == run.steps
