"""Cancel: an operator ends the run where it is."""

import pytest

from squidmesh_core.protocol.commands import Complete
from squidmesh_core.protocol.entries import RunSignalReceived, RunTerminal
from support.scenario import EPOCH, SECOND, Scenario, a_cancel
from support.workflows import chain, step

CHARGE = chain(step("charge"), step("ship"))


def started() -> Scenario:
    run = Scenario(CHARGE)
    run.start()
    return run


def test_cancel_is_receipt_then_end() -> None:
    """One append: who wanted it, and the end."""
    run = started()
    run.time_passes(SECOND)
    receipt, end = run.cancel(key="k").entries

    assert isinstance(receipt, RunSignalReceived)
    assert isinstance(end, RunTerminal)
    assert ("cancel", "olga", "k") == (receipt.command, receipt.actor, receipt.idempotency_key)
    assert ("cancelled", EPOCH + SECOND, None) == (end.status, end.at, end.error)


def test_running_step_is_fenced_off() -> None:
    """A claimed step is not interrupted; its result is refused."""
    run = started()
    held = run.claim("charge")
    run.cancel()

    assert "terminal_run" == run.expects_refusal(Complete(held=held)).code
    assert ["claimed"] == [attempt.status for attempt in run.state.live.values()]


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_ended_run_cannot_be_cancelled(end: str) -> None:
    """Whatever its end was, it stays."""
    run = Scenario(chain(step("charge")))
    run.start()
    if end == "completed":
        run.perform("charge")
    elif end == "failed":
        run.fail(run.claim("charge"))
    else:
        run.cancel(key="k")
    refusal = run.expects_refusal(a_cancel(key="another"))

    assert ("invalid_transition", end) == (refusal.code, refusal.details["status"])


def test_run_that_is_not_there_cannot_be_cancelled() -> None:
    """A run that never started is refused, not ended."""
    run = Scenario(CHARGE)

    assert "not_found" == run.expects_refusal(a_cancel()).code


def test_same_cancel_again_answers_with_the_first() -> None:
    """The same key and request: the first receipt, no write."""
    run = started()
    first = run.cancel(key="k").entries[0]

    assert first.revision == run.expects_already(a_cancel(key="k")).revision


def test_another_cancel_under_the_key_conflicts() -> None:
    """A key belongs to one request."""
    run = started()
    run.cancel(key="k")

    assert "idempotency_conflict" == run.expects_refusal(a_cancel(key="k", digest="other")).code


def test_cancel_without_a_key_is_not_remembered() -> None:
    """Only a key makes a repetition recognisable."""
    run = started()
    run.cancel()

    assert "invalid_transition" == run.expects_refusal(a_cancel()).code


def test_refused_cancel_leaves_its_key_free() -> None:
    """A refusal is not stored, so the key may still be used elsewhere in the run's life."""
    run = Scenario(CHARGE)
    run.expects_refusal(a_cancel(key="k"))
    run.start()
    run.decides(a_cancel(key="k"))

    assert "cancelled" == run.state.status
