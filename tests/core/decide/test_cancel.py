"""Cancel: an operator ends the run where it is."""

import pytest

from squidmesh_core.protocol.commands import Complete
from squidmesh_core.protocol.entries import (
    AttemptScheduled,
    CompensationStarted,
    RunSignalReceived,
    RunTerminal,
)
from squidmesh_core.values import RetryPolicy
from support.naive_undoing import everything_is_accounted_for
from support.scenario import BOOM, EPOCH, SECOND, Scenario, a_cancel
from support.workflows import chain, step, workflow

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


# --- with what was done undone


def test_cancel_may_ask_for_compensation() -> None:
    """Receipt, the turn, the first callback; the run ends cancelled once all is undone."""
    run = Scenario(chain(step("charge", compensate=True), step("ship", compensate=True)))
    run.start()
    run.perform("charge")
    decision = run.cancel(compensate=True)
    [begun] = run.entries(CompensationStarted)

    assert [RunSignalReceived, CompensationStarted, AttemptScheduled] == [
        type(entry) for entry in decision.entries
    ]
    assert ("cancel", None, None) == (begun.cause, begun.failure, begun.step)
    assert {"compensate": True} == run.entries(RunSignalReceived)[-1].payload
    assert "compensating" == run.state.status
    assert run.attempt("charge").input["failure"] is None
    run.undo("charge")
    assert run.state.terminal is not None
    assert ("cancelled", None, None, ()) == (
        run.state.terminal.status,
        run.state.terminal.error,
        run.state.terminal.step,
        run.state.terminal.recovery,
    )


def test_cancel_with_nothing_to_undo_is_the_end() -> None:
    """No result with a callback, none to come: the run is cancelled at once."""
    run = started()
    decision = run.cancel(compensate=True)

    assert [RunSignalReceived, RunTerminal] == [type(entry) for entry in decision.entries]
    assert "cancelled" == run.state.status


def test_plain_cancel_undoes_nothing() -> None:
    """Who does not ask for it leaves everything as it is."""
    run = Scenario(chain(step("charge", compensate=True), step("ship")))
    run.start()
    run.perform("charge")
    run.cancel()
    assert run.state.terminal is not None

    assert ("cancelled", ()) == (run.state.status, run.state.terminal.recovery)
    assert {} == run.entries(RunSignalReceived)[-1].payload


def test_cancel_waits_for_who_is_at_work() -> None:
    """A claimed step settles first; its result is undone like the others."""
    run = Scenario(chain(step("charge", compensate=True), step("ship")))
    run.start()
    held = run.claim("charge")
    decision = run.cancel(compensate=True)
    assert [RunSignalReceived, CompensationStarted] == [type(entry) for entry in decision.entries]
    run.complete(held, "paid")
    assert "paid" == run.attempt("charge").input["output"]
    run.undo("charge")

    assert "cancelled" == run.state.status


def test_cancel_closes_a_hold() -> None:
    """A held run can be cancelled, and its callbacks can be claimed."""
    run = Scenario(chain(step("charge", compensate=True), step("ship")))
    run.start()
    run.perform("charge")
    run.hold()
    run.cancel(compensate=True)
    run.undo("charge")

    assert ("cancelled", None) == (run.state.status, run.state.gates.hold)


def test_callback_that_fails_leaves_a_cancelled_run_to_look_at() -> None:
    """It ends cancelled all the same, and lists what was not undone."""
    once = RetryPolicy(max_attempts=1)
    run = Scenario(chain(step("charge", compensate=True, compensate_retry=once), step("ship")))
    run.start()
    run.perform("charge")
    run.cancel(compensate=True)
    run.fail(run.claim("charge"))
    assert run.state.terminal is not None

    assert ("cancelled", None) == (run.state.terminal.status, run.state.terminal.error)
    assert [("charge", "compensation_failed", BOOM)] == [
        (left.step, left.reason, left.error) for left in run.state.terminal.recovery
    ]


# --- while a run is undone


def half_way() -> Scenario:
    """`one` and `two` are done, `three` and `four` can be claimed."""
    run = Scenario(
        workflow(
            step("one", compensate=True),
            step("two", compensate=True),
            step("three"),
            step("four"),
            step("end", after=("one", "two", "three", "four")),
        )
    )
    run.start()
    run.perform("one")
    run.perform("two")
    return run


@pytest.mark.parametrize("compensate", [False, True])
def test_cancel_is_refused_while_undoing(compensate: bool) -> None:
    """Half a rollback must not pass for an end."""
    run = half_way()
    run.fail(run.claim("three"))
    refusal = run.expects_refusal(a_cancel(compensate=compensate))

    assert ("compensating", "compensating") == (refusal.code, refusal.details["status"])
    assert "abandon" in refusal.message


def test_abandoning_ends_it_and_lists_the_rest() -> None:
    """What was undone is not listed; what was not, and what somebody is at, is."""
    run = half_way()
    held = run.claim("four")
    run.fail(run.claim("three"))
    decision = run.cancel(abandon=True)
    end = run.state.terminal

    assert [RunSignalReceived, RunTerminal] == [type(entry) for entry in decision.entries]
    assert {"abandon": True} == run.entries(RunSignalReceived)[-1].payload
    assert end is not None
    assert ("cancelled", BOOM, "three") == (end.status, end.error, end.step)
    assert [("one", "abandoned"), ("two", "abandoned"), ("four", "effect_unknown")] == [
        (left.step, left.reason) for left in end.recovery
    ]
    assert "terminal_run" == run.expects_refusal(Complete(held=held)).code
    everything_is_accounted_for(run.journal, run.spec)


def test_abandoning_lists_the_callback_in_flight_too() -> None:
    """Nobody knows how far it came, so it counts as not undone."""
    run = half_way()
    run.fail(run.claim("three"))
    run.undo("two")
    held = run.claim("one")
    run.cancel(abandon=True)
    assert run.state.terminal is not None

    assert [("one", "abandoned")] == [
        (left.step, left.reason) for left in run.state.terminal.recovery
    ]
    assert "terminal_run" == run.expects_refusal(Complete(held=held)).code


def test_only_a_run_that_undoes_can_be_abandoned() -> None:
    """Elsewhere there is nothing that could be abandoned."""
    run = started()
    refusal = run.expects_refusal(a_cancel(abandon=True))

    assert ("invalid_transition", "running") == (refusal.code, refusal.details["status"])


@pytest.mark.parametrize("turned", [False, True])
def test_compensate_and_abandon_contradict_each_other(turned: bool) -> None:
    """Both at once are refused, wherever the run is."""
    run = half_way()
    if turned:
        run.fail(run.claim("three"))
    refusal = run.expects_refusal(a_cancel(compensate=True, abandon=True))

    assert "invalid_transition" == refusal.code
    assert "opposite" in refusal.message


def test_same_cancel_again_answers_while_undoing() -> None:
    """A repetition under its key is a success, also where another cancel is refused."""
    run = half_way()
    first = run.cancel(key="k", compensate=True).entries[0]
    again = run.expects_already(a_cancel(key="k", compensate=True))

    assert (first.revision, "compensating") == (again.revision, again.state.status)
