"""Views show what hosts and steps gave; the tags of the stored form stay in journals."""

from collections.abc import Mapping
from typing import Final, cast

from squidmesh_core.canonical import storable
from squidmesh_core.protocol.commands import Cancel, Heartbeat, Receipted
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.values import Compare, FromPath
from squidmesh_core.views.explanation.causes import reason_text
from squidmesh_core.views.given import given_whole
from squidmesh_core.views.graph import graph
from squidmesh_core.views.inspection import Snapshot, snapshot
from support.explaining import explained
from support.features.told import Told
from support.scenario import LEASE, Scenario, milliseconds
from support.workflows import chain, route, step, workflow

#: An integer that no double holds, and a map that looks like a tag.
ODD: Final = {"wei": 2**60, "map": {"$int": "9007199254740993"}, "each": [{"$map": {}}]}
STORED: Final = cast("Mapping[str, object]", storable(ODD))
LARGE: Final = 2**60


def seen(run: Scenario) -> Snapshot:
    return snapshot(run.state, run.spec, run.now, history=True)


def test_outputs_inputs_and_details_are_shown_as_they_were_given() -> None:
    """In the context, of each attempt, and of what went wrong."""
    run = Scenario(
        chain(step("a", output="made"), step("b", input={"it": FromPath(path=("made",))}))
    )
    run.start()
    run.perform("a", STORED)
    run.fail(run.claim("b"), Failure(kind="Boom", details=STORED), retryable=False)

    a, b = seen(run).attempts
    error = seen(run).error

    assert {"made": ODD} == seen(run).context
    assert ODD == a.output
    assert {"it": ODD} == b.input
    assert error is not None
    assert error == b.error
    assert ODD == error.details


def test_commands_and_progress_are_shown_as_they_were_given() -> None:
    """Who said what, and how far a step is."""
    run = Scenario(chain(step("a")))
    run.start()
    held = run.claim("a")
    run.decides(Heartbeat(held=held, lease_ms=milliseconds(LEASE), progress=STORED))
    run.decides(Cancel(said=Receipted(actor=STORED, metadata=STORED), digest=""))

    asked = seen(run).command_history[-1]

    assert ODD == seen(run).attempts[0].progress
    assert ODD == asked.actor == seen(run).audit[-1].actor
    assert ODD == asked.metadata


def test_what_undoing_met_is_shown_as_it_was_given() -> None:
    """What began it, and what is left."""
    run = Scenario(workflow(step("a", compensate=True), step("b", after=("a",))))
    run.start()
    run.perform("a")
    boom = Failure(kind="Boom", details=STORED)
    run.fail(run.claim("b"), boom, retryable=False)
    run.fail(run.claim("a"), boom, retryable=False)

    undoing = seen(run).compensation

    assert undoing is not None
    assert undoing.failure is not None
    assert ODD == undoing.failure.details
    assert [ODD] == [left.error.details for left in undoing.recovery if left.error]


def test_a_decision_is_told_with_the_numbers_that_made_it() -> None:
    """In the graph, and in an explanation."""
    when = Compare(path=("cents",), operator="equals", operand=LARGE)
    nodes = step("a", output="cents"), step("b")
    spec = workflow(*nodes, routes=(route("a", "b", when=when), route("a", "complete")))
    run = Told(spec)
    run.start()
    run.perform("a", storable(LARGE))

    drawn = graph(run.state, run.spec, run.now)
    taken = next(edge for edge in drawn.edges if edge.target == "b")

    assert {"cents": LARGE} == taken.values
    assert f"cents = {LARGE} " in f"{drawn.to_ascii(120)} ".replace("\n", " ")
    assert any(line.startswith(f"cents = {LARGE}, so") for line in explained(run).why)


def test_a_reason_is_told_as_it_was_given() -> None:
    """Also one that is no text."""
    assert '{"wei": 1152921504606846976}' == reason_text(storable({"wei": LARGE}))


def test_a_map_that_somebody_else_wrote_stays_a_map() -> None:
    """No command of ours stores one that reads as a number."""
    odd = {"$int": "9007199254740993"}

    assert odd == given_whole(odd)
