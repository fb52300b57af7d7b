"""The graph as a Mermaid flowchart, for pages and pull requests."""

from collections.abc import Iterator, Mapping
from typing import Final

from squidmesh_core.definition.mermaid import escaped
from squidmesh_core.views.graph import words
from squidmesh_core.views.graph.records import EdgeStatus, NodeKind, RunGraph

_ARROWS: Final[Mapping[EdgeStatus, str]] = {
    "selected": "==>",
    "pending": "-->",
    "skipped": "-.->",
    "blocked": "-.-x",
}
#: Kind → what its name stands between; a rectangle, if it is not here.
_SHAPES: Final[Mapping[NodeKind, tuple[str, str]]] = {
    "trigger": ("([", "])"),
    "end": ("([", "])"),
    "wait": ("([", "])"),
    "pause": ("{{", "}}"),
    "approval": ("{{", "}}"),
    "receive": (">", "]"),
    "compensation": ("[[", "]]"),
}
#: Borders that can be told apart on light and on dark pages.
_BORDERS: Final[Mapping[str, str]] = {
    "completed": "stroke:#1a7f37,stroke-width:2px",
    "failed": "stroke:#cf222e,stroke-width:3px",
    "running": "stroke:#0969da,stroke-width:3px",
    "pending": "stroke:#0969da,stroke-width:2px",
    "retrying": "stroke:#9a6700,stroke-width:2px",
    "deferred": "stroke:#9a6700,stroke-width:2px",
    "paused": "stroke:#8250df,stroke-width:3px",
    "waiting": "stroke:#818b98,stroke-width:1px",
    "beyond": "stroke:#818b98,stroke-width:1px,stroke-dasharray:2 4,opacity:0.5",
}


def to_mermaid(graph: RunGraph) -> str:
    """The text of the flowchart; nodes are numbered, so that any name is safe."""
    return "\n".join(["flowchart TD", *_lines(graph)]) + "\n"


def _lines(graph: RunGraph) -> Iterator[str]:
    beyond = words.out_of_reach(graph)
    numbers = {node.id: f"n{i}" for i, node in enumerate(graph.nodes)}
    nodes = {node.id: node for node in graph.nodes}
    classes: dict[str, list[str]] = {}
    for node in graph.nodes:
        begin, end = _SHAPES.get(node.kind, ("[", "]"))
        said = [words.name_of(node.id), words.state_of(node, beyond), words.due_of(node) or ""]
        text = "<br/>".join(escaped(line) for line in said if line)
        yield f'    {numbers[node.id]}{begin}"{text}"{end}'
        look: str = "beyond" if node.id in beyond else node.status
        classes.setdefault(look, []).append(numbers[node.id])
    for edge in graph.edges:
        said = [words.label_of(edge, nodes[edge.source]), words.values_of(edge)]
        text = "<br/>".join(escaped(line) for line in said if line) if said[0] else ""
        label = f'|"{text}"|' if text else ""
        ends = numbers[edge.source], numbers[edge.target]
        yield f"    {ends[0]} {_ARROWS[edge.status]}{label} {ends[1]}"
    pale = [str(i) for i, edge in enumerate(graph.edges) if edge.status == "skipped"]
    if pale:
        yield f"    linkStyle {','.join(pale)} opacity:0.45"
    for look, members in classes.items():
        yield f"    classDef {look} {_BORDERS[look]}"
        yield f"    class {','.join(members)} {look}"
