"""retry_compensation: a new run that undoes what an ended one has left."""

from attrs import evolve

from squidmesh_core.decide import Refusal
from squidmesh_core.decide.replay import replay, retry_compensation
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import VisitKey
from squidmesh_core.protocol.commands import Claim, Complete
from squidmesh_core.protocol.entries import (
    AttemptScheduled,
    CompensationStarted,
    Failure,
    InputUndo,
    Reused,
    RunSignalReceived,
    RunStarted,
    StepApplied,
)
from squidmesh_core.values import Compare, FromPath, RetryPolicy
from support import naive_undoing
from support.replays import (
    a_replay,
    a_retry,
    begun,
    next_run_id,
    recompensated,
    replayed,
    retry_start,
    source_of,
)
from support.scenario import BOOM, LEASE, RUN, Scenario
from support.workflows import chain, route, step, workflow

BANG = Failure(kind="Bang", message="it broke as well")
ONCE = RetryPolicy(max_attempts=1)
TRIP = chain(
    step(
        "flight",
        input={"seats": FromPath(path=("seats",))},
        output="flight",
        compensate=True,
        compensate_retry=ONCE,
    ),
    step("hotel", output="hotel", compensate=True, compensate_retry=ONCE),
    step("car", output="car", compensate=True, compensate_retry=ONCE),
    step("pay"),
)


def left(*undoable: str, spec: Spec = TRIP) -> Scenario:
    """A trip that failed at `pay`; only these callbacks worked."""
    run = Scenario(spec)
    run.start({"seats": 2})
    for name in ("flight", "hotel", "car"):
        run.perform(name, f"{name} 1")
    run.fail(run.claim("pay"))
    go_on(run, *undoable)
    return run


def go_on(run: Scenario, *undoable: str) -> None:
    """Undo until the run is over; the other callbacks fail."""
    while run.state.terminal is None:
        [attempt] = run.state.live.values()
        if attempt.intent.step in undoable:
            run.undo(attempt.intent.step)
        else:
            run.fail(run.claim(attempt.intent.step), BANG)


def due(run: Scenario) -> list[str]:
    return [attempt.intent.step for attempt in run.state.live.values()]


def refused(run: Scenario) -> Refusal:
    answer = retry_compensation(source_of(run), a_retry(run), run_id=next_run_id(run))
    assert isinstance(answer, Refusal), answer
    return answer


# --- the new run


def test_retry_begins_by_undoing() -> None:
    """One append: receipt, start, what is left, the turn, the first callback."""
    run = left("hotel")
    again = recompensated(run)

    assert [
        RunSignalReceived,
        RunStarted,
        StepApplied,
        StepApplied,
        CompensationStarted,
        AttemptScheduled,
    ] == [type(entry) for entry in again.journal]
    assert ("compensating", ["car"]) == (again.state.status, due(again))
    receipt = again.entries(RunSignalReceived)[0]
    assert ("retry_compensation", {"source": run.state.run_id}) == (
        receipt.command,
        receipt.payload,
    )
    [start] = again.entries(RunStarted)
    assert (run.state.run_id, None, {"seats": 2}, run.spec.fingerprint) == (
        start.replayed_from,
        start.forked_at,
        start.input,
        start.definition,
    )


def test_only_what_was_left_is_undone() -> None:
    """Backwards, as in the source; what was undone there stays undone."""
    again = recompensated(left("hotel"))
    order = []
    while again.state.terminal is None:
        order += due(again)
        again.undo(due(again)[0])

    assert ["car", "flight"] == order
    assert ("failed", ()) == (again.state.status, again.state.terminal.recovery)


def test_first_failure_stays_the_error() -> None:
    """The retry ends as its source did, with the same error."""
    run = left()
    again = recompensated(run)
    go_on(again, "flight", "hotel", "car")
    assert run.state.terminal is not None
    assert again.state.terminal is not None

    assert ("failed", BOOM, "pay") == (
        again.state.terminal.status,
        again.state.terminal.error,
        again.state.terminal.step,
    )


def test_cancelled_run_s_retry_ends_cancelled() -> None:
    """The cause is taken over as well."""
    run = Scenario(TRIP)
    run.start({"seats": 2})
    run.perform("flight")
    run.cancel(compensate=True)
    go_on(run)
    again = recompensated(run)
    [turn] = again.entries(CompensationStarted)
    assert ("cancel", None, None) == (turn.cause, turn.failure, turn.step)
    again.undo("flight")

    assert "cancelled" == again.state.status


def test_callback_gets_what_it_got_before() -> None:
    """Input, output, why; it needs nothing of the source."""
    run = left("car", "hotel")
    again = recompensated(run)
    attempt = again.attempt("flight")

    assert InputUndo(visit_key=VisitKey(f"{again.state.run_id}:flight")) == attempt.intent.input
    assert {
        "input": {"seats": 2},
        "output": "flight 1",
        "failure": {"kind": "Boom", "message": "it broke", "code": None, "details": {}},
    } == attempt.input
    assert (
        Reused(
            run_id=run.state.run_id,
            value="flight 1",
            input={"seats": 2},
            undo_key=f"{run.state.run_id}:compensate:flight:1",
        )
        == again.entries(StepApplied)[0].reused_from
    )


def test_callback_hands_its_old_key_out() -> None:
    """What it half did under that key, it finds again."""
    run = left("car", "hotel")
    before = run.attempt("flight").intent
    after = recompensated(run).attempt("flight").intent

    assert before.idempotency_key == after.idempotency_key
    assert before.attempt_key != after.attempt_key


def test_retry_of_a_retry_goes_on() -> None:
    """With the results, inputs and keys of the run that did the work."""
    run = left()
    second = recompensated(run)
    go_on(second, "hotel")
    third = recompensated(second)

    assert ["car"] == due(third)
    assert ["flight", "car"] == [entry.step for entry in third.entries(StepApplied)]
    third.undo("car")
    flight = third.attempt("flight")
    assert f"{run.state.run_id}:compensate:flight:1" == flight.intent.idempotency_key
    assert ({"seats": 2}, "flight 1") == (flight.input["input"], flight.input["output"])
    assert [run.state.run_id] * 2 == [
        entry.reused_from.run_id
        for entry in third.entries(StepApplied)
        if entry.reused_from is not None
    ]
    third.undo("flight")
    assert third.state.terminal is not None
    assert () == third.state.terminal.recovery


def test_callback_that_fails_again_is_listed_again() -> None:
    """Under the keys of the new run."""
    again = recompensated(left("car", "hotel"))
    go_on(again)
    assert again.state.terminal is not None

    assert [(f"{again.state.run_id}:flight", "compensation_failed", BANG)] == [
        (item.visit_key, item.reason, item.error) for item in again.state.terminal.recovery
    ]


def test_abandoned_results_are_undone_by_a_retry() -> None:
    """Giving up is not for ever; the callback in flight is tried again too."""
    run = Scenario(TRIP)
    run.start({"seats": 2})
    run.perform("flight")
    run.perform("hotel")
    run.fail(run.claim("car"))
    run.claim("hotel")
    run.cancel(abandon=True)
    again = recompensated(run)
    again.undo("hotel")
    again.undo("flight")

    assert "failed" == again.state.status


def test_retry_may_be_abandoned_and_retried() -> None:
    """It is a run that undoes like any other."""
    second = recompensated(left())
    second.undo("car")
    second.cancel(abandon=True)
    third = recompensated(second)

    assert ["flight", "hotel"] == [entry.step for entry in third.entries(StepApplied)]


def test_visits_of_a_loop_keep_their_numbers() -> None:
    """Each result is one to undo, also several of one step."""
    more = Compare(path=("more",), operator="equals", operand=True)
    spec = workflow(
        step("book", output="more", compensate=True, compensate_retry=ONCE, max_visits=2),
        step("pay"),
        routes=(route("book", "book", when=more), route("book", "pay")),
    )
    run = Scenario(spec)
    run.start()
    run.perform("book", True)
    run.perform("book", False)
    run.fail(run.claim("pay"))
    go_on(run)
    again = recompensated(run)
    keys = [again.attempt("book").intent.idempotency_key]
    again.undo("book")
    keys.append(again.attempt("book").intent.idempotency_key)

    assert [f"{again.state.run_id}:book", f"{again.state.run_id}:book@2"] == [
        entry.visit_key for entry in again.entries(StepApplied)[:2]
    ]
    assert [f"{RUN}:compensate:book@2:1", f"{RUN}:compensate:book:1"] == keys


def test_worker_may_begin_at_once() -> None:
    """A start with an offer claims the first callback."""
    run = left()
    again = Scenario(run.spec, now=run.now, run_id=next_run_id(run))
    offer = again.offer()
    again.decides(evolve(retry_start(run), offer=offer))

    assert [f"{again.state.run_id}:compensate:car:1"] == again.claimed_for(offer)


def test_no_clock_of_the_run_starts() -> None:
    """A run that only undoes is not timed out."""
    run = left(spec=evolve(TRIP, timeout_ms=1_000))

    assert {} == recompensated(run).state.timers


def test_second_opinion_agrees() -> None:
    """Order, one at a time, all accounted for: the rules hold in retries too."""
    again = recompensated(left("hotel"))
    again.fail(again.claim("car"), BANG)
    again.undo("flight")

    naive_undoing.every_rule_holds(again.journal, again.spec)


# --- the same retry again


def test_same_retry_again_finds_its_run() -> None:
    """Its id follows from the source, so a key is not needed, and changes nothing."""
    run = left()
    again = recompensated(run)
    go_on(again)

    for start in (retry_start(run), retry_start(run, key="k")):
        assert 1 == again.expects_already(start).revision


def test_key_of_a_retry_is_remembered() -> None:
    """The same key with another wish conflicts."""
    run = left()
    again = begun(run, retry_start(run, key="k"))
    other = evolve(retry_start(run, key="k"), digest="something else")
    answer = again.expects_refusal(other)

    assert ("idempotency_conflict", "k") == (answer.code, answer.details["key"])


# --- refusals


def test_active_run_is_refused() -> None:
    """Nobody knows yet what it will leave."""
    run = Scenario(TRIP)
    run.start({"seats": 2})

    assert ("invalid_transition", "running") == (refused(run).code, refused(run).details["status"])


def test_run_that_left_nothing_is_refused() -> None:
    """Completed, cancelled, or undone to the last."""
    undone, cancelled = left("flight", "hotel", "car"), Scenario(TRIP)
    cancelled.start({"seats": 2})
    cancelled.cancel()

    assert ["invalid_transition"] * 2 == [refused(run).code for run in (undone, cancelled)]


def test_unknown_effects_alone_are_refused() -> None:
    """There is no result that a callback could be given."""
    spec = workflow(
        step("a", compensate=True), step("b", compensate=True), step("end", after=("a", "b"))
    )
    run = Scenario(spec)
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    run.fail(held)
    assert run.state.terminal is not None
    assert ["effect_unknown"] == [item.reason for item in run.state.terminal.recovery]

    assert "invalid_transition" == refused(run).code


def test_unknown_effects_are_not_taken_over() -> None:
    """A person has to look at them; what has a result is undone."""
    spec = workflow(
        step("a", compensate=True, compensate_retry=ONCE),
        step("b", compensate=True),
        step("c"),
        step("end", after=("a", "b", "c")),
    )
    run = Scenario(spec)
    run.start()
    run.perform("a")
    held = run.claim("b")
    run.fail(run.claim("c"))
    run.time_passes(LEASE)
    assert "expired_claim" == run.expects_refusal(Complete(held=held)).code
    run.decides(Claim(attempt_key=held.attempt_key, offer=run.offer(actions=frozenset())))
    run.fail(run.claim("a"), BANG)

    assert ["a"] == [entry.step for entry in recompensated(run).entries(StepApplied)]


# --- what becomes of it afterwards


def test_retry_can_be_replayed() -> None:
    """From its source's input, from the beginning: the work itself."""
    again = recompensated(left())
    go_on(again, "flight", "hotel", "car")
    anew = replayed(again)

    assert (["flight"], {"seats": 2}) == (due(anew), anew.state.context)


def test_retry_is_not_forked_past_what_it_undid() -> None:
    """Its results are no more."""
    again = recompensated(left())
    go_on(again, "flight", "hotel", "car")
    answer = replay(
        source_of(again),
        a_replay(again, from_step="pay"),
        run_id=next_run_id(again),
        spec=again.spec,
        instant=again.now,
    )

    assert isinstance(answer, Refusal)
    assert "compensated" == answer.details["reason"]
