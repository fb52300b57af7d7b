"""Time-outs: a timer that any worker may take ends what it guards; deadlines never do."""

from datetime import timedelta

import pytest
from attrs import evolve

from squidmesh_core.definition.spec import Node, Outcome
from squidmesh_core.ids import AttemptKey, NodeName, run_visit, timeout_key, visit_key
from squidmesh_core.protocol.commands import Claim
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptScheduled,
    CompensationStarted,
    Decided,
    InputFrom,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.values import Compare, DeadlinePolicy, FromPath
from support.scenario import EPOCH, LEASE, RUN, SECOND, Scenario, a_cancel, a_message, a_review
from support.workflows import approval, chain, log, pause, receive, route, step, wait, workflow

GATES = [
    pause("look", timeout_ms=1_000),
    approval("look", timeout_ms=1_000),
    receive("look", timeout_ms=1_000),
]
by_kind = pytest.mark.parametrize("node", GATES, ids=["pause", "approval", "receive"])
TIMER = timeout_key(visit_key(RUN, NodeName("look")))
RUN_TIMER = timeout_key(run_visit(RUN))


def begun(*nodes: Node) -> Scenario:
    run = Scenario(chain(*nodes))
    run.start()
    return run


def failure_of(run: Scenario) -> tuple[str, str | None, str | None]:
    """Status, error kind and step of the end."""
    terminal = run.state.terminal
    assert terminal is not None
    return terminal.status, terminal.error.kind if terminal.error else None, terminal.step


# --- the timer


@by_kind
def test_timer_is_born_with_what_it_guards(node: Node) -> None:
    """An attempt without an action, visible when the time is over, never live."""
    run = Scenario(chain(step("pick"), node))
    run.start(queue="bulk", priority=3)
    run.time_passes(SECOND)
    offer = run.offer()
    run.decides(Claim(attempt_key=run.attempt("pick").key, offer=offer))
    decision = run.complete(run.held(offer))

    assert decision.entries[-1] == AttemptScheduled(
        at=EPOCH + SECOND,
        revision=run.state.revision,
        attempt_key=TIMER,
        visit_key=visit_key(RUN, NodeName("look")),
        step=NodeName("look"),
        kind="timer",
        input=InputFrom(bindings={}),
        queue="bulk",
        priority=3,
        visible_at=EPOCH + 2 * SECOND,
        idempotency_key=TIMER,
    )
    assert ([], [TIMER]) == (run.steps, list(run.state.timers))
    assert 1 == run.state.visits[NodeName("look")]


@pytest.mark.parametrize("on", ["timeout", "error"])
def test_way_out_of_a_time_out_may_look_at_the_context(on: Outcome) -> None:
    """Be it a route of its own or, where there is none, the one on error."""
    large = Compare(path=("amount",), operator="at_least", operand=100)
    run = Scenario(
        workflow(
            receive("look", timeout_ms=1_000),
            step("call"),
            step("mail"),
            routes=(
                route("look", "complete"),
                route("look", "call", on=on, when=large),
                route("look", "mail", on=on),
            ),
        )
    )
    run.start({"amount": 100})
    run.time_passes(SECOND)
    run.strike("look")

    assert ["call"] == run.steps


@by_kind
def test_timer_cannot_be_taken_before_its_time(node: Node) -> None:
    """One microsecond early is early."""
    run = begun(node, step("ship"))
    run.time_passes(SECOND - timedelta(microseconds=1))
    claim = Claim(attempt_key=TIMER, offer=run.offer())

    assert "not_claimed" == run.expects_refusal(claim).code
    run.time_passes(timedelta(microseconds=1))
    run.decides(claim)


@by_kind
def test_answer_withdraws_the_timer(node: Node) -> None:
    """A worker that comes late, with an old row in its hand, is refused."""
    run = begun(node, step("ship"))
    answer(run)
    run.time_passes(SECOND)
    refusal = run.expects_refusal(Claim(attempt_key=TIMER, offer=run.offer()))

    assert "stale_claim" == refusal.code
    assert ({}, "withdrawn") == (run.state.timers, run.state.attempts[TIMER].status)


def answer(run: Scenario) -> None:
    """Say whatever `look` waits for."""
    gates = list(run.state.gates.open.values())
    if not gates:
        run.send("look")
    elif gates[0].kind == "pause":
        run.resume()
    else:
        run.approve()


@by_kind
def test_end_withdraws_the_timer(node: Node) -> None:
    """Nothing strikes after the end."""
    run = begun(node, step("ship"))
    run.cancel()
    run.time_passes(SECOND)
    refusal = run.expects_refusal(Claim(attempt_key=TIMER, offer=run.offer()))

    assert ("terminal_run", {}) == (refusal.code, run.state.timers)


def test_compensation_withdraws_timers() -> None:
    """While a run undoes its steps no time-out strikes, not the run's either."""
    charge = evolve(step("charge"), compensate="do.refund")
    run = Scenario(workflow(charge, pause("look", after=("charge",), timeout_ms=1), timeout_ms=9))
    run.start()
    run.perform("charge")
    run.decides(evolve(a_cancel(), compensate=True))
    run.time_passes(SECOND)

    assert {} == run.state.timers
    for key in (TIMER, RUN_TIMER):
        claim = Claim(attempt_key=key, offer=run.offer())
        assert "stale_claim" == run.expects_refusal(claim).code


# --- striking


@by_kind
def test_strike_is_one_append(node: Node) -> None:
    """Claimed, completed, applied as a failure, and on by its own route."""
    run = Scenario(
        workflow(
            node,
            step("ship"),
            step("remind"),
            step("call"),
            routes=(
                route("look", "ship"),
                route("look", "call", on="error"),
                route("look", "remind", on="timeout"),
            ),
        )
    )
    run.start()
    run.time_passes(SECOND)
    offer = run.offer(actions=frozenset())
    claimed, completed, applied, scheduled = run.strike("look", offer=offer).entries

    assert isinstance(claimed, AttemptClaimed)
    assert isinstance(completed, AttemptCompleted)
    assert isinstance(applied, StepApplied)
    assert isinstance(scheduled, AttemptScheduled)
    assert applied.error is not None
    assert (None, None, "timed_out") == (applied.source, applied.output, applied.error.kind)
    assert applied.transition == Decided(
        source=NodeName("look"), on="timeout", target=NodeName("remind")
    )
    assert (["remind"], 1) == (run.steps, run.state.visits[NodeName("look")])
    assert (False, {}) == (run.state.gates.waiting, run.state.mail.awaited)


@by_kind
def test_without_a_route_of_its_own_it_takes_the_error_route(node: Node) -> None:
    """A time-out is a failure."""
    run = Scenario(
        workflow(node, step("ship"), step("call"), routes=(route("look", "call", on="error"),))
    )
    run.start()
    run.time_passes(SECOND)
    run.strike("look")

    assert ["call"] == run.steps


@by_kind
def test_without_any_route_it_fails_the_run(node: Node) -> None:
    """For good, by routes and by dependencies."""
    after = (NodeName("look"),)
    for spec in (chain(node, step("ship")), workflow(node, evolve(step("ship"), after=after))):
        run = Scenario(spec)
        run.start()
        run.time_passes(SECOND)
        decision = run.strike("look")

        assert isinstance(decision.entries[-1], RunTerminal)
        assert ("failed", "timed_out", "look") == failure_of(run)


def test_failure_for_good_undoes_what_was_done() -> None:
    """A time-out that leads nowhere is like any other failure."""
    charge = evolve(step("charge"), compensate="do.refund")
    run = begun(charge, pause("look", timeout_ms=1_000))
    run.perform("charge")
    run.time_passes(SECOND)
    [started] = [e for e in run.strike("look").entries if isinstance(e, CompensationStarted)]

    assert started.failure is not None
    assert ("timed_out", "look") == (started.failure.kind, started.step)


def test_answer_after_the_strike_comes_too_late() -> None:
    """The gate is closed."""
    run = Scenario(
        workflow(
            approval("look", timeout_ms=1_000),
            receive("parcel", timeout_ms=1_000),
            step("call"),
            routes=(
                route("look", "parcel", on="timeout"),
                route("parcel", "call", on="timeout"),
            ),
        )
    )
    run.start()
    run.time_passes(SECOND)
    run.strike("look")
    assert "invalid_transition" == run.expects_refusal(a_review("approved")).code
    run.time_passes(SECOND)
    run.strike("parcel")

    late = run.expects_refusal(a_message("parcel"))

    assert "not_awaited" == late.code
    assert "'parcel' waits for no message any more, and went on without one" in late.message


def test_answer_counts_as_long_as_nobody_struck() -> None:
    """Time alone decides nothing: whoever writes first wins."""
    run = begun(pause("look", timeout_ms=1_000), step("ship"))
    run.time_passes(LEASE)
    run.resume()

    assert ["ship"] == run.steps


def test_each_visit_has_a_timer_of_its_own() -> None:
    """A gate that is reached again waits as long again."""
    run = Scenario(
        workflow(
            pause("look", timeout_ms=1_000, max_visits=2),
            routes=(route("look", "look", on="timeout"),),
        )
    )
    run.start()
    run.time_passes(SECOND)
    run.strike("look")
    assert [f"{RUN}:look@2:timeout"] == list(run.state.timers)
    run.time_passes(SECOND)
    run.strike("look@2")

    assert ("failed", "visits_exhausted", "look") == failure_of(run)


def test_worker_that_stays_takes_what_is_due() -> None:
    """A settlement with a free slot finds timers as it finds logs, and goes on to the next step."""
    run = Scenario(
        workflow(
            pause("look", timeout_ms=1_000),
            step("pick"),
            step("ship", after=("pick",)),
            timeout_ms=90_000,
        )
    )
    run.start()
    held = run.claim("pick")
    run.time_passes(SECOND)
    run.complete(held, offer=run.offer())

    assert ("failed", "timed_out", "look") == failure_of(run)


def test_struck_timer_leads_on_to_a_claim() -> None:
    """The worker that found the time over gets the step that follows."""
    run = Scenario(
        workflow(
            pause("look", timeout_ms=1_000),
            log("note"),
            step("call"),
            routes=(route("look", "note", on="timeout"), route("note", "call")),
        )
    )
    run.start()
    run.time_passes(SECOND)
    offer = run.offer()
    run.strike("look", offer=offer)

    assert [run.attempt("call").key] == run.claimed_for(offer)


def test_nothing_strikes_under_a_hold() -> None:
    """A held run waits, with its time-outs; they strike when it is lifted."""
    run = begun(pause("look", timeout_ms=1_000), step("ship"))
    run.hold()
    run.time_passes(SECOND)
    claim = Claim(attempt_key=TIMER, offer=run.offer())

    assert "not_claimed" == run.expects_refusal(claim).code
    run.resume()
    run.decides(claim)


def test_message_in_time_leaves_the_timer_of_another_visit() -> None:
    """Only the visit's own is withdrawn."""
    run = Scenario(
        workflow(
            receive("parcel", timeout_ms=1_000),
            pause("look", timeout_ms=1_000),
            step("ship", after=("parcel", "look")),
        )
    )
    run.start()
    run.send("parcel")

    assert [TIMER] == list(run.state.timers)


# --- the run's


def test_run_has_a_timer_from_its_start() -> None:
    """Its visit is the run, its step has no name."""
    run = Scenario(workflow(step("pick"), step("ship", after=("pick",)), timeout_ms=1_000))
    run.start()
    timer = run.entries(AttemptScheduled)[0]

    assert AttemptKey(f"{RUN}:timeout") == timer.attempt_key
    assert (run_visit(RUN), NodeName("")) == (timer.visit_key, timer.step)
    assert (None, EPOCH + SECOND) == (timer.action, timer.visible_at)
    assert {"pick": 1} == run.state.visits


def test_run_timer_begins_with_a_delayed_start() -> None:
    """A run that may not begin yet loses no time."""
    run = Scenario(workflow(step("pick"), timeout_ms=1_000))
    run.start(visible_at=EPOCH + LEASE)

    assert EPOCH + LEASE + SECOND == run.state.timers[RUN_TIMER].intent.visible_at


def test_run_that_is_over_in_time_withdraws_its_timer() -> None:
    """It is not waited for."""
    run = Scenario(workflow(step("pick"), timeout_ms=1_000))
    run.start()
    run.perform("pick")

    assert ("completed", "withdrawn") == (run.state.status, run.state.attempts[RUN_TIMER].status)


@pytest.mark.parametrize(
    "node", [step("pick"), wait("nap", 90_000), *GATES], ids=lambda node: type(node).__name__
)
def test_run_that_takes_too_long_fails(node: Node) -> None:
    """Whatever it waits for; no step's failure."""
    run = Scenario(evolve(chain(node), timeout_ms=900))
    run.start()
    run.time_passes(SECOND)
    run.strike()

    assert ("failed", "run_timed_out", None) == failure_of(run)


def test_step_at_work_is_fenced_off_when_the_run_times_out() -> None:
    """Its result is refused, as after a cancel."""
    run = Scenario(workflow(step("pick"), timeout_ms=1_000))
    run.start()
    held = run.claim("pick")
    run.time_passes(SECOND)
    run.strike()

    assert "claimed" == run.state.live[held.attempt_key].status


def test_run_time_out_undoes_what_was_done() -> None:
    """It is a failure for good."""
    charge = evolve(step("charge"), compensate="do.refund")
    run = Scenario(evolve(chain(charge, pause("look")), timeout_ms=1_000))
    run.start()
    run.perform("charge")
    run.time_passes(SECOND)
    run.strike()

    assert "compensating" == run.state.status


# --- deadlines


@pytest.mark.parametrize(
    "node",
    [
        pause("look", deadline=DeadlinePolicy(within_ms=1)),
        approval("look", deadline=DeadlinePolicy(within_ms=1)),
        receive("look", deadline=DeadlinePolicy(within_ms=1)),
    ],
    ids=["pause", "approval", "receive"],
)
def test_deadlines_never_act(node: Node) -> None:
    """Overdue is not over: no timer, and the answer counts."""
    run = begun(node, step("ship"))
    run.time_passes(LEASE)

    assert ({}, ()) == (run.state.timers, tuple(run.state.live))
    answer(run)
    assert ["ship"] == run.steps


def test_visit_that_fails_on_the_way_in_has_no_timer() -> None:
    """Nothing is waited for."""
    run = Scenario(
        workflow(
            step("pick"),
            receive("look", correlation=FromPath(path=("order",)), timeout_ms=1_000),
            step("call"),
            routes=(route("pick", "look"), route("look", "call", on="error")),
        )
    )
    run.start()
    run.perform("pick")

    assert {} == run.state.timers
