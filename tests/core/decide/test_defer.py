"""Deferring: the same work later; it costs nothing and releases nothing."""

from datetime import timedelta

from attrs import evolve

from squidmesh_core.ids import AttemptKey
from squidmesh_core.protocol.commands import Defer
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptScheduled,
    Deferred,
    InputOf,
)
from squidmesh_core.values import RetryPolicy
from support.scenario import EPOCH, LEASE, RUN, SECOND, Scenario
from support.workflows import chain, step, workflow

TWICE = RetryPolicy(max_attempts=2)


def started() -> Scenario:
    run = Scenario(chain(step("charge", output="receipt"), step("ship")))
    run.start({"amount": 5})
    return run


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
