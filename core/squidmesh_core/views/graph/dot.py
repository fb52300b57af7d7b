"""The graph as a digraph in the DOT language, for Graphviz."""

from collections.abc import Iterator, Mapping
from typing import Final

from squidmesh_core.views.graph import words
from squidmesh_core.views.graph.records import EdgeStatus, NodeKind, RunGraph
from squidmesh_core.views.steps import StepStatus

_EDGES: Final[Mapping[EdgeStatus, str]] = {
    "selected": "penwidth=2.5",
    "pending": 'color="#6e7781"',
    "skipped": 'color="#c3cad1", fontcolor="#818b98", style=dashed',
    "blocked": 'color="#cf222e", style=dashed, arrowhead=tee',
}
_SHAPES: Final[Mapping[NodeKind, str]] = {
    "trigger": "ellipse",
    "end": "ellipse",
    "wait": "ellipse",
    "pause": "hexagon",
    "approval": "hexagon",
    "receive": "rarrow",
    "compensation": "component",
}
_COLOURS: Final[Mapping[StepStatus, tuple[str, str]]] = {
    "completed": ("#1a7f37", "#e9f7ed"),
    "failed": ("#cf222e", "#ffecea"),
    "running": ("#0969da", "#e4f1ff"),
    "pending": ("#0969da", "#ffffff"),
    "retrying": ("#9a6700", "#fff6d6"),
    "deferred": ("#9a6700", "#fff6d6"),
    "paused": ("#8250df", "#f6effe"),
    "waiting": ("#818b98", "#f6f8fa"),
}


def to_dot(graph: RunGraph) -> str:
    """The text of the digraph."""
    return "\n".join(["digraph run {", *(f"  {line}" for line in _lines(graph)), "}"]) + "\n"


def _lines(graph: RunGraph) -> Iterator[str]:
    beyond = words.out_of_reach(graph)
    nodes = {node.id: node for node in graph.nodes}
    yield f"label={_quoted(words.heading(graph))}; labelloc=t; fontname=Helvetica;"
    yield 'node [shape=box, style="rounded,filled", fontname=Helvetica];'
    yield "edge [fontname=Helvetica, fontsize=10];"
    for node in graph.nodes:
        said = [words.name_of(node.id), words.state_of(node, beyond), words.due_of(node)]
        line, fill = _COLOURS[node.status]
        shape = _SHAPES.get(node.kind)
        look = [
            f"label={_quoted(*(text for text in said if text))}",
            f'color="{line}"',
            f'fillcolor="{fill}"',
            *([f"shape={shape}, style=filled"] if shape else []),
            *(["penwidth=2.5"] if node.current else []),
        ]
        yield f"{_quoted(words.visible(node.id))} [{', '.join(look)}];"
    for edge in graph.edges:
        said = [words.label_of(edge, nodes[edge.source]), words.values_of(edge)]
        label = [f"label={_quoted(*(text for text in said if text))}"] if said[0] else []
        ends = f"{_quoted(words.visible(edge.source))} -> {_quoted(words.visible(edge.target))}"
        yield f"{ends} [{', '.join([*label, _EDGES[edge.status]])}];"


def _quoted(*lines: str) -> str:
    """Lines as one string; a backslash would be read as the beginning of an escape."""
    escaped = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return f'"{escaped}"'
