"""What changed between two specs, and how a spec is drawn."""

import re

import pytest
from attrs import evolve
from hypothesis import given

from squidmesh_core.definition.diff import Changed, Changes, SpecDiff
from squidmesh_core.definition.graph import with_ids
from squidmesh_core.definition.spec import ApprovalNode, Spec
from squidmesh_core.ids import NodeName
from squidmesh_core.values import AllOf, AnyOf, Compare, Condition, Not
from support.specs import diamond, linear, route, specs, step, workflow


@given(specs())
def test_a_spec_does_not_differ_from_itself(spec: Spec) -> None:
    """Equal specs have an empty difference, which is false."""
    assert not spec.diff(spec)


@given(specs(), specs())
def test_what_one_way_adds_the_other_way_removes(left: Spec, right: Spec) -> None:
    """The difference read backwards is the difference the other way round."""
    there, back = left.diff(right), right.diff(left)

    for one, other in ((there.nodes, back.nodes), (there.edges, back.edges)):
        assert set(one.added) == set(other.removed)
        assert {(c.id, str(c.before)) for c in one.changed} == {
            (c.id, str(c.after)) for c in other.changed
        }


def test_nodes_and_edges_added_removed_and_changed() -> None:
    """Nodes are told by name, edges by where they lead and on what."""
    before = linear(2)
    second = before.steps[1]
    after = workflow(
        step("s1", queue="slow"),
        step("s3"),
        transitions=[evolve(route("s1", "s3", on="error"), recovery="undo"), route("s1")],
    )

    found = before.diff(after)

    assert ("s3",) == found.nodes.added
    assert (second.name,) == found.nodes.removed
    assert ["s1"] == [changed.id for changed in found.nodes.changed]
    assert ("s1:error:s3", "s1:ok:complete") == found.edges.added
    assert ("s1:ok:s2", "s2:ok:complete") == found.edges.removed


@pytest.mark.parametrize(
    "changes",
    [
        Changes(added=("a",)),
        Changes(removed=("a",)),
        Changes(changed=(Changed(id="a", before={}, after={"b": 1}),)),
    ],
)
def test_one_change_of_any_kind_is_a_difference(changes: Changes) -> None:
    """Of nodes as of edges."""
    assert changes
    assert SpecDiff(nodes=changes, edges=Changes())
    assert SpecDiff(nodes=Changes(), edges=changes)
    assert not SpecDiff(nodes=Changes(), edges=Changes())


def test_a_marker_changes_an_edge_and_a_dependency_is_one() -> None:
    """The content of an edge is what its id does not say."""
    plain = workflow(step("s1"), transitions=[route("s1", on="error")])
    marked = workflow(step("s1"), transitions=[evolve(route("s1", on="error"), recovery="undo")])

    assert ["s1:error:complete"] == [changed.id for changed in plain.diff(marked).edges.changed]
    assert "top:dependency:left" in plain.diff(diamond()).edges.added


def ids(*conditions: Condition) -> list[str]:
    """The ids of routes from one node to another with these conditions."""
    return [own for own, _ in with_ids([route("a", "b", condition=one) for one in conditions])]


def below(limit: int, *path: str) -> Compare:
    """Whether something is less than a limit."""
    return Compare(path=path or ("total",), operator="less_than", operand=limit)


def test_the_id_of_a_conditional_edge_tells_what_is_compared_how() -> None:
    """Twelve hex digits of it, the same wherever the route stands."""
    kinds = (
        below(10),
        below(10, "risk"),
        Compare(path=("total",), operator="at_least", operand=10),
        Not(condition=below(10)),
        AllOf(conditions=(below(10),)),
        AnyOf(conditions=(below(10),)),
    )
    found = ids(*kinds)

    assert len(kinds) == len(set(found))
    assert list(reversed(found)) == ids(*reversed(kinds))
    assert [True] * len(kinds) == [
        re.fullmatch("a:ok:b:condition:[0-9a-f]{12}", one) is not None for one in found
    ]
    assert ["a:ok:b", "a:ok:complete"] == [
        one for one, _ in with_ids([route("a", "b"), route("a")])
    ]


def test_the_id_of_a_conditional_edge_tells_nothing_of_what_is_compared_with() -> None:
    """Whoever sees it could confirm a guess; routes that differ in that alone are counted."""
    assert ids(below(10), below(20)) == ids(below(30), below(40))
    assert len(set(ids(below(10), below(20)))) == 2


@given(specs())
def test_a_drawing_has_a_line_per_node_and_edge(spec: Spec) -> None:
    """Nothing is left out of the flowchart."""
    lines = spec.to_mermaid().splitlines()
    edges = len(spec.transitions) + sum(len(node.after) for node in spec.steps)
    ends = 0 if spec.by_dependencies else 1

    assert 1 + len(spec.steps) + ends + edges == len(lines)


def test_a_drawing_of_routes() -> None:
    """Conditions and outcomes stand on the arrows, and no text breaks the syntax."""
    review = ApprovalNode(name=NodeName("review"), question="?")
    spec = workflow(
        step("charge"),
        review,
        transitions=[
            route("charge", condition=Compare(path=("order_id",), operator="equals", operand='"]')),
            route("charge", "review"),
            route("review"),
            route("review", "charge", on="error"),
        ],
    )

    assert (
        "flowchart TD\n"
        '    n0["charge"]\n'
        '    n1["review (approval)"]\n'
        "    done(((complete)))\n"
        "    n0 -->|\"order_id equals '#34;#93;'\"| done\n"
        "    n0 --> n1\n"
        "    n1 --> done\n"
        '    n1 -.->|"error"| n0\n'
    ) == spec.to_mermaid()


def test_a_drawing_says_what_a_condition_asks() -> None:
    """Joints are words, operators too, and each part stands in brackets."""
    small = Compare(path=("risk", "score"), operator="less_than", operand=30)
    gone = Not(condition=Compare(path=("note",), operator="is_missing", operand=True))
    either = AnyOf(conditions=(small, AllOf(conditions=(small, gone))))
    spec = workflow(step("a"), transitions=[route("a", condition=either), route("a", "a")])

    said = (
        "(risk.score less than 30) or ((risk.score less than 30) and (not (note is missing True)))"
    )
    assert f'    n0 -->|"{said}"| done\n' in spec.to_mermaid()


def test_a_drawing_of_dependencies() -> None:
    """Arrows run from what is waited for."""
    assert "    n0 --> n1\n    n0 --> n2\n    n1 --> n3\n    n2 --> n3\n" in diamond().to_mermaid()
