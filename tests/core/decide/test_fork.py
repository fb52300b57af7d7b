"""Fork: a replay from some node on, with what came before taken over by value."""

from attrs import evolve

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import NodeName, VisitKey
from squidmesh_core.plan.progress import Plan, plan
from squidmesh_core.protocol.entries import (
    AttemptScheduled,
    Failure,
    Reused,
    RunSignalReceived,
    RunStarted,
    StepApplied,
)
from squidmesh_core.values import Compare, FromPath, RetryPolicy
from support import naive
from support.replays import a_replay, planned, refusal, replayed
from support.scenario import BOOM, SECOND, Scenario, a_message
from support.workflows import (
    approval,
    chain,
    diamond,
    log,
    pause,
    receive,
    route,
    step,
    wait,
    workflow,
)

ORDER = chain(
    step("pick", output="pick"),
    step("charge", output="charge", input={"x": FromPath(path=("pick",))}),
    step("ship", output="ship", input={"x": FromPath(path=("charge",))}),
)


def finished(spec: Spec) -> Scenario:
    """A run of a chain of steps, completed; each gave `<name> 1`."""
    run = Scenario(spec)
    run.start({"amount": 5})
    for node in spec.steps:
        run.perform(node.name, f"{node.name} 1")
    assert "completed" == run.state.status
    return run


def copies(run: Scenario) -> list[StepApplied]:
    """What a fork took over."""
    return [entry for entry in run.entries(StepApplied) if entry.reused_from is not None]


def names(run: Scenario) -> list[str]:
    """The nodes of which it took a result over, in order."""
    return [entry.step for entry in copies(run)]


# --- by routes


def test_fork_begins_at_the_node() -> None:
    """What was applied before is there; nothing else was done."""
    run = finished(ORDER)
    again = replayed(run, from_step="ship")
    [start] = again.entries(RunStarted)

    assert (["pick", "charge"], ["ship"]) == (names(again), again.steps)
    assert ("ship", run.state.run_id) == (start.forked_at, start.replayed_from)
    assert {"amount": 5, "pick": "pick 1", "charge": "charge 1"} == again.state.context
    assert {"x": "charge 1"} == again.attempt("ship").input
    assert "ship" == again.entries(RunSignalReceived)[0].payload["from_step"]


def test_copies_are_values_under_the_new_run_s_keys() -> None:
    """Value, output key and route of each; the fork outlives its source."""
    run = finished(ORDER)
    again = replayed(run, from_step="ship")
    first, second = copies(again)
    sources = run.entries(StepApplied)

    assert [VisitKey(f"{again.state.run_id}:{name}") for name in ("pick", "charge")] == [
        first.visit_key,
        second.visit_key,
    ]
    assert Reused(run_id=run.state.run_id, value="charge 1") == second.reused_from
    assert [(s.output, s.transition) for s in sources[:2]] == [
        (first.output, first.transition),
        (second.output, second.transition),
    ]
    assert [None, None] == [first.source, second.source]


def test_fork_goes_on_to_its_own_end() -> None:
    """From the node on it is a run like any other."""
    run = finished(ORDER)
    again = replayed(run, from_step="charge")
    again.perform("charge", "charge 2")
    again.perform("ship", "ship 2")

    assert "completed" == again.state.status
    assert {"amount": 5, "pick": "pick 1", "charge": "charge 2", "ship": "ship 2"} == (
        again.state.context
    )
    assert ("charge 1", "ship 1") == (run.state.context["charge"], run.state.context["ship"])


def test_fork_from_the_first_node_takes_nothing_over() -> None:
    """It is a replay that says where it begins."""
    again = replayed(finished(ORDER), from_step="pick")

    assert ([], ["pick"]) == (names(again), again.steps)
    assert "pick" == again.entries(RunStarted)[0].forked_at


def test_message_that_was_taken_over_was_received() -> None:
    """The node has had it, in the run that it comes from."""
    run = Scenario(chain(receive("parcel"), step("pack"), step("ship")))
    run.start()
    run.send("parcel")
    run.perform("pack")
    run.perform("ship")
    again = replayed(run, from_step="ship")

    assert "already_received" == again.expects_refusal(a_message("parcel")).code


def test_failed_run_is_forked_where_it_failed() -> None:
    """The everyday case: what was done is not done again."""
    run = Scenario(ORDER)
    run.start()
    run.perform("pick", "pick 1")
    run.fail(run.claim("charge"))
    again = replayed(run, from_step="charge")
    again.perform("charge")
    again.perform("ship")

    assert (["pick"], "completed") == (names(again), again.state.status)


def test_waits_and_logs_are_taken_over() -> None:
    """What needed no worker is not waited for again."""
    spec = chain(wait("nap", 1_000), log("note"), step("ship"))
    run = Scenario(spec)
    run.start()
    run.time_passes(SECOND)
    run.tick("nap")
    run.cancel()
    again = replayed(run, from_step="ship")

    assert (["nap", "note"], ["ship"]) == (names(again), again.steps)


def looping(rounds: int, most: int = 5) -> Scenario:
    """`try` and `check` take turns; `try` gives its round out."""
    spec = workflow(
        step("try", output="round", max_visits=most, compensate=True),
        step("check"),
        step("ship"),
        routes=(
            route("try", "check"),
            route("check", "ship", when=Compare(path=("round",), operator="equals", operand=0)),
            route("check", "try"),
        ),
    )
    run = Scenario(spec)
    run.start()
    for number in range(rounds, -1, -1):
        run.perform("try", number)
        run.perform("check")
    run.perform("ship")
    return run


def test_fork_of_a_loop_begins_at_the_last_visit() -> None:
    """Earlier visits are taken over, and the next one counts on from them."""
    run = looping(2)
    again = replayed(run, from_step="try")

    assert ["try", "check", "try", "check"] == names(again)
    assert f"{again.state.run_id}:try@3" == again.attempt("try").intent.visit_key
    assert {"round": 1} == again.state.context
    again.perform("try", 0)
    again.perform("check")
    assert ["ship"] == again.steps


def test_fork_after_a_loop_takes_every_round_over() -> None:
    """In the order they were applied, so that the last result wins."""
    run = looping(1)
    again = replayed(run, from_step="ship")

    assert (["try", "check", "try", "check"], ["ship"]) == (names(again), again.steps)
    assert {"round": 0} == again.state.context
    assert {"try": 2, "check": 2, "ship": 1} == again.state.visits


def test_visit_that_was_one_too_many_is_no_visit() -> None:
    """Where a loop ran out of visits, the fork begins at the last that there was."""
    spec = workflow(
        step("try", output="round", max_visits=2),
        step("check"),
        routes=(route("try", "check"), route("check", "try")),
    )
    run = Scenario(spec)
    run.start()
    for number in (1, 2):
        run.perform("try", number)
        run.perform("check")
    assert run.state.terminal is not None
    assert run.state.terminal.error is not None
    assert "visits_exhausted" == run.state.terminal.error.kind
    again = replayed(run, from_step="try")

    assert (["try", "check"], ["try"]) == (names(again), again.steps)
    assert f"{again.state.run_id}:try@2" == again.attempt("try").intent.visit_key


def test_step_that_found_no_input_was_reached() -> None:
    """It failed on the way in; a fork of it begins there, and fails there again."""
    late = step("ship", input={"x": FromPath(path=("nothing",))})
    run = Scenario(chain(step("pick"), late))
    run.start()
    run.perform("pick")
    again = replayed(run, from_step="ship")

    assert again.state.terminal is not None
    assert (["pick"], "ship") == (names(again), again.state.terminal.step)


# --- errors, gates and messages


def routed() -> Scenario:
    """`call` failed and was routed to `ask`; both cannot be undone."""
    spec = workflow(
        step("call", irreversible=True),
        step("ask"),
        step("ship"),
        routes=(route("call", "ask", on="error", recovery="undo"), route("ask", "ship")),
    )
    run = Scenario(spec)
    run.start()
    run.fail(run.claim("call"))
    run.perform("ask")
    run.perform("ship")
    return run


def test_failure_that_was_routed_is_taken_over_with_its_error() -> None:
    """Route, marker and why; nobody takes it for a result."""
    again = replayed(routed(), from_step="ship")
    call, _ = copies(again)

    assert call.transition is not None
    assert ("error", "ask", "undo") == (
        call.transition.on,
        call.transition.target,
        call.transition.recovery,
    )
    assert (BOOM, False) == (call.error, call.succeeded)
    assert {call.visit_key: BOOM} == again.state.failures


def test_failure_that_was_taken_over_does_not_block_the_next_replay() -> None:
    """It gave no result there, and a copy of it gives none here."""
    again = replayed(routed(), from_step="ship")
    again.perform("ship")

    assert (("ask", "ship"), ()) == (
        planned(again, a_replay(again)).again,
        planned(again, a_replay(again)).unsafe,
    )
    assert ["call"] == replayed(again).steps


def test_answers_and_messages_are_taken_over_by_value() -> None:
    """The decision and the message are in the context, and nobody is asked again."""
    spec = chain(
        approval("agree", output="agree"),
        pause("look", output="look"),
        receive("mail", output="mail"),
        step("ship"),
    )
    run = Scenario(spec)
    run.start()
    run.approve()
    run.resume()
    run.send("mail", {})
    run.perform("ship")
    again = replayed(run, from_step="ship")

    assert (["agree", "look", "mail"], ["ship"]) == (names(again), again.steps)
    assert run.state.context == again.state.context
    assert "ida" == again.state.context["agree"]["actor"]  # type: ignore[index]  # the decision
    assert (False, {}) == (again.state.gates.waiting, again.state.mail.awaited)


def test_fork_may_begin_at_a_gate() -> None:
    """The person is asked again."""
    run = Scenario(chain(step("pick"), approval("agree"), step("ship")))
    run.start()
    run.perform("pick")
    run.reject()
    again = replayed(run, from_step="agree")
    assert "paused" == again.state.status
    again.approve()

    assert ["ship"] == again.steps


def test_time_out_that_was_taken_is_taken_over() -> None:
    """The route it took, with the error; no timer runs for it."""
    spec = workflow(
        pause("look", timeout_ms=1_000),
        step("ship"),
        routes=(route("look", "ship", on="timeout"),),
    )
    run = Scenario(spec)
    run.start()
    run.time_passes(SECOND)
    run.strike("look", offer=run.offer(actions=frozenset()))
    run.perform("ship")
    again = replayed(run, from_step="ship")
    [look] = copies(again)

    assert look.error is not None
    assert ("timed_out", {}) == (look.error.kind, again.state.timers)
    assert ["ship"] == again.steps


# --- by dependencies


def test_fork_by_dependencies_takes_over_what_does_not_depend_on_it() -> None:
    """Also what was done after it, in the order it was applied."""
    run = Scenario(diamond())
    run.start()
    for name in ("pick", "bill", "pack", "ship"):
        run.perform(name, f"{name} 1")
    again = replayed(run, from_step="bill")

    assert (["pick", "pack"], ["bill"]) == (names(again), again.steps)
    again.perform("bill", "bill 2")
    again.perform("ship")
    assert "completed" == again.state.status


def test_fork_by_dependencies_does_what_was_never_done() -> None:
    """Where the source failed, its siblings' results are kept and what is missing is done."""
    run = Scenario(diamond())
    run.start()
    run.perform("pick")
    held = run.claim("pack")
    run.fail(run.claim("bill"))
    assert "claimed" == run.state.live[held.attempt_key].status
    again = replayed(run, from_step="bill")

    assert ["pick"] == names(again)
    assert {"pack", "bill"} == set(again.steps)


def test_copies_keep_the_order_of_dependencies() -> None:
    """No copy comes before what it came after."""
    run = Scenario(diamond())
    run.start()
    for name in ("pick", "pack", "bill", "ship"):
        run.perform(name, f"{name} 1")
    again = replayed(run, from_step="ship")
    naive.joins_come_last(again.journal, again.spec)

    assert ["pick", "pack", "bill"] == names(again)
    assert Plan() == plan(again.state, again.spec)


# --- forks of forks


def test_fork_of_a_fork_names_where_the_result_comes_from() -> None:
    """The run that really did it, however often it was copied."""
    run = finished(ORDER)
    second = replayed(run, from_step="charge")
    second.perform("charge", "charge 2")
    second.perform("ship", "ship 2")
    third = replayed(second, from_step="ship")

    assert [
        Reused(run_id=run.state.run_id, value="pick 1"),
        Reused(run_id=second.state.run_id, value="charge 2"),
    ] == [entry.reused_from for entry in copies(third)]
    assert second.state.run_id == third.entries(RunStarted)[0].replayed_from


def test_fork_may_begin_where_its_source_took_over() -> None:
    """A copy is a visit like any other."""
    second = replayed(finished(ORDER), from_step="ship")
    second.perform("ship")
    third = replayed(second, from_step="charge")

    assert (["pick"], ["charge"]) == (names(third), third.steps)


# --- what a fork never undoes


def test_results_taken_over_are_not_undone() -> None:
    """They belong to another run; the fork's own are."""
    spec = chain(step("pick", compensate=True), step("charge", compensate=True), step("ship"))
    run = finished(spec)
    again = replayed(run, from_step="charge")
    again.perform("charge")
    again.fail(again.claim("ship"))
    again.undo("charge")

    assert again.state.terminal is not None
    assert ("failed", ()) == (again.state.status, again.state.terminal.recovery)
    assert ["charge"] == [e.step for e in again.entries(AttemptScheduled) if e.kind != "step"]


def test_fork_with_nothing_of_its_own_fails_at_once() -> None:
    """There is nothing of its own to undo."""
    run = finished(chain(step("pick", compensate=True), step("ship")))
    again = replayed(run, from_step="ship")
    again.fail(again.claim("ship"))

    assert again.state.terminal is not None
    assert (None, "failed") == (again.state.saga.started, again.state.status)


# --- the guard


def test_guard_looks_at_what_runs_again_only() -> None:
    """What is taken over is not repeated."""
    spec = chain(step("mail", irreversible=True), step("charge"), step("pay", irreversible=True))
    run = finished(spec)
    refused = refusal(run, a_replay(run, from_step="charge"))

    assert isinstance(refused.details["steps"], list)
    assert ["pay"] == [item["step"] for item in refused.details["steps"]]
    assert ["charge"] == replayed(run, from_step="charge", allow_irreversible=True).steps


def test_a_plan_says_what_is_taken_over() -> None:
    """Reused, again, unsafe: the three that a person decides by."""
    spec = chain(step("mail", irreversible=True), step("charge"), step("pay", irreversible=True))
    run = finished(spec)
    found = planned(run, a_replay(run, from_step="charge"))

    assert (("mail",), ("charge", "pay"), ("pay",), "charge") == (
        found.reused,
        found.again,
        found.unsafe,
        found.from_step,
    )


# --- refusals


def test_unknown_node_is_refused() -> None:
    """A fork begins at a node of the workflow."""
    run = finished(ORDER)
    refused = refusal(run, a_replay(run, from_step="nowhere"))

    assert ("invalid_replay_source", "unknown_step") == (refused.code, refused.details["reason"])
    assert "nowhere" in refused.message


def test_node_that_was_not_reached_is_refused() -> None:
    """By routes: no route led there."""
    run = Scenario(ORDER)
    run.start()
    run.cancel()
    refused = refusal(run, a_replay(run, from_step="ship"))

    assert ("invalid_replay_source", "not_reached") == (refused.code, refused.details["reason"])
    assert ["pick"] == replayed(run, from_step="pick").steps


def test_node_that_was_not_ready_is_refused() -> None:
    """By dependencies: what it comes after was not done."""
    run = Scenario(diamond())
    run.start()
    run.perform("pick")
    run.perform("pack")
    run.cancel()
    refused = refusal(run, a_replay(run, from_step="ship"))

    assert "not_reached" == refused.details["reason"]
    assert ["bill"] == replayed(run, from_step="bill").steps


def test_result_that_was_undone_is_not_taken_over() -> None:
    """Neither where the callback worked nor where it failed; before it, a fork is fine."""
    once = RetryPolicy(max_attempts=1)
    spec = chain(
        step("pick"),
        step("charge", compensate=True),
        step("book", compensate=True, compensate_retry=once),
        step("ship"),
    )
    run = Scenario(spec)
    run.start()
    for name in ("pick", "charge", "book"):
        run.perform(name)
    run.fail(run.claim("ship"))
    run.fail(run.claim("book"), Failure(kind="Bang"))
    run.undo("charge")
    refused = refusal(run, a_replay(run, from_step="ship"))

    assert ("invalid_replay_source", "compensated", ["charge", "book"]) == (
        refused.code,
        refused.details["reason"],
        refused.details["steps"],
    )
    assert ["charge"] == replayed(run, from_step="charge").steps


def test_result_that_was_abandoned_may_be_taken_over() -> None:
    """Nobody undid it, so it still stands."""
    run = Scenario(chain(step("charge", compensate=True), step("ship")))
    run.start()
    run.perform("charge")
    run.fail(run.claim("ship"))
    run.cancel(abandon=True)

    assert ["ship"] == replayed(run, from_step="ship").steps


# --- the present definition


def changed(**priorities: int) -> Spec:
    """`ORDER` with other priorities, and without the steps of priority 0."""
    steps = [node for node in ORDER.steps if isinstance(node, StepNode)]
    return chain(
        *(
            evolve(node, priority=priorities.get(node.name))
            for node in steps
            if priorities.get(node.name) != 0
        )
    )


def no_payload() -> Scenario:
    """A finished run of `ORDER` without any payload, as the trigger has no fields."""
    run = Scenario(ORDER)
    run.start()
    for node in ORDER.steps:
        run.perform(node.name, 1)
    return run


def test_present_definition_may_change_what_comes_after() -> None:
    """What is taken over must be what it was; what runs again may be other."""
    again = replayed(no_payload(), from_step="charge", spec=changed(charge=-3))

    assert (["pick"], -3) == (names(again), again.attempt("charge").intent.priority)


def test_present_definition_must_agree_on_what_is_taken_over() -> None:
    """Another node, or other ways on from it, are another workflow up to there."""
    run = no_payload()
    ask = a_replay(run, from_step="ship", definition="current")
    pick, charge, ship = changed().steps
    other_node = refusal(run, ask, changed(pick=-3))
    other_way = refusal(run, ask, chain(pick, charge, step("weigh"), ship))

    for refused in (other_node, other_way):
        assert ("invalid_replay_source", "definition") == (
            refused.code,
            refused.details["reason"],
        )
        assert refused.details["differences"]
    assert ["ship"] == replayed(run, from_step="ship", spec=changed(ship=-3)).steps


def test_present_definition_must_have_the_node() -> None:
    """A fork cannot begin at what is gone."""
    run = no_payload()
    ask = a_replay(run, from_step="ship", definition="current")
    refused = refusal(run, ask, changed(ship=0))

    assert "definition" == refused.details["reason"]


def test_node_names_are_those_of_the_source() -> None:
    """A node that only the present definition has was never reached."""
    run = no_payload()
    ask = a_replay(run, from_step="more", definition="current")
    refused = refusal(run, ask, chain(*changed().steps, step("more")))

    assert "unknown_step" == refused.details["reason"]
    assert NodeName("more") not in run.spec.nodes
