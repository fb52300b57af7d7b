"""What must be true of every graph and of every drawing of one."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Final
from xml.etree import ElementTree

from squidmesh_core.ids import NodeName
from squidmesh_core.state.run import RunState
from squidmesh_core.views.graph import RunGraph, graph
from squidmesh_core.views.graph.layout import Box, Drawing, Line, Spacing, lay_out
from squidmesh_core.views.graph.layout.records import Placed
from support.scenario import Scenario

DRAWINGS: Final[Mapping[str, Callable[[RunGraph], str]]] = {
    "svg": RunGraph.to_svg,
    "mermaid": RunGraph.to_mermaid,
    "dot": RunGraph.to_dot,
    "ascii": RunGraph.to_ascii,
}
#: Controls but for the line feeds between lines, marks that reorder or vanish, surrogates.
HARMFUL: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff]"
)
SPACING: Final = Spacing(boxes=10, bends=4, rows=12, ports=6)


def check_graph(run: Scenario, state: RunState) -> RunGraph:
    """Assert that the graph of a state says what its journal says; the graph."""
    seen = graph(state, run.spec, run.now)
    full = graph(state, run.spec, run.now, history=True)
    names = [node.id for node in seen.nodes]
    ids = [edge.id for edge in seen.edges]
    steps = [name for name in names if name in run.spec.nodes]

    assert list(run.spec.nodes) == steps
    assert len(set(names)) == len(names)
    assert len(set(ids)) == len(ids)
    assert {end for edge in seen.edges for end in (edge.source, edge.target)} <= set(names)
    assert [edge.to_dict() for edge in full.edges] == [edge.to_dict() for edge in seen.edges]
    assert [(node.id, node.status) for node in full.nodes] == [
        (node.id, node.status) for node in seen.nodes
    ]
    assert set(seen.current) <= set(names)
    json.dumps(full.to_dict(), allow_nan=False)
    check_ways(state, seen)
    return seen


def check_ways(state: RunState, seen: RunGraph) -> None:
    """Assert that edges are taken by decisions, once each, and by nothing else."""
    nodes = {node.id: node for node in seen.nodes}
    forward = state.terminal is None and state.saga.started is None
    decided = [one.transition for one in state.applied.values() if one.transition is not None]
    decisions = Counter((one.source, one.on, one.target) for one in decided)
    counted: Counter[tuple[str, str, str]] = Counter()
    for edge in seen.edges:
        reached = edge.type == "compensation" and nodes[edge.target].status != "waiting"
        assert (edge.status == "selected") == (edge.times > 0 or reached)
        assert forward or edge.status != "pending" or edge.type == "compensation"
        if edge.type == "transition" and edge.times:
            counted[edge.source, str(edge.outcome), edge.target] += edge.times
        if edge.type == "dependency":
            done = nodes[edge.source].status == "completed"
            assert done == (edge.status == "selected")
        if edge.values is not None:
            assert edge.type == "transition"
            assert state.done.get(NodeName(edge.source))

    assert decisions == counted
    latest = {one.source: one.target for one in decided}
    for name, node in nodes.items():
        taken = next((edge for edge in seen.edges if edge.id == node.decision), None)
        assert latest.get(NodeName(name)) == (taken.target if taken else None)


def check_course(graphs: list[RunGraph]) -> None:
    """Assert what holds from one state of a run to the next: ids stay, what is over stays over."""
    for before, after in pairwise(graphs):
        old = {edge.id: edge for edge in before.edges if edge.type != "compensation"}
        new = {edge.id: edge for edge in after.edges if edge.type != "compensation"}

        assert list(old) == list(new)
        for name, edge in old.items():
            assert edge.times <= new[name].times
            # What is at work when undoing begins may still complete or fail.
            settles = edge.type == "dependency" and edge.status == "skipped"
            if edge.status != "pending" and not settles:
                assert edge.status == new[name].status


def check_drawings(seen: RunGraph) -> None:
    """Assert that every drawing can be made, holds nothing harmful, and is XML if it is a picture."""
    for name, draw in DRAWINGS.items():
        text = draw(seen)

        assert text == draw(seen), name
        assert None is HARMFUL.search(text), name
    ElementTree.fromstring(seen.to_svg())
    assert all(len(line) <= 80 for line in seen.to_ascii().splitlines())


def check_layout(boxes: list[Box], lines: list[Line]) -> Drawing:
    """Assert that nothing overlaps and that every line leads where it should; the drawing."""
    drawn = lay_out(boxes, lines, SPACING, [line.id for line in lines])
    labels = {
        line.id: Placed(
            way.label[0] - line.label[0] / 2, way.label[1] - line.label[1] / 2, *line.label
        )
        for line in lines
        if (way := drawn.ways.get(line.id)) and way.label is not None and line.label is not None
    }
    places = [*drawn.boxes.items(), *labels.items()]

    assert {box.id for box in boxes} == set(drawn.boxes)
    for i, (name, one) in enumerate(places):
        assert 0 <= one.x <= drawn.width - one.width, name
        assert 0 <= one.y <= drawn.height - one.height, name
        for other_name, other in places[i + 1 :]:
            assert apart(one, other), (name, other_name)
    for line in lines:
        if line.source != line.target:
            _check_way(line, drawn)
    return drawn


def apart(one: Placed, other: Placed) -> bool:
    """Whether two boxes do not touch."""
    return (
        one.x + one.width < other.x
        or other.x + other.width < one.x
        or one.y + one.height < other.y
        or other.y + other.height < one.y
    )


def _check_way(line: Line, drawn: Drawing) -> None:
    if drawn.sideways:
        drawn = drawn.turned()
    way = drawn.ways[line.id]
    assert on_edge(way.points[0], drawn.boxes[line.source]), line
    if way.arrives:
        assert on_edge(way.points[-1], drawn.boxes[line.target]), line
    else:
        trunks = [other for name, other in drawn.ways.items() if name != line.id]
        assert any(_passes(way.points[-1], other.points) for other in trunks), line


def on_edge(point: tuple[float, float], box: Placed) -> bool:
    """Whether a point lies on the upper or the lower edge of a box."""
    x, y = point
    return box.x < x < box.x + box.width and y in {box.y, box.y + box.height}


def _passes(point: tuple[float, float], points: tuple[tuple[float, float], ...]) -> bool:
    """Whether a way goes straight up or down through a point."""
    x, y = point
    return any(
        x0 == x == x1 and min(y0, y1) <= y <= max(y0, y1) for (x0, y0), (x1, y1) in pairwise(points)
    )
