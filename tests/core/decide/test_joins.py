"""Dependencies: a step is scheduled as soon as its own are applied, and once."""

from squidmesh_core.protocol.entries import AttemptScheduled
from support.scenario import Scenario
from support.workflows import diamond, step, workflow


def test_step_is_scheduled_as_soon_as_its_own_dependencies_are_applied() -> None:
    """No barrier: a branch goes on while another one is still at its first step."""
    run = Scenario(
        workflow(
            step("a"),
            step("slow"),
            step("b", after=("a",)),
            step("c", after=("b",)),
            step("end", after=("c", "slow")),
        )
    )
    run.start()
    run.claim("slow")
    run.perform("a")
    run.perform("b")
    run.perform("c")

    assert ["slow"] == run.steps


def test_join_waits_for_all_and_is_scheduled_once() -> None:
    """The branch that ends last schedules the join, in its own append."""
    run = Scenario(diamond())
    run.start()
    run.perform("pick")
    run.perform("bill")
    assert ["pack"] == run.steps
    decision = run.complete(run.claim("pack"))

    assert isinstance(decision.entries[-1], AttemptScheduled)
    assert ["pick", "pack", "bill", "ship"] == [e.step for e in run.entries(AttemptScheduled)]


def test_join_sees_the_payload_and_every_result() -> None:
    """Nothing that was applied is hidden from what comes later."""
    run = Scenario(diamond())
    run.start({"amount": 5})
    for name in ("pick", "pack", "bill"):
        run.perform(name, name.upper())

    assert {"amount": 5, "pick": "PICK", "pack": "PACK", "bill": "BILL"} == run.attempt(
        "ship"
    ).input


def test_deferred_dependency_releases_no_join() -> None:
    """A step that says `later` has not been applied."""
    run = Scenario(diamond())
    run.start()
    run.perform("pick")
    run.perform("pack")
    run.defer(run.claim("bill"))

    assert ["bill"] == run.steps


def test_run_completes_with_its_last_step() -> None:
    """Not before every step is applied."""
    run = Scenario(diamond())
    run.start()
    statuses = []
    for name in ("pick", "pack", "bill", "ship"):
        run.perform(name)
        statuses.append(run.state.status)

    assert [*["running"] * 3, "completed"] == statuses
