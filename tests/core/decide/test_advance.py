"""Moving on: routes, visits, inputs and the end, inside the append that causes them."""

from attrs import evolve

from squidmesh_core.ids import AttemptKey, NodeName
from squidmesh_core.protocol.entries import RunTerminal, StepApplied
from squidmesh_core.values import (
    Binding,
    Compare,
    FromPath,
    ObjectOf,
    OptionalPath,
    RecoveryPolicy,
    RetryPolicy,
)
from support.scenario import EPOCH, LEASE, RUN, Scenario
from support.workflows import chain, route, step, workflow


def ended(run: Scenario) -> tuple[str, str | None, str | None]:
    """Status, error kind and step of the run's end."""
    terminal = run.state.terminal
    assert terminal is not None
    return terminal.status, terminal.error.kind if terminal.error else None, terminal.step


def is_one(name: str) -> Compare:
    return Compare(path=(name,), operator="equals", operand=1)


# --- routes


def test_last_step_ends_the_run_in_its_own_append() -> None:
    """Completion, application and the end are durable together."""
    run = Scenario(chain(step("charge")))
    run.start()
    decision = run.complete(run.claim("charge"))

    assert [StepApplied, RunTerminal] == [type(entry) for entry in decision.entries[1:]]
    assert ("completed", None, None) == ended(run)


def test_condition_sees_the_output_that_was_just_given() -> None:
    """A route out of a step may look at that step's own result."""
    for output, successor in ((1, "accept"), (2, "refuse")):
        run = Scenario(
            workflow(
                step("review", output="verdict"),
                step("accept"),
                step("refuse"),
                routes=(
                    route("review", "refuse"),
                    route("review", "accept", when=is_one("verdict")),
                ),
            )
        )
        run.start()
        run.perform("review", output)

        assert [successor] == run.steps


def test_no_matching_route_fails_the_run_with_the_result_applied() -> None:
    """A run that cannot find its way ends with a code; what was done is not lost."""
    run = Scenario(
        workflow(
            step("review", output="verdict"),
            step("accept"),
            routes=(route("review", "accept", when=is_one("verdict")),),
        )
    )
    run.start()
    run.perform("review", 2)

    assert ("failed", "no_matching_transition", "review") == ended(run)
    assert {"verdict": 2} == run.state.context


def test_route_to_complete_ends_its_strand_only() -> None:
    """While another strand still moves the run is not over."""
    spec = workflow(step("a"), step("b"), routes=(route("a", "complete"),))
    run = Scenario(evolve(spec, entry_steps=(NodeName("a"), NodeName("b"))))
    run.start()
    run.perform("a")
    assert "running" == run.state.status
    run.perform("b")

    assert ("completed", None, None) == ended(run)


def test_error_route_to_complete_completes_the_run() -> None:
    """A failure that is routed away is no failure of the run."""
    run = Scenario(workflow(step("charge"), routes=(route("charge", "complete", on="error"),)))
    run.start()
    run.fail(run.claim("charge"))

    assert ("completed", None, None) == ended(run)


# --- visits


def test_second_visit_has_its_own_keys() -> None:
    """`<step>@2` names the second entry; outside systems see another idempotency key."""
    run = Scenario(
        workflow(
            step("first"),
            step("poll", max_visits=3),
            routes=(route("first", "poll"), route("poll", "poll")),
        )
    )
    run.start()
    run.perform("first")
    run.perform("poll")
    again = run.attempt("poll").intent

    assert (f"{RUN}:poll@2", AttemptKey(f"{RUN}:poll@2:1")) == (again.visit_key, again.attempt_key)
    assert f"{RUN}:poll@2:1" == again.idempotency_key


def test_one_visit_too_many_fails_for_good() -> None:
    """`max_visits` ends a loop, whatever the error routes say."""
    run = Scenario(
        workflow(
            step("poll", max_visits=2),
            step("call"),
            routes=(route("poll", "poll"), route("poll", "call", on="error")),
        )
    )
    run.start()
    run.perform("poll")
    run.perform("poll")

    assert ("failed", "visits_exhausted", "poll") == ended(run)
    assert 2 == run.state.visits[NodeName("poll")]


def test_retries_are_no_visits() -> None:
    """Trying again is not entering again."""
    run = Scenario(chain(step("poll", max_visits=1, retry=RetryPolicy(max_attempts=3))))
    run.start()
    run.fail(run.claim("poll"))
    run.fail(run.claim("poll"))
    run.perform("poll")

    assert {"poll": 1} == run.state.visits
    assert ("completed", None, None) == ended(run)


def test_two_strands_into_one_step_are_two_visits() -> None:
    """A step that two strands reach is performed for each."""
    spec = workflow(
        step("a"), step("b"), step("note"), routes=(route("a", "note"), route("b", "note"))
    )
    run = Scenario(evolve(spec, entry_steps=(NodeName("a"), NodeName("b"))))
    run.start()
    run.perform("a")
    run.perform("b")

    assert [f"{RUN}:note:1", f"{RUN}:note@2:1"] == list(run.state.live)


# --- inputs


def test_step_without_mapping_gets_the_whole_context() -> None:
    """Payload and results so far."""
    run = Scenario(chain(step("a", output="a"), step("b")))
    run.start({"amount": 5})
    run.perform("a", 1)

    assert {"amount": 5, "a": 1} == run.attempt("b").input


def test_mapping_is_resolved_when_the_step_is_scheduled() -> None:
    """Paths, records and defaults, as they stand at that moment."""
    mapping: dict[str, Binding] = {
        "total": FromPath(path=("order", "total")),
        "note": OptionalPath(path=("note",), default="none"),
        "to": ObjectOf(fields={"name": ("order", "name")}),
    }
    run = Scenario(chain(step("charge", input=mapping)))
    run.start({"order": {"total": 5, "name": "Ida"}})

    assert {"total": 5, "note": "none", "to": {"name": "Ida"}} == run.attempt("charge").input


def test_missing_path_takes_the_step_s_own_error_route() -> None:
    """The step that wanted it fails on the way in: a visit, applied with its error."""
    run = Scenario(
        workflow(
            step("a"),
            step("charge", input={"x": FromPath(path=("card",))}),
            step("call"),
            routes=(route("a", "charge"), route("charge", "call", on="error")),
        )
    )
    run.start()
    run.perform("a")
    applied = run.entries(StepApplied)[-1]

    assert ["call"] == run.steps
    assert applied.error is not None
    assert ("charge", "missing_input_path") == (applied.step, applied.error.kind)
    assert {"target": "x", "path": ["card"], "missing_at": ["card"]} == applied.error.details
    assert 1 == run.state.visits[NodeName("charge")]


def test_missing_path_without_a_route_fails_the_run() -> None:
    """Nobody can supply it any more."""
    run = Scenario(chain(step("a"), step("charge", input={"x": FromPath(path=("card",))})))
    run.start()
    run.perform("a")

    assert ("failed", "missing_input_path", "charge") == ended(run)


def test_missing_path_in_a_loop_ends_with_the_visits() -> None:
    """An error route back to itself counts visits too, so it ends in the same append."""
    run = Scenario(
        workflow(
            step("a"),
            step("charge", input={"x": FromPath(path=("card",))}, max_visits=3),
            routes=(route("a", "charge"), route("charge", "charge", on="error")),
        )
    )
    run.start()
    run.perform("a")

    assert ("failed", "visits_exhausted", "charge") == ended(run)
    assert 4 == len(run.entries(StepApplied))


# --- what an attempt is born with


def test_policies_are_frozen_into_the_attempt() -> None:
    """A later deploy changes nothing about an attempt that is there."""
    retry = RetryPolicy(max_attempts=3)
    charge = evolve(step("charge", retry=retry, max_deliveries=2), irreversible=True)
    run = Scenario(chain(charge))
    run.start()
    intent = run.attempt("charge").intent

    assert (retry, 2) == (intent.retry, intent.max_deliveries)
    assert RecoveryPolicy(irreversible=True, compensatable=False) == intent.recovery


def test_work_without_delay_is_ready_at_once_even_if_the_clock_steps_back() -> None:
    """What follows a result is stamped, and visible, at the run's own latest instant."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    run.time_passes(LEASE)
    held = run.claim("a")
    run.now = EPOCH
    run.complete(held)

    assert EPOCH + LEASE == run.attempt("b").intent.visible_at
    run.claim("b")
