"""
The graph in lines, for terminals: nodes from the top down, each with its ways out.

    ✔ charge          completed
    ┃
    ✔ settled         receive · completed
    ├╌ rejected ╌▷ apology              a way that was not taken
    ┣━ approved ━▶ ship                 one that was
    └─ error ──▷ apology                one that may still be

A node comes after all that lead to it, loops left out, and as far as can be right
below the one that led there; the rail between them stands for the edge that joins them.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

from attrs import frozen

from squidmesh_core.views.graph import words
from squidmesh_core.views.graph.records import EdgeStatus, GraphEdge, GraphNode, RunGraph
from squidmesh_core.views.steps import SIGNS
from squidmesh_core.views.words import columns

_LEAST_WIDTH: Final = 40
#: The column where what is said of a node begins, if its name ends before it.
_ASIDE: Final = 22


@frozen(kw_only=True)
class _Stroke:
    """How a line looks: its rail, its branches, the line itself, and its tip."""

    rail: str
    branch: str
    last: str
    line: str
    tip: str


_STROKES: Final[Mapping[EdgeStatus, _Stroke]] = {
    "selected": _Stroke(rail="┃", branch="┣", last="┗", line="━", tip="▶"),
    "pending": _Stroke(rail="│", branch="├", last="└", line="─", tip="▷"),
    "skipped": _Stroke(rail="╎", branch="├", last="└", line="╌", tip="▷"),
    "blocked": _Stroke(rail="╎", branch="├", last="└", line="╌", tip="✖"),
}


def to_ascii(graph: RunGraph, width: int) -> str:
    """The lines, each at most so wide."""
    width = max(width, _LEAST_WIDTH)
    lines = [words.heading(graph), words.subtitle(graph), ""]
    lines += _lines(graph, width)
    return "".join(f"{_cut(line, width)}\n" for line in lines)


def _lines(graph: RunGraph, width: int) -> Iterator[str]:
    beyond, labels = words.out_of_reach(graph), words.labels_of(graph)
    nodes = {node.id: node for node in graph.nodes}
    leaving: dict[str, list[GraphEdge]] = {name: [] for name in nodes}
    for edge in graph.edges:
        leaving[edge.source].append(edge)
    order = _order(graph, leaving)
    place = {name: i for i, name in enumerate(order)}
    for i, name in enumerate(order):
        following = order[i + 1] if i + 1 < len(order) else None
        rail = next((edge for edge in leaving[name] if _is_rail(edge, following, nodes)), None)
        branches = [edge for edge in leaving[name] if edge is not rail]
        below = _STROKES[(rail or branches[0]).status].rail if leaving[name] else " "
        line, said = _node(nodes[name], labels[name], beyond)
        yield from _beside(line, said, below, width)
        for j, edge in enumerate(branches):
            last = rail is None and j + 1 == len(branches)
            back = place[edge.target] <= i
            line, values = _branch(edge, nodes[name], labels[edge.target], last=last, back=back)
            below = " " if last else _STROKES[edge.status].rail
            yield from _beside(line, values, below, width)
        if rail is not None:
            yield _STROKES[rail.status].rail
        elif following is not None:
            yield ""


def _beside(line: str, said: str, below: str, width: int) -> Iterator[str]:
    """Both on one line, or the second below the first where there is no room."""
    if columns(line) + columns(said) < width:
        yield f"{line} {said}".rstrip()
    else:
        yield line.rstrip()
        yield f"{below}  {said}"


def _is_rail(edge: GraphEdge, following: str | None, nodes: Mapping[str, GraphNode]) -> bool:
    """Whether the edge leads to the next node without anything to be said of it."""
    return edge.target == following and not words.label_of(edge, nodes[edge.source])


def _order(graph: RunGraph, leaving: Mapping[str, Sequence[GraphEdge]]) -> list[str]:
    """Nodes below those that lead to them; what is named first stands right below."""
    order: list[str] = []
    seen: set[str] = set()
    for root in graph.nodes:  # the trigger is the first, and leads to nearly all
        ended: list[str] = []
        walk = [] if root.id in seen else [(root.id, _targets(leaving[root.id]))]
        seen.add(root.id)
        while walk:
            name, targets = walk[-1]
            target = next(targets, None)
            if target is None:
                ended.append(name)
                walk.pop()
            elif target not in seen:
                seen.add(target)
                walk.append((target, _targets(leaving[target])))
        order += reversed(ended)
    return order


def _targets(edges: Sequence[GraphEdge]) -> Iterator[str]:
    return (edge.target for edge in reversed(edges))


def _node(node: GraphNode, label: str, beyond: frozenset[str]) -> tuple[str, str]:
    """A node by its name, and what is said of it."""
    line = f"{SIGNS[node.status]} {label:<{_ASIDE - 3}}"
    due = words.due_of(node)
    said = [words.state_of(node, beyond), *([due] if due else [])]
    here = "  ◀ here" if node.current else ""
    return line, f"{' · '.join(said)}{here}"


def _branch(
    edge: GraphEdge, source: GraphNode, target: str, *, last: bool, back: bool
) -> tuple[str, str]:
    """A way out, and the values that decided it."""
    stroke = _STROKES[edge.status]
    label = words.label_of(edge, source)
    said = f" {label} " if label else ""
    begin = f"{stroke.last if last else stroke.branch}{stroke.line}{said}{stroke.line}{stroke.tip}"
    return f"{begin} {target}{' ↑' if back else ''}", words.values_of(edge) if label else ""


def _cut(line: str, width: int) -> str:
    if columns(line) <= width:
        return line
    ends = accumulate(columns(char) for char in line)
    return f"{''.join(char for char, end in zip(line, ends, strict=True) if end < width)}…"
