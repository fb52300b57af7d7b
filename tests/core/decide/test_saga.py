"""Saga: what was done is undone, backwards, once, before a run ends failed (protocol §5)."""

from collections.abc import Callable

import pytest
from hypothesis import event, given

from squidmesh_core.ids import AttemptKey
from squidmesh_core.protocol.commands import Claim
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.values import Compare, FromPath
from support import naive_undoing
from support.plays import plays
from support.scenario import BOOM, RUN, SECOND, Scenario, a_hold, a_message, a_resume, a_review
from support.trips import TWICE, due, ended, failed, kinds, trip, visit
from support.workflows import approval, chain, pause, receive, route, step, wait, workflow

# --- when it starts


def test_failure_starts_to_undo_in_its_own_append() -> None:
    """The failure, the turn, the first callback: one append, and the run is compensating."""
    run = Scenario(trip())
    run.start()
    run.perform("flight")
    run.perform("hotel")
    decision = run.fail(run.claim("pay"))

    assert [AttemptFailed, CompensationStarted, AttemptScheduled] == kinds(decision.entries)
    [begun] = run.entries(CompensationStarted)
    assert ("failure", BOOM, "pay") == (begun.cause, begun.failure, begun.step)
    assert "compensating" == run.state.status


def test_failure_with_nothing_to_undo_ends_the_run() -> None:
    """No result with a callback, none to come: the end, and nothing else."""
    run = failed(trip(), step="flight")

    assert [] == run.entries(CompensationStarted)
    assert ("failed", BOOM, ()) == (ended(run).status, ended(run).error, ended(run).recovery)


def test_the_failing_step_is_not_undone() -> None:
    """Its own effect is the callback's author's business, not the run's."""
    run = failed(trip(), "flight", step="hotel")
    run.undo("flight")

    assert ["flight"] == [a.step for a in run.entries(AttemptScheduled) if a.kind == "compensation"]
    assert ("failed", BOOM, "hotel") == (ended(run).status, ended(run).error, ended(run).step)


def test_retries_come_before_undoing() -> None:
    """While the policy gives another try, nothing is undone."""
    run = Scenario(chain(step("flight", compensate=True), step("pay", retry=TWICE)))
    run.start()
    run.perform("flight")
    run.fail(run.claim("pay"))
    assert [] == run.entries(CompensationStarted)
    run.fail(run.claim("pay"))

    assert "compensating" == run.state.status


def test_an_error_route_is_no_failure_of_the_run() -> None:
    """Where the definition knows what to do, nothing is undone."""
    spec = workflow(
        step("flight", compensate=True),
        step("pay"),
        step("ask"),
        routes=(route("flight", "pay"), route("pay", "ask", on="error", recovery="compensation")),
    )
    run = failed(spec, "flight", step="pay")

    assert ["ask"] == run.steps
    [taken] = [a.transition for a in run.entries(StepApplied) if a.step == "pay"]
    assert taken is not None
    assert ("error", "ask", "compensation") == (taken.on, taken.target, taken.recovery)


def lost_path() -> Scenario:
    """A later step wants what is not there."""
    late = step("pay", input={"x": FromPath(path=("nothing",))})
    run = Scenario(chain(step("flight", compensate=True), late))
    run.start()
    run.perform("flight")
    return run


def no_route() -> Scenario:
    """No condition of the only route holds."""
    never = Compare(path=("amount",), operator="equals", operand=1)
    spec = workflow(
        step("flight", compensate=True), step("pay"), routes=(route("flight", "pay", when=never),)
    )
    run = Scenario(spec)
    run.start({"amount": 5})
    run.perform("flight")
    return run


def one_visit_more() -> Scenario:
    """A loop asks for one visit more than allowed."""
    spec = workflow(
        step("flight", compensate=True, max_visits=1), routes=(route("flight", "flight"),)
    )
    run = Scenario(spec)
    run.start()
    run.perform("flight")
    return run


def rejected() -> Scenario:
    """A person says no, and no route is there for it."""
    run = Scenario(chain(step("flight", compensate=True), approval("agree")))
    run.start()
    run.perform("flight")
    run.reject()
    return run


def gate_timed_out() -> Scenario:
    """Nobody answers in time."""
    run = Scenario(chain(step("flight", compensate=True), pause("look", timeout_ms=1_000)))
    run.start()
    run.perform("flight")
    run.time_passes(SECOND)
    run.strike("look", offer=run.offer(actions=frozenset()))
    return run


def run_timed_out() -> Scenario:
    """The run as a whole takes too long, at a gate."""
    spec = workflow(
        step("flight", compensate=True),
        pause("look"),
        routes=(route("flight", "look"),),
        timeout_ms=1_000,
    )
    run = Scenario(spec)
    run.start()
    run.perform("flight")
    run.time_passes(SECOND)
    run.strike(offer=run.offer(actions=frozenset()))
    return run


@pytest.mark.parametrize(
    ("fails", "kind", "step"),
    [
        (lost_path, "missing_input_path", "pay"),
        (no_route, "no_matching_transition", "flight"),
        (one_visit_more, "visits_exhausted", "flight"),
        (rejected, "rejected", "agree"),
        (gate_timed_out, "timed_out", "look"),
        (run_timed_out, "run_timed_out", None),
    ],
)
def test_whatever_ends_a_run_failed_undoes_first(
    fails: Callable[[], Scenario], kind: str, step: str | None
) -> None:
    """Input, route, visits, people, time: each failure for good turns the run round."""
    run = fails()
    [begun] = run.entries(CompensationStarted)
    assert begun.failure is not None
    assert ("compensating", kind, step) == (run.state.status, begun.failure.kind, begun.step)
    run.undo("flight")

    assert ended(run).error is begun.failure


def test_turning_round_closes_what_is_open() -> None:
    """Unclaimed attempts and timers are withdrawn, gates, holds and awaits closed."""
    spec = workflow(
        step("flight", compensate=True),
        step("pay"),
        step("idle"),
        pause("look", timeout_ms=1_000),
        receive("mail"),
        wait("nap", 5_000),
        step("end", after=("flight", "pay")),
    )
    run = Scenario(spec)
    run.start()
    run.perform("flight")
    held = run.claim("pay")
    run.hold()
    run.fail(held)
    statuses = {a.intent.step: a.status for a in run.state.settled.values()}

    assert {"idle": "withdrawn", "nap": "withdrawn", "look": "withdrawn"} == {
        name: status for name, status in statuses.items() if name not in {"flight", "pay"}
    }
    assert (False, {}, {}) == (
        run.state.gates.waiting,
        run.state.mail.awaited,
        run.state.timers,
    )
    run.undo("flight")
    assert "failed" == ended(run).status


def test_nothing_else_is_taken_while_undoing() -> None:
    """Answers, holds and messages are refused as `compensating`; withdrawn work is not claimable."""
    spec = workflow(
        step("flight", compensate=True),
        step("pay"),
        step("idle"),
        pause("look"),
        approval("agree"),
        receive("mail"),
        step("end", after=("flight",)),
    )
    run = failed(spec, "flight", step="pay")
    commands = (
        a_hold(),
        a_resume(),
        a_resume("look"),
        a_review("approved", "agree"),
        a_review("rejected", "agree"),
        a_message("mail"),
    )

    assert ["compensating"] * len(commands) == [run.expects_refusal(c).code for c in commands]
    idle = AttemptKey(f"{RUN}:idle:1")
    claim = Claim(attempt_key=idle, offer=run.offer())
    assert "stale_claim" == run.expects_refusal(claim).code


# --- order, and one at a time


def test_last_applied_is_undone_first() -> None:
    """One callback after the other, each in the append that ends the one before it."""
    run = failed(trip(), "flight", "hotel", step="pay")
    assert ["hotel"] == due(run)
    decision = run.undo("hotel")
    assert [AttemptCompleted, StepApplied, AttemptScheduled] == kinds(decision.entries)
    assert ["flight"] == due(run)
    decision = run.undo("flight")

    assert [AttemptCompleted, StepApplied, RunTerminal] == kinds(decision.entries)
    assert ("failed", BOOM, "pay", ()) == (
        ended(run).status,
        ended(run).error,
        ended(run).step,
        ended(run).recovery,
    )


def test_order_is_that_of_application() -> None:
    """Neither the definition's order nor the schedule's counts."""
    spec = workflow(
        step("a", compensate=True),
        step("b", compensate=True),
        step("c", compensate=True),
        step("end", after=("a", "b", "c")),
    )
    run = Scenario(spec)
    run.start()
    for name in ("b", "c", "a"):
        run.perform(name)
    run.fail(run.claim("end"))
    order = []
    while run.state.terminal is None:
        order += due(run)
        run.undo(due(run)[0])

    assert ["a", "c", "b"] == order
    assert () == ended(run).recovery


def test_visits_of_a_loop_are_undone_one_by_one() -> None:
    """Each visit has its own callback, its own key and its own input."""
    again = Compare(path=("more",), operator="equals", operand=True)
    spec = workflow(
        step(
            "book",
            input={"n": FromPath(path=("more",))},
            output="more",
            compensate=True,
            max_visits=3,
        ),
        step("pay"),
        routes=(route("book", "book", when=again), route("book", "pay")),
    )
    run = Scenario(spec)
    run.start({"more": "at first"})
    run.perform("book", True)
    run.perform("book", False)
    run.fail(run.claim("pay"))
    inputs = []
    while run.state.terminal is None:
        attempt = run.attempt("book")
        inputs.append((attempt.intent.visit_key, attempt.input["input"], attempt.input["output"]))
        run.undo("book")

    assert [
        (visit("compensate:book@2"), {"n": True}, False),
        (visit("compensate:book"), {"n": "at first"}, True),
    ] == inputs
    assert () == ended(run).recovery


def test_steps_without_callback_are_passed_over() -> None:
    """Only what declares `compensate` is undone; the others stay as they are."""
    spec = chain(
        step("flight", compensate=True),
        step("note"),
        step("sent", irreversible=True),
        step("kept", compensatable=False),
        step("pay"),
    )
    run = failed(spec, "flight", "note", "sent", "kept", step="pay")
    assert ["flight"] == due(run)
    run.undo("flight")

    assert () == ended(run).recovery


def test_an_error_routed_step_is_not_undone() -> None:
    """It was applied, but without a result; its handler's work is undone."""
    spec = workflow(
        step("flight", compensate=True),
        step("train", compensate=True),
        step("pay"),
        routes=(route("flight", "train", on="error"), route("train", "pay")),
    )
    run = Scenario(spec)
    run.start()
    run.fail(run.claim("flight"))
    run.perform("train")
    run.fail(run.claim("pay"))
    assert ["train"] == due(run)
    run.undo("train")

    assert () == ended(run).recovery


def test_a_deferred_step_is_undone_once() -> None:
    """A deferral is no result of its own; the callback is given the last one."""
    run = Scenario(trip())
    run.start()
    run.defer(run.claim("flight"))
    run.perform("flight", "LX 14")
    run.fail(run.claim("hotel"))

    assert "LX 14" == run.attempt("flight").input["output"]
    run.undo("flight")
    assert () == ended(run).recovery


def test_gates_and_messages_are_not_undone() -> None:
    """Nobody can take an answer back."""
    spec = chain(step("flight", compensate=True), pause("look"), receive("mail"), step("pay"))
    run = Scenario(spec)
    run.start()
    run.perform("flight")
    run.resume()
    run.send("mail")
    run.fail(run.claim("pay"))
    run.undo("flight")

    assert () == ended(run).recovery


# --- all of it, wherever a run can get to


@given(plays())
def test_second_opinion_agrees_on_every_play(run: Scenario) -> None:
    """Order, one at a time, nothing forward, all accounted for, the first failure: in any run."""
    turn = naive_undoing.started(run.journal)
    event(f"{'forward' if turn is None else turn.cause}, {run.state.status}")
    naive_undoing.every_rule_holds(run.journal, run.spec)
