"""What a run is found by: for how long, and by what."""

from datetime import timedelta

from squidmesh_core.ids import NodeName
from squidmesh_core.plan.messages import all_received, correlations
from squidmesh_core.values import Constant
from support.scenario import Scenario
from support.workflows import chain, receive, route, step, workflow


def found_by(run: Scenario) -> dict[tuple[NodeName, str], bool]:
    """Node and correlation, and whether a message can be taken."""
    return dict(correlations(run.state, run.spec))


def test_a_message_to_come_is_open_while_the_run_goes_on() -> None:
    """From the start until its end; a run that never began is found by nothing."""
    run = Scenario(chain(step("pick"), receive("parcel", correlation=Constant(value="A-1"))))
    assert {} == found_by(run)
    run.start()
    assert {("parcel", "A-1"): True} == found_by(run)
    run.cancel()

    assert {} == found_by(run)


def test_nothing_is_open_while_a_run_undoes() -> None:
    """No visit will take a message any more."""
    run = Scenario(
        chain(
            step("pick", compensate=True),
            step("pack"),
            receive("parcel", correlation=Constant(value="A-1")),
        )
    )
    run.start()
    run.perform("pick")
    run.fail(run.claim("pack"))

    assert "compensating" == run.state.status
    assert {} == found_by(run)


def knows(run: Scenario, correlation: str = "A-1", node: str = "parcel") -> bool:
    """Whether a message came for the run."""
    return all_received(run.state, NodeName(node), correlation)


def test_a_message_came_once_it_is_kept_or_taken() -> None:
    """Also when it came early; under the correlation it was waited for, and at its node."""
    run = Scenario(
        chain(
            step("pick"),
            receive("parcel", correlation=Constant(value="A-1")),
            receive("letter", correlation=Constant(value="A-1")),
        )
    )
    run.start()
    assert not knows(run)
    run.send("parcel")
    assert knows(run)
    run.perform("pick")

    assert knows(run)
    assert not knows(run, "A-2")
    assert not knows(run, node="letter")


def test_a_message_that_was_waited_for_in_vain_never_came() -> None:
    """Neither while it is waited for, nor after the time-out or the run's end."""
    spec = chain(
        receive("parcel", correlation=Constant(value="A-1"), timeout_ms=1_000),
        step("ship"),
    )
    waits, struck = Scenario(spec), Scenario(spec)
    for run in (waits, struck):
        run.start()
        assert not knows(run)
    waits.cancel()
    struck.time_passes(timedelta(seconds=1))
    struck.strike("parcel")

    assert not knows(waits)
    assert not knows(struck)


def test_a_message_that_took_another_route_never_came() -> None:
    """The visit is applied, with the time-out and no message."""
    run = Scenario(
        workflow(
            receive("parcel", correlation=Constant(value="A-1"), timeout_ms=1_000),
            step("call"),
            routes=(route("parcel", "call", on="timeout"),),
        )
    )
    run.start()
    run.time_passes(timedelta(seconds=1))
    run.strike("parcel")

    assert ["call"] == run.steps
    assert not knows(run)


def test_messages_came_only_if_each_visit_had_its_own() -> None:
    """What one of several visits missed may be the one that is asked for."""
    run = Scenario(
        workflow(
            receive("parcel", correlation=Constant(value="A-1"), timeout_ms=1_000, max_visits=2),
            step("ship"),
            routes=(route("parcel", "parcel"), route("parcel", "ship", on="timeout")),
        )
    )
    run.start()
    run.send("parcel")
    assert not knows(run)
    run.time_passes(timedelta(seconds=1))
    run.strike("parcel@2")

    assert ["ship"] == run.steps
    assert not knows(run)
