"""
The graph as a picture: SVG that needs nothing but itself.

No script, no network, no font of its own; light or dark as the reader's screen
is.  A status is told by colour, by a sign and by a word; each node and edge
has a title that a screen reader or a resting pointer finds.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from squidmesh_core.views.graph import words
from squidmesh_core.views.graph.figures import (
    LABEL_LINE,
    edge_figures,
    even,
    heading_width,
    line_of,
    node_figures,
)
from squidmesh_core.views.graph.layout import Point, Spacing, lay_out
from squidmesh_core.views.graph.records import EdgeStatus, GraphEdge, GraphNode, RunGraph
from squidmesh_core.views.graph.strokes import LOOP, curve, loop
from squidmesh_core.views.graph.style import SIGNS, style_sheet

_SPACING: Final = Spacing(boxes=34, bends=20, rows=36, ports=16)
_PAD: Final = 24
_HEAD: Final = 52
#: The strongest last where it is drawn, first where it is laid out.
_STRENGTH: Final[Sequence[EdgeStatus]] = ("skipped", "pending", "blocked", "selected")


def to_svg(graph: RunGraph) -> str:
    """The picture, as an XML document without a declaration, fit to stand in a page."""
    picture = _Picture(graph)
    head = _escaped(words.heading(graph))
    width, height = picture.width + 2 * _PAD, picture.height + _HEAD + 2 * _PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sqm" role="img" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}">',
        f"<title>{head}</title>",
        f"<desc>{_escaped(_summary(graph))}</desc>",
        f"<style>{style_sheet()}</style>",
        f'<rect class="ground" width="{width:g}" height="{height:g}" rx="10"/>',
        f'<text class="head" x="{_PAD}" y="{_PAD + 14}">{head}</text>',
        f'<text class="muted" x="{_PAD}" y="{_PAD + 32}">{_escaped(words.subtitle(graph))}</text>',
        f'<g transform="translate({_PAD + picture.left:g} {_PAD + _HEAD})">',
        *picture.ways(),
        *picture.boxes(),
        *picture.labels(),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Picture:
    """A graph, measured and laid out."""

    def __init__(self, graph: RunGraph) -> None:
        self._nodes = graph.nodes
        self._edges = sorted(graph.edges, key=lambda edge: _STRENGTH.index(edge.status))
        self._on = edge_figures(graph)
        self._in = node_figures(graph, self._on)
        self._layout = lay_out(
            [figure.box for figure in self._in.values()],
            [line_of(edge, self._on[edge.id]) for edge in graph.edges],
            _SPACING,
            first=[edge.id for edge in reversed(self._edges)],
        )
        self.width = max(even(self._layout.width + 1), heading_width(graph))
        self.height = self._layout.height
        self.left = (self.width - self._layout.width) // 2

    def ways(self) -> Iterator[str]:
        """The lines, the strongest on top."""
        for edge in self._edges:
            way = self._layout.ways.get(edge.id)
            if way is None:
                path, tip = loop(self._layout.boxes[edge.source])
            else:
                path, tip = curve(way, edge.status, sideways=self._layout.sideways)
            head = f'<path class="tip" d="{tip}"/>' if tip else ""
            yield (
                f'<g class="{_classes(edge)}" data-edge="{_escaped(words.visible(edge.id))}">'
                f"<title>{_escaped(self._on[edge.id].title)}</title>"
                f'<path class="way" d="{path}"/>{head}</g>'
            )

    def boxes(self) -> Iterator[str]:
        """The nodes."""
        return map(self._box, self._nodes)

    def labels(self) -> Iterator[str]:
        """What stands on lines."""
        return (self._label(edge) for edge in self._edges if self._on[edge.id].lines)

    def _box(self, node: GraphNode) -> str:
        figure, at = self._in[node.id], self._layout.boxes[node.id]
        sign, full = SIGNS[node.status]
        radius = at.height / 2 if node.kind in {"trigger", "end", "wait"} else 8
        size = f'x="{at.x:g}" y="{at.y:g}" width="{at.width:g}" height="{at.height:g}"'
        shapes = [f'<rect class="box" {size} rx="{radius:g}"/>']
        if node.current:
            shapes.insert(0, f'<rect class="halo" {size} rx="{radius:g}"/>')
        texts = [("name", figure.name), *zip(("muted", "muted own"), figure.lines, strict=False)]
        written = (
            f'<text class="{look}" x="{at.x + 32:g}" y="{at.y + 21 + i * LABEL_LINE:g}">'
            f"{_escaped(text)}</text>"
            for i, (look, text) in enumerate(texts)
        )
        classes = [node.kind, node.status, *(["beyond"] if figure.beyond else [])]
        return (
            f'<g class="{" ".join(classes)}" data-node="{_escaped(words.visible(node.id))}">'
            f"<title>{_escaped(figure.title)}</title>{''.join(shapes)}"
            f'<path class="sign{" full" if full else ""}" d="{sign}" '
            f'transform="translate({at.x + 9:g} {at.y + 12:g})"/>{"".join(written)}</g>'
        )

    def _label(self, edge: GraphEdge) -> str:
        figure = self._on[edge.id]
        x, y = self._middle(edge)
        left, top = x - figure.width / 2, y - figure.height / 2
        first_value = len(figure.lines) - figure.values
        rows = (
            f'<text class="{"values" if i >= first_value else "when"}" x="{x:g}" '
            f'y="{top + 14 + i * LABEL_LINE:g}">{_escaped(line)}</text>'
            for i, line in enumerate(figure.lines)
        )
        return (
            f'<g class="label {_classes(edge)}"><title>{_escaped(figure.title)}</title>'
            f'<rect x="{left:g}" y="{top:g}" width="{figure.width:g}" '
            f'height="{figure.height:g}" rx="6"/>{"".join(rows)}</g>'
        )

    def _middle(self, edge: GraphEdge) -> Point:
        """Where a label stands: on its way, or beside its loop."""
        way, figure = self._layout.ways.get(edge.id), self._on[edge.id]
        if way is not None and way.label is not None:
            return way.label
        box = self._layout.boxes[edge.source]
        left = box.x + box.width + LOOP - 2 + figure.shift
        return left + figure.width / 2, box.y + box.height / 2


def _classes(edge: GraphEdge) -> str:
    astray = ["astray"] if edge.outcome in {"error", "timeout"} else []
    undo = ["undo"] if edge.type == "compensation" else []
    return " ".join([edge.status, *astray, *undo])


def _summary(graph: RunGraph) -> str:
    """The picture in a sentence."""
    nodes = [one for one in graph.nodes if one.kind not in {"trigger", "end", "compensation"}]
    done = sum(node.status == "completed" for node in nodes)
    here = ", ".join(words.name_of(name) for name in graph.current)
    at = f"; it is at {here}" if here else ""
    count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    return f"A run of {count}, {done} completed{at}."


def _escaped(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
