"""What a run is found by: for how long, and by what."""

from squidmesh_core.ids import NodeName
from squidmesh_core.plan.messages import correlations
from squidmesh_core.values import Constant
from support.scenario import Scenario
from support.workflows import chain, receive, step


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
