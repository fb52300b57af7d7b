"""Which outputs a node can count on: those that every way into it has left."""

import pytest

from squidmesh_core.definition.certainty import certainty
from squidmesh_core.definition.spec import ApprovalNode, Spec
from squidmesh_core.ids import NodeName
from support.specs import diamond, linear, route, step, workflow


def counted_on(spec: Spec, consumer: str) -> list[str]:
    known = certainty(spec)
    return [n.name for n in spec.steps if known.can_count_on(NodeName(consumer), n.name)]


def test_one_after_the_other_leaves_all_before() -> None:
    """A node counts on every earlier one, not on itself."""
    assert ["s1", "s2"] == counted_on(linear(4), "s3")


def test_a_short_cut_takes_away_what_it_bypasses() -> None:
    """Only what lies on both ways is certain."""
    spec = workflow(
        step("a"), step("b"), step("c"),
        transitions=[route("a", "b"), route("a", "c", on="error"), route("b", "c")],
    )  # fmt: skip

    assert [] == counted_on(spec, "c")


def test_a_failed_step_leaves_no_output() -> None:
    """What an error route leads to cannot read what failed."""
    spec = workflow(
        step("a"), step("b"), step("c"),
        transitions=[route("a", "b"), route("b", "c", on="error")],
    )  # fmt: skip

    assert ["a"] == counted_on(spec, "c")


@pytest.mark.parametrize(("timeout_ms", "expected"), [(None, ["ask"]), (5, [])])
def test_a_rejection_is_an_output_unless_it_may_be_a_time_out(
    timeout_ms: int | None, expected: list[str]
) -> None:
    """An approval leaves its decision either way; nobody decided a time-out."""
    ask = ApprovalNode(name=NodeName("ask"), question="?", timeout_ms=timeout_ms)
    spec = workflow(
        ask, step("sorry"), transitions=[route("ask"), route("ask", "sorry", on="error")]
    )

    assert expected == counted_on(spec, "sorry")


def test_the_first_turn_of_a_loop_counts() -> None:
    """What only a later turn has seen is not certain in the first."""
    spec = workflow(
        step("a"), step("b", max_visits=3), step("c"),
        transitions=[route("a", "b"), route("b", "c"), route("c", "b")],
    )  # fmt: skip

    assert ["a"] == counted_on(spec, "b")
    assert ["a", "b"] == counted_on(spec, "c")


def test_dependencies_count_on_all_their_ancestors() -> None:
    """A join waits for both sides; the sides know nothing of each other."""
    assert ["top", "left", "right"] == counted_on(diamond(), "bottom")
    assert ["top"] == counted_on(diamond(), "left")
