"""`Mesh.graph`: the graph of a run as it is, as it was, and with what its nodes took in."""

from datetime import datetime

import pytest

from squidmesh import ConfigError, Mesh, Refused, Run, RunNotFound
from squidmesh_core.values import Compare
from support.stage import LEASE, Stage, claimed, does
from support.workflows import route, step, workflow

LARGE = Compare(path=("a",), operator="greater_than", operand=10)
SPEC = workflow(
    step("a", output="a"),
    step("b", output="b"),
    step("c"),
    routes=(route("a", "b", when=LARGE), route("a", "c"), route("b", "complete")),
)
UNKNOWN = "0193e2a0-7b3c-7d10-8f00-123456789abc"
ACTIONS = does(a=lambda: 20, b=lambda: 2, c=lambda: 3)


def taken(mesh: Mesh, run: Run, at: int | datetime | None = None) -> set[str]:
    """The ways that the run went."""
    seen = mesh.graph(run, at=at)
    return {edge.id.partition(":condition")[0] for edge in seen.edges if edge.status == "selected"}


def test_a_graph_shows_the_ways_that_were_taken(stage: Stage) -> None:
    """And the values that decided them."""
    run = stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh = stage.mesh(actions=ACTIONS)

    assert {"trigger:placed:start:a"} == taken(mesh, run)

    mesh.drain()

    assert {"trigger:placed:start:a", "a:ok:b", "b:ok:complete"} == taken(mesh, run)
    assert {"a": 20} in [edge.values for edge in mesh.graph(run).edges]


def test_the_past_is_drawn_as_it_was(stage: Stage) -> None:
    """By revision and by instant."""
    run = stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh = stage.mesh(actions=ACTIONS)
    claim = claimed(mesh)
    then = stage.clock.now
    stage.clock.advance(LEASE / 2)
    mesh.complete(claim, 1)

    assert {"trigger:placed:start:a"} == taken(mesh, run, at=4) == taken(mesh, run, at=then)
    assert {"trigger:placed:start:a", "a:ok:c"} == taken(mesh, run)
    assert 4 == mesh.graph(run, at=4).revision


def test_only_history_shows_payloads(stage: Stage) -> None:
    """What an attempt took in and gave out."""
    run = stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh = stage.mesh(actions=ACTIONS)
    mesh.drain()

    bare, full = mesh.graph(run).nodes[1], mesh.graph(run, history=True).nodes[1]

    assert (None, 20) == (bare.output, full.output)


def test_a_graph_is_drawn_by_a_mesh_that_has_no_code(stage: Stage) -> None:
    """The definition is stored; code that is gone changes nothing."""
    run = stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS)

    assert "reached" not in stage.mesh().graph(run).to_ascii()
    assert "a" in stage.mesh().graph(run)._repr_svg_()


def test_what_cannot_be_drawn_is_refused(stage: Stage) -> None:
    """Unknown runs, times to come, and runs of which only a tombstone is left."""
    run = stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS, key="order-1")
    mesh = stage.mesh(actions=ACTIONS)

    with pytest.raises(RunNotFound):
        mesh.graph(UNKNOWN)
    with pytest.raises(ConfigError):
        mesh.graph(run, at=99)

    mesh.drain()
    mesh.prune(run=run)

    with pytest.raises(Refused, match="was pruned"):
        mesh.graph(run)
