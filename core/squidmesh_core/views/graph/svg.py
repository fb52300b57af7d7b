"""
The graph as a picture: SVG that needs nothing but itself.

No script, no network, no font of its own; light or dark as the reader's screen
is.  A status is told by colour, by a sign and by a word; each node and edge
has a title that a screen reader or a resting pointer finds.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from squidmesh_core.views.graph import words
from squidmesh_core.views.graph.layout import Box, Drawing, Line, Spacing, lay_out
from squidmesh_core.views.graph.layout.records import Placed, Point, Way
from squidmesh_core.views.graph.records import EdgeStatus, GraphEdge, GraphNode, RunGraph
from squidmesh_core.views.graph.style import SIGNS, style_sheet

_SPACING: Final = Spacing(boxes=34, bends=20, rows=36, ports=16)
_PAD: Final = 24
_HEAD: Final = 52
#: Widths of one column of text, in a box and in a label, with a little to spare.
_NAME_COLUMN: Final = 8.0
_WORD_COLUMN: Final = 6.4
_LABEL_COLUMN: Final = 6.75
_LABEL_LINE: Final = 15
_LEAST_WIDTH: Final = 132
#: A loop from a box to itself stands out this far.
_LOOP: Final = 30
_TIP: Final = 9
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
        f'<text class="muted" x="{_PAD}" y="{_PAD + 32}">{_escaped(_subtitle(graph))}</text>',
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
        self._graph = graph
        self._beyond = words.out_of_reach(graph)
        self._nodes = {node.id: node for node in graph.nodes}
        self._edges = sorted(graph.edges, key=lambda edge: _STRENGTH.index(edge.status))
        self._loops: dict[str, list[GraphEdge]] = {}
        for edge in self._edges:
            if edge.source == edge.target:
                self._loops.setdefault(edge.source, []).append(edge)
        self._told = {edge.id: self._words(edge) for edge in graph.edges}
        self._texts = {edge.id: self._label(edge) for edge in graph.edges}
        self._said = {node.id: self._lines(node) for node in graph.nodes}
        self._layout: Drawing = lay_out(
            [self._box(node) for node in graph.nodes],
            [self._line(edge) for edge in graph.edges],
            _SPACING,
            first=[edge.id for edge in reversed(self._edges)],
        )
        text = max(
            8.6 * words.columns(words.heading(graph)),
            _WORD_COLUMN * words.columns(_subtitle(graph)),
        )
        self.width = max(self._layout.width, text)
        self.height = self._layout.height
        self.left = (self.width - self._layout.width) // 2

    def ways(self) -> Iterator[str]:
        """The lines, the strongest on top."""
        for edge in self._edges:
            way = self._layout.ways.get(edge.id)
            placed = self._layout.boxes[edge.source]
            path, tip = _loop(placed) if way is None else _path(way, blocked=edge.status)
            yield (
                f'<g class="{_classes(edge)}" data-edge="{_escaped(words.visible(edge.id))}">'
                f"<title>{_escaped(self._title(edge))}</title>"
                f'<path class="way" d="{path}"/>{tip}</g>'
            )

    def boxes(self) -> Iterator[str]:
        """The nodes."""
        for node in self._graph.nodes:
            yield self._node(node, self._layout.boxes[node.id])

    def labels(self) -> Iterator[str]:
        """What stands on lines."""
        for edge in self._edges:
            texts, values = self._texts[edge.id]
            if not texts:
                continue
            width, height = _label_size(texts)
            x, y = self._label_place(edge, width)
            rows = "".join(
                f'<text{values_class} text-anchor="middle" x="{x:g}" '
                f'y="{y - height / 2 + 14 + i * _LABEL_LINE:g}">{_escaped(text)}</text>'
                for i, text in enumerate(texts)
                for values_class in [' class="values"' if i >= len(texts) - values else ""]
            )
            yield (
                f'<g class="label {_classes(edge)}"><title>{_escaped(self._title(edge))}</title>'
                f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" '
                f'height="{height:g}" rx="6"/>{rows}</g>'
            )

    def _node(self, node: GraphNode, at: Placed) -> str:
        sign, full = SIGNS[node.status]
        radius = at.height / 2 if node.kind in {"trigger", "end", "wait"} else 8
        box = (
            f'x="{at.x:g}" y="{at.y:g}" width="{at.width:g}" height="{at.height:g}" rx="{radius:g}"'
        )
        lines = [f'<text class="muted" x="{at.x + 32:g}" y="{at.y + 37:g}">{{}}</text>']
        if len(self._said[node.id]) > 1:
            lines.append(f'<text class="muted own" x="{at.x + 32:g}" y="{at.y + 52:g}">{{}}</text>')
        said = "".join(
            line.format(_escaped(text))
            for line, text in zip(lines, self._said[node.id], strict=True)
        )
        classes = " ".join(
            [node.kind, node.status, *(["beyond"] if node.id in self._beyond else [])]
        )
        return (
            f'<g class="{classes}" data-node="{_escaped(words.visible(node.id))}">'
            f"<title>{_escaped(self._whole(node))}</title>"
            + (f'<rect class="halo" {box}/>' if node.current else "")
            + f'<rect class="box" {box}/>'
            f'<path class="sign{" full" if full else ""}" d="{sign}" '
            f'transform="translate({at.x + 9:g} {at.y + 12:g})"/>'
            f'<text class="name" x="{at.x + 32:g}" y="{at.y + 21:g}">'
            f"{_escaped(words.short(words.name_of(node.id)))}</text>{said}</g>"
        )

    # -- sizes

    def _box(self, node: GraphNode) -> Box:
        said = self._said[node.id]
        text = max(
            _NAME_COLUMN * words.columns(words.short(words.name_of(node.id))),
            *(_WORD_COLUMN * words.columns(line) for line in said),
        )
        loops = [_label_size(self._texts[edge.id][0])[0] for edge in self._loops.get(node.id, ())]
        margin = _LOOP + 4 + sum(loops) + 4 * len(loops) if loops else 0
        width = max(_LEAST_WIDTH, round(text) + 48)
        return Box(node.id, width, 46 if len(said) == 1 else 61, margin)

    def _line(self, edge: GraphEdge) -> Line:
        texts, _ = self._texts[edge.id]
        return Line(edge.id, edge.source, edge.target, _label_size(texts) if texts else None)

    def _label(self, edge: GraphEdge) -> tuple[list[str], int]:
        """The lines of a label, and how many of them, the last ones, are values."""
        when, by = self._told[edge.id]
        said = list(words.lines_of(when))
        values = list(words.lines_of(by, most=2)) if said else []
        return said + values, len(values)

    def _label_place(self, edge: GraphEdge, width: float) -> Point:
        way = self._layout.ways.get(edge.id)
        if way is not None and way.label is not None:
            return way.label
        box, loops = self._layout.boxes[edge.source], self._loops[edge.source]
        before = [_label_size(self._texts[one.id][0])[0] for one in loops[: loops.index(edge)]]
        left = box.x + box.width + _LOOP - 2 + sum(before) + 4 * len(before)
        return left + width / 2, box.y + box.height / 2

    # -- words

    def _lines(self, node: GraphNode) -> list[str]:
        more = words.due_of(node) or words.marks_of(node)
        return [words.state_of(node, self._beyond), *([more] if more else [])]

    def _words(self, edge: GraphEdge) -> tuple[str, str]:
        return words.label_of(edge, self._nodes[edge.source]), words.values_of(edge)

    def _whole(self, node: GraphNode) -> str:
        undo = node.recovery.compensate if node.recovery else None
        acts = [f"does {node.action}" if node.action else "", f"undone by {undo}" if undo else ""]
        said = [*self._said[node.id], *(words.visible(act) for act in acts if act)]
        return f"{words.name_of(node.id)}: {', '.join(said)}"

    def _title(self, edge: GraphEdge) -> str:
        ends = f"{words.name_of(edge.source)} to {words.name_of(edge.target)}"
        return f"{ends}: {', '.join([edge.status, *filter(None, self._told[edge.id])])}"


def _path(way: Way, *, blocked: EdgeStatus) -> tuple[str, str]:
    """The curve of a way, and its tip."""
    points = list(way.points)
    (x, y), before = points[-1], points[-2]
    turn = 1 if y > before[1] else -1
    tip = ""
    if way.arrives:
        points[-1] = (x, y - turn * (_TIP - 1))
        tip = _tip(x, y, turn, blocked=blocked == "blocked")
    steps = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        steps.append(
            f"V{y1:g}" if x0 == x1 else f"C{x0:g} {middle:g} {x1:g} {middle:g} {x1:g} {y1:g}"
        )
    return "".join(steps), tip


def _tip(x: float, y: float, turn: int, *, blocked: bool) -> str:
    base = y - turn * _TIP
    if blocked:  # a bar: here nothing comes through
        return f'<path class="tip" d="M{x - 6:g} {base:g}H{x + 6:g}"/>'
    return f'<path class="tip" d="M{x:g} {y:g}L{x - 5:g} {base:g}H{x + 5:g}Z"/>'


def _loop(box: Placed) -> tuple[str, str]:
    """From a box round to itself, on its right."""
    x, upper, lower = box.x + box.width, box.y + box.height * 0.25, box.y + box.height * 0.75
    path = f"M{x:g} {lower:g}C{x + _LOOP:g} {lower:g} {x + _LOOP:g} {upper:g} {x + 8:g} {upper:g}"
    return path, f'<path class="tip" d="M{x:g} {upper:g}l9 -5v10Z"/>'


def _label_size(texts: Sequence[str]) -> tuple[float, float]:
    widest = max((words.columns(text) for text in texts), default=0)
    return round(widest * _LABEL_COLUMN) + 16.0, len(texts) * _LABEL_LINE + 6.0


def _classes(edge: GraphEdge) -> str:
    astray = edge.outcome in {"error", "timeout"}
    undo = edge.type == "compensation"
    return " ".join([edge.status, *(["astray"] if astray else []), *(["undo"] if undo else [])])


def _subtitle(graph: RunGraph) -> str:
    return f"run {graph.run_id} · revision {graph.revision}"


def _summary(graph: RunGraph) -> str:
    """The picture in a sentence."""
    done = sum(node.status == "completed" for node in graph.nodes[1:] if node.kind != "end")
    here = ", ".join(words.name_of(name) for name in graph.current)
    at = f"; it is at {here}" if here else ""
    return f"A run of {len(graph.nodes) - 2} nodes, {done} completed{at}."


def _escaped(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
