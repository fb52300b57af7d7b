"""Saga: what was done is undone, backwards, once, before a run ends failed (protocol §5)."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import AttemptKey, NodeName, VisitKey
from squidmesh_core.protocol.commands import Claim, Complete, Defer, Fail, Heartbeat, Held
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    Failure,
    InputUndo,
    RunTerminal,
    StepApplied,
    Unrecovered,
)
from squidmesh_core.values import Compare, Exponential, FromPath, RetryPolicy
from support import naive_undoing
from support.scenario import (
    BOOM,
    EPOCH,
    LEASE,
    RUN,
    SECOND,
    Scenario,
    a_hold,
    a_message,
    a_resume,
    a_review,
    milliseconds,
)
from support.workflows import (
    approval,
    chain,
    pause,
    receive,
    route,
    step,
    wait,
    workflow,
)

BANG = Failure(kind="Bang", message="it broke as well")
TWICE = RetryPolicy(max_attempts=2)
ONCE = RetryPolicy(max_attempts=1)


def visit(name: str) -> VisitKey:
    return VisitKey(f"{RUN}:{name}")


def trip(**options: RetryPolicy) -> Spec:
    """Flight, hotel and car one after the other; paying comes last and cannot be undone."""
    return chain(
        step("flight", output="flight", compensate=True, compensate_retry=options.get("flight")),
        step("hotel", output="hotel", compensate=True, compensate_retry=options.get("hotel")),
        step("pay"),
    )


def side_by_side() -> Spec:
    """Three steps without order, each with a callback, and one after them all."""
    return workflow(
        step("a", compensate=True),
        step("b", compensate=True),
        step("c", compensate=True),
        step("end", after=("a", "b", "c")),
    )


def failed(spec: Spec, *done: str, step: str) -> Scenario:
    """A run that did these steps, and then failed at that one."""
    run = Scenario(spec)
    run.start({"amount": 5})
    for name in done:
        run.perform(name, f"{name} done")
    run.fail(run.claim(step))
    return run


def kinds(entries: tuple[Entry, ...]) -> list[type[Entry]]:
    return [type(entry) for entry in entries]


def due(run: Scenario) -> list[str]:
    """The steps whose callback is live."""
    return [a.intent.step for a in run.state.live.values() if a.intent.kind == "compensation"]


def ended(run: Scenario) -> RunTerminal:
    """How the run ended, which passes the second opinion."""
    assert run.state.terminal is not None
    naive_undoing.effects_are_undone_backwards(run.journal, run.spec)
    naive_undoing.one_callback_at_a_time(run.journal)
    naive_undoing.nothing_goes_forward_while_undoing(run.journal)
    naive_undoing.everything_is_accounted_for(run.journal, run.spec)
    naive_undoing.first_failure_stays_the_error(run.journal)
    return run.state.terminal


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


# --- what a callback is given


def test_callback_gets_what_its_step_got_and_gave() -> None:
    """Input, output and why; the key it hands to the outside is that of its visit."""
    run = failed(trip(), "flight", "hotel", step="pay")
    attempt = run.attempt("hotel")

    assert InputUndo(visit_key=visit("hotel")) == attempt.intent.input
    assert {
        "input": {"amount": 5, "flight": "flight done"},
        "output": "hotel done",
        "failure": {"kind": "Boom", "message": "it broke", "code": None, "details": {}},
    } == attempt.input
    assert (
        visit("compensate:hotel"),
        AttemptKey(f"{RUN}:compensate:hotel:1"),
        f"{RUN}:compensate:hotel:1",
        "undo.hotel",
        "compensation",
    ) == (
        attempt.intent.visit_key,
        attempt.key,
        attempt.intent.idempotency_key,
        attempt.intent.action,
        attempt.intent.kind,
    )


def test_output_of_a_callback_does_not_enter_the_context() -> None:
    """It is in the journal, and nowhere else."""
    run = failed(trip(), "flight", step="hotel")
    before = run.state.context
    run.undo("flight", {"refund": 5})
    applied = run.entries(StepApplied)[-1]

    assert before == run.state.context
    assert {} == run.state.unapplied
    assert (visit("compensate:flight"), None, None) == (
        applied.visit_key,
        applied.output,
        applied.transition,
    )
    assert {visit("flight"): "compensated"} == run.state.saga.undone


def test_callback_goes_where_its_step_goes() -> None:
    """Queue and priority are the step's, else the run's."""
    spec = chain(
        step("flight", compensate=True, queue="air", priority=-3),
        step("hotel", compensate=True),
        step("pay"),
    )
    run = Scenario(spec)
    run.start(queue="bulk", priority=7)
    run.perform("flight")
    run.perform("hotel")
    run.fail(run.claim("pay"))
    hotel = run.attempt("hotel").intent
    run.undo("hotel")
    flight = run.attempt("flight").intent

    assert [("bulk", 7), ("air", -3)] == [(i.queue, i.priority) for i in (hotel, flight)]


def test_worker_goes_on_with_the_callback() -> None:
    """A worker that failed with a free slot claims the callback in the same append."""
    run = Scenario(trip())
    run.start()
    run.perform("flight")
    held = run.claim("hotel")
    offer = run.offer()
    run.decides(Fail(held=held, error=BOOM, offer=offer))
    other = run.offer()
    run.complete(run.held(offer), offer=other)

    assert [AttemptKey(f"{RUN}:compensate:flight:1")] == run.claimed_for(offer)
    assert [] == run.claimed_for(other)
    assert "failed" == ended(run).status


def test_worker_without_the_callback_leaves_it() -> None:
    """Who cannot perform a callback does not get it."""
    run = Scenario(trip())
    run.start()
    run.perform("flight")
    held = run.claim("hotel")
    offer = run.offer(actions=frozenset({"do.flight", "do.hotel"}))
    run.decides(Fail(held=held, error=BOOM, offer=offer))

    assert [] == run.claimed_for(offer)
    assert ["flight"] == due(run)


# --- siblings in flight


def in_flight() -> tuple[Scenario, dict[str, Held]]:
    """`a` is done and `b` has failed for good, while somebody holds `c` and `other`."""
    spec = workflow(
        step("a", compensate=True),
        step("b", compensate=True),
        step("c", compensate=True, retry=TWICE),
        step("other"),
        step("end", after=("a", "b", "c", "other")),
    )
    run = Scenario(spec)
    run.start()
    run.perform("a")
    held = {name: run.claim(name) for name in ("b", "c", "other")}
    run.fail(held.pop("b"))
    return run, held


def test_siblings_settle_before_anything_is_undone() -> None:
    """While somebody holds an attempt no callback is scheduled."""
    run, held = in_flight()
    assert ("compensating", []) == (run.state.status, due(run))
    run.complete(held["other"])
    assert [] == due(run)
    run.complete(held["c"])

    assert ["c"] == due(run)


def test_result_of_a_sibling_is_undone_too() -> None:
    """It is taken in, leads nowhere, and is the last, so it goes first."""
    run, held = in_flight()
    run.complete(held["c"], "late")
    applied = run.entries(StepApplied)[-1]
    assert ("c", None) == (applied.step, applied.transition)
    run.complete(held["other"])
    order = []
    while run.state.terminal is None:
        order += due(run)
        run.undo(due(run)[0])

    assert ["c", "a"] == order
    assert () == ended(run).recovery


def test_result_of_a_sibling_leads_nowhere() -> None:
    """What it would have released is not scheduled."""
    spec = workflow(
        step("a", compensate=True),
        step("b"),
        step("next", after=("a",)),
        step("end", after=("next", "b")),
    )
    run = Scenario(spec)
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    run.complete(held)

    assert ["a"] == due(run) == run.steps


def test_failure_of_a_sibling_is_final() -> None:
    """No retry, no callback: nobody knows its effect, and the first error stays."""
    run, held = in_flight()
    decision = run.fail(held["c"], BANG)
    assert [AttemptFailed] == kinds(decision.entries)
    assert run.entries(AttemptFailed)[-1].retry is None
    run.complete(held["other"])
    run.undo("a")
    end = ended(run)

    assert (BOOM, "b") == (end.error, end.step)
    assert (
        Unrecovered(visit_key=visit("c"), step=NodeName("c"), reason="effect_unknown", error=BANG),
    ) == end.recovery


def test_deferral_of_a_sibling_is_final() -> None:
    """Later never comes: no continuation, effect unknown."""
    run, held = in_flight()
    run.complete(held["other"])
    decision = run.defer(held["c"])
    assert [AttemptCompleted, AttemptScheduled] == kinds(decision.entries)
    assert ["a"] == due(run)
    run.undo("a")

    assert [(visit("c"), "effect_unknown", None)] == [
        (left.visit_key, left.reason, left.error) for left in ended(run).recovery
    ]


def test_lost_sibling_is_ended_by_whoever_finds_it() -> None:
    """At the end of its lease it is lost, not delivered again; what comes next is claimed."""
    run, held = in_flight()
    run.complete(held["other"])
    run.time_passes(LEASE)
    offer = run.offer("ben")
    decision = run.decides(Claim(attempt_key=held["c"].attempt_key, offer=offer))

    assert [AttemptFailed, AttemptScheduled, AttemptClaimed] == kinds(decision.entries)
    lost = run.entries(AttemptFailed)[-1]
    assert ("worker_lost", None, None) == (lost.error.kind, lost.claim_id, lost.retry)
    run.complete(run.held(offer))
    assert [(visit("c"), "effect_unknown", lost.error)] == [
        (left.visit_key, left.reason, left.error) for left in ended(run).recovery
    ]


def test_sibling_keeps_its_lease_by_heartbeats() -> None:
    """Its heartbeats still count, so that it can come to an end."""
    run, held = in_flight()
    run.time_passes(LEASE - SECOND)
    run.heartbeat(held["c"])
    run.time_passes(SECOND)
    claim = Claim(attempt_key=held["c"].attempt_key, offer=run.offer("ben"))

    assert "stale_claim" == run.expects_refusal(claim).code
    assert "expired_claim" == run.expects_refusal(Heartbeat(held=held["other"], lease_ms=1)).code


def test_claimed_sibling_alone_is_reason_enough() -> None:
    """Nothing is done yet, but what somebody works at could have to be undone."""
    run = Scenario(side_by_side())
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    assert "compensating" == run.state.status
    run.complete(held)
    assert ["a"] == due(run)
    run.undo("a")

    assert () == ended(run).recovery


def test_claimed_sibling_without_callback_is_not() -> None:
    """With nothing to undo, now or soon, the run ends and fences it off."""
    spec = workflow(step("a"), step("b", compensate=True), step("end", after=("a", "b")))
    run = Scenario(spec)
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))

    assert "failed" == ended(run).status
    assert "terminal_run" == run.expects_refusal(Complete(held=held)).code


def test_sibling_that_fails_leaves_nothing_to_undo() -> None:
    """The run waited for it in vain, and ends with what it left open."""
    run = Scenario(side_by_side())
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    decision = run.fail(held, BANG)

    assert [AttemptFailed, RunTerminal] == kinds(decision.entries)
    assert (BOOM, ["effect_unknown"]) == (
        ended(run).error,
        [left.reason for left in ended(run).recovery],
    )


# --- callbacks that fail


def test_callback_is_retried_by_default() -> None:
    """Five attempts, after 1 s, 2 s, 4 s and 8 s, with the same key."""
    run = failed(trip(), "flight", step="hotel")
    delays = []
    for _ in range(4):
        run.fail(run.claim("flight"))
        attempt = run.attempt("flight")
        assert f"{RUN}:compensate:flight:1" == attempt.intent.idempotency_key
        delays.append(attempt.intent.visible_at - run.now)
        run.time_passes(delays[-1])
    run.fail(run.claim("flight"), BANG)

    assert [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND] == delays
    assert (
        Unrecovered(
            visit_key=visit("flight"),
            step=NodeName("flight"),
            reason="compensation_failed",
            error=BANG,
        ),
    ) == ended(run).recovery
    assert BOOM == ended(run).error


def test_callback_has_its_own_policy() -> None:
    """`compensate_retry` says how often, and how long to wait."""
    policy = RetryPolicy(max_attempts=2, backoff=Exponential(min_ms=5_000, max_ms=5_000))
    run = failed(trip(flight=policy), "flight", step="hotel")
    run.fail(run.claim("flight"))
    assert EPOCH + timedelta(seconds=5) == run.attempt("flight").intent.visible_at
    run.time_passes(timedelta(seconds=5))
    run.undo("flight")

    assert () == ended(run).recovery


def test_callback_may_say_that_no_retry_helps() -> None:
    """Then it has failed for good at once."""
    run = failed(trip(), "flight", step="hotel")
    run.fail(run.claim("flight"), retryable=False)

    assert ["compensation_failed"] == [left.reason for left in ended(run).recovery]


def test_failing_callback_does_not_stop_the_others() -> None:
    """It is recorded, the next follows in the same append, and the run lists it at its end."""
    run = failed(trip(hotel=ONCE), "flight", "hotel", step="pay")
    decision = run.fail(run.claim("hotel"), BANG)
    assert [AttemptFailed, AttemptScheduled] == kinds(decision.entries)
    run.undo("flight")
    end = ended(run)

    assert {visit("hotel"): "failed", visit("flight"): "compensated"} == run.state.saga.undone
    assert ("failed", BOOM, "pay") == (end.status, end.error, end.step)
    assert [(visit("hotel"), "hotel", "compensation_failed", BANG)] == [
        (left.visit_key, left.step, left.reason, left.error) for left in end.recovery
    ]


def test_callback_may_be_deferred() -> None:
    """Same work, later: same key, same input, and nothing else meanwhile."""
    run = failed(trip(), "flight", "hotel", step="pay")
    first = run.attempt("hotel")
    run.defer(run.claim("hotel"), delay_ms=1_000)
    again = run.attempt("hotel")
    assert (first.input, first.intent.idempotency_key) == (
        again.input,
        again.intent.idempotency_key,
    )
    assert ["hotel"] == due(run)
    run.time_passes(SECOND)
    run.undo("hotel")
    run.undo("flight")

    assert () == ended(run).recovery


def test_lost_callback_is_delivered_again() -> None:
    """A crash is no failure of a callback, until it was delivered as often as allowed."""
    spec = chain(step("flight", compensate=True, max_deliveries=2), step("pay"))
    run = failed(spec, "flight", step="pay")
    for _ in range(2):
        run.claim("flight")
        run.time_passes(LEASE)
    run.decides(Claim(attempt_key=run.attempt("flight").key, offer=run.offer()))
    [left] = ended(run).recovery

    assert left.error is not None
    assert ("compensation_failed", "worker_lost") == (left.reason, left.error.kind)


def test_repeated_completion_of_a_callback_is_once() -> None:
    """The same holder's second word writes nothing, even after the run's end."""
    run = failed(trip(), "flight", step="hotel")
    held = run.claim("flight")
    run.complete(held, "refunded")
    before = len(run.journal)
    run.expects_already(Complete(held=held, output="refunded"))

    assert before == len(run.journal)
    assert "failed" == ended(run).status


def test_superseded_holder_cannot_settle_a_callback() -> None:
    """Callbacks are fenced like any attempt."""
    run = failed(trip(), "flight", step="hotel")
    slow = run.claim("flight")
    run.time_passes(LEASE)
    run.claim("flight", by="ben")
    commands = (Complete(held=slow), Fail(held=slow, error=BANG), Defer(held=slow, reason="later"))

    assert ["stale_claim"] * 3 == [run.expects_refusal(command).code for command in commands]


def test_crash_while_undoing_changes_nothing() -> None:
    """Whoever reads the journal again goes on where it stopped."""
    run, held = in_flight()
    run.process_restarts()
    run.complete(held["other"])
    run.process_restarts()
    run.complete(held["c"])
    run.process_restarts()
    run.undo("c")
    run.process_restarts()
    run.undo("a")

    assert () == ended(run).recovery


def test_heartbeats_of_a_callback_move_its_lease() -> None:
    """A long callback is not taken over."""
    run = failed(trip(), "flight", step="hotel")
    held = run.claim("flight")
    run.time_passes(LEASE - SECOND)
    run.decides(Heartbeat(held=held, lease_ms=milliseconds(LEASE)))
    run.time_passes(LEASE - SECOND)
    run.complete(held)

    assert () == ended(run).recovery
