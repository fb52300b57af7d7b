"""How often a run can enter a node, as far as its definition tells."""

import pytest

from squidmesh_core.definition.graph import most_visits
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import NodeName
from support.workflows import chain, log, pause, receive, route, step, workflow

#: `start`, then `ask` and `pack` in turns, then `end`; `aside` only on an error.
LOOP = workflow(
    step("start"),
    receive("ask"),
    step("pack", max_visits=3),
    step("end"),
    log("aside"),
    routes=(
        route("start", "ask"),
        route("ask", "pack"),
        route("ask", "aside", on="error"),
        route("pack", "ask"),
        route("pack", "end", on="error"),
    ),
)


def most(spec: Spec, name: str) -> int | None:
    return most_visits(spec, spec.nodes[NodeName(name)])


@pytest.mark.parametrize(
    ("name", "times"), [("start", 1), ("ask", None), ("pack", 3), ("end", 1), ("aside", 1)]
)
def test_only_what_lies_on_a_loop_is_entered_again(name: str, times: int | None) -> None:
    """Its own bound counts; without one, other nodes bound it, and nobody can say."""
    assert times == most(LOOP, name)


def test_node_that_leads_to_itself_is_a_loop() -> None:
    """Of one node."""
    spec = workflow(
        receive("ask"), step("end"), routes=(route("ask", "ask"), route("ask", "end", on="error"))
    )

    assert (None, 1) == (most(spec, "ask"), most(spec, "end"))


def test_bound_counts_where_nothing_leads_back() -> None:
    """Two strands may reach one node."""
    spec = chain(step("start"), receive("ask", max_visits=2))

    assert 2 == most(spec, "ask")


def test_by_dependencies_every_node_is_entered_once() -> None:
    """There are no loops."""
    last = step("end", after=("ask",), max_visits=3)
    spec = workflow(pause("look"), receive("ask", after=("look",)), last)

    assert [1, 1, 1] == [most(spec, name) for name in ("look", "ask", "end")]
