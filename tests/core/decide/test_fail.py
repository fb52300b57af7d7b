"""Failing: a retry, then the error route, then the end of the run."""

from datetime import timedelta
from typing import Any

import pytest

from squidmesh_core.ids import AttemptKey
from squidmesh_core.protocol.commands import Complete, Fail
from squidmesh_core.protocol.entries import (
    AttemptFailed,
    StepApplied,
)
from squidmesh_core.values import Compare, Exponential, FromPath, RetryPolicy
from support.scenario import BOOM, EPOCH, RUN, SECOND, Scenario
from support.workflows import chain, diamond, route, step, workflow

TWICE = RetryPolicy(max_attempts=2)
BACKOFF = RetryPolicy(max_attempts=5, backoff=Exponential(min_ms=1_000, max_ms=5_000))


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


@pytest.mark.parametrize(
    ("told", "after_ms"),
    [
        ({"kinds": ("Busy", "Exception")}, 4_000),
        ({"kinds": ("Busy",), "jitter": 0.5}, 3_000),
        ({"kinds": ("Busy",), "retry_after_ms": 5_000}, 5_000),
        ({"kinds": ("ValueError", "Exception")}, None),
    ],
)
def test_a_retry_heeds_what_is_told_of_the_failure(
    told: dict[str, Any], after_ms: int | None
) -> None:
    """Its class decides whether, the step's wish and the drawn number decide when."""
    backoff = Exponential(min_ms=4_000, max_ms=9_000)
    policy = RetryPolicy(max_attempts=5, backoff=backoff, jitter=True, retry_on=("Busy",))
    run = Scenario(chain(step("charge", retry=policy)))
    run.start()
    decision = run.decides(Fail(held=run.claim("charge"), error=BOOM, **told))
    failed = decision.entries[0]
    after = None if after_ms is None else EPOCH + timedelta(milliseconds=after_ms)

    assert isinstance(failed, AttemptFailed)
    assert after == (failed.retry and failed.retry.visible_at)


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
    assert (None, None, None) == (applied.source, applied.output, applied.error)
    assert {"charge": 1, "call": 1} == run.state.visits


def test_error_route_may_look_at_the_context() -> None:
    """Its conditions read what was there before the failure."""
    large = Compare(path=("amount",), operator="at_least", operand=100)
    run = Scenario(
        workflow(
            step("charge"),
            step("call"),
            step("mail"),
            routes=(
                route("charge", "call", on="error", when=large),
                route("charge", "mail", on="error"),
            ),
        )
    )
    run.start({"amount": 100})
    run.fail(run.claim("charge"))

    assert ["call"] == run.steps


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
