"""What stands in the boxes and on the lines of the picture, and how much room it takes."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from squidmesh_core.views.graph import words
from squidmesh_core.views.graph.layout import Box, Line
from squidmesh_core.views.graph.records import GraphEdge, GraphNode, RunGraph
from squidmesh_core.views.graph.strokes import LOOP
from squidmesh_core.views.words import columns

#: Widths of one column of text, with a little to spare: fonts differ.
_HEAD_COLUMN: Final = 8.6
_NAME_COLUMN: Final = 8.0
_WORD_COLUMN: Final = 6.4
_LABEL_COLUMN: Final = 6.75
LABEL_LINE: Final = 15
_LEAST_WIDTH: Final = 132
#: Between two labels at one loop.
_APART: Final = 4


@frozen(kw_only=True)
class NodeFigure:
    """What stands in a box."""

    name: str
    #: Kind and status, and perhaps one thing more.
    lines: Sequence[str]
    #: All there is to say.
    title: str
    beyond: bool
    box: Box


@frozen(kw_only=True)
class EdgeFigure:
    """What stands on a line."""

    lines: Sequence[str]
    #: How many of the lines, the last ones, are values.
    values: int
    title: str
    width: float
    height: float
    #: How far right of the others at its box a loop's label stands.
    shift: float


def heading_width(graph: RunGraph) -> int:
    """How much room the words above the picture take."""
    head = _HEAD_COLUMN * columns(words.heading(graph))
    return even(max(head, _WORD_COLUMN * columns(words.subtitle(graph))))


def edge_figures(graph: RunGraph) -> dict[str, EdgeFigure]:
    """What stands on each line."""
    nodes = {node.id: (node, words.name_of(node.id)) for node in graph.nodes}
    shifts: dict[str, float] = {}
    figures = {}
    for edge in graph.edges:
        shift = shifts.get(edge.source, 0.0)
        (source, begin), (_, end) = nodes[edge.source], nodes[edge.target]
        figure = figures[edge.id] = _edge_figure(edge, source, f"{begin} to {end}", shift)
        if edge.source == edge.target:
            shifts[edge.source] = shift + figure.width + _APART
    return figures


def node_figures(graph: RunGraph, edges: Mapping[str, EdgeFigure]) -> dict[str, NodeFigure]:
    """What stands in each box, with room beside it for the loops there."""
    beyond, labels = words.out_of_reach(graph), words.labels_of(graph)
    margins: dict[str, float] = {}
    for edge in graph.edges:
        if edge.source == edge.target:
            figure = edges[edge.id]
            margins[edge.source] = LOOP + figure.shift + figure.width + _APART
    return {
        node.id: _node_figure(node, labels[node.id], beyond, margins.get(node.id, 0.0))
        for node in graph.nodes
    }


def line_of(edge: GraphEdge, figure: EdgeFigure) -> Line:
    """The line, with the size of its label."""
    label = (figure.width, figure.height) if figure.lines else None
    return Line(edge.id, edge.source, edge.target, label)


def _edge_figure(edge: GraphEdge, source: GraphNode, ends: str, shift: float) -> EdgeFigure:
    when, by = words.label_of(edge, source), words.values_of(edge)
    lines = list(words.lines_of(when)) if when else []
    values = list(words.lines_of(by, most=2)) if lines else []
    widest = max(map(columns, lines + values), default=0)
    return EdgeFigure(
        lines=lines + values,
        values=len(values),
        title=f"{ends}: {', '.join([edge.status, *filter(None, (when, by))])}",
        width=even(widest * _LABEL_COLUMN) + 16,
        height=len(lines + values) * LABEL_LINE + 6,
        shift=shift,
    )


def _node_figure(node: GraphNode, name: str, beyond: frozenset[str], margin: float) -> NodeFigure:
    more = words.due_of(node) or words.marks_of(node)
    lines = [words.state_of(node, beyond), *([more] if more else [])]
    text = max(_NAME_COLUMN * columns(name), *(_WORD_COLUMN * columns(line) for line in lines))
    width = max(_LEAST_WIDTH, even(text) + 48)
    return NodeFigure(
        name=name,
        lines=lines,
        title=f"{words.name_of(node.id)}: {', '.join([*lines, *_acts(node)])}",
        beyond=node.id in beyond,
        box=Box(node.id, width, 31 + LABEL_LINE * len(lines), margin),
    )


def _acts(node: GraphNode) -> list[str]:
    undo = node.recovery.compensate if node.recovery else None
    acts = [f"does {node.action}" if node.action else "", f"undone by {undo}" if undo else ""]
    return [words.visible(act) for act in acts if act]


def even(length: float) -> int:
    """The even number nearest to a length, so that its middle is a whole one."""
    return 2 * round(length / 2)
