"""
What boxes and lines say, alike in every drawing.

A definition may come from outside and values of a run always do, so whatever
is drawn goes through `visible`: nothing in it can end a string, move a cursor,
or reorder what stands beside it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, assert_never

from squidmesh_core.values import condition_from_json
from squidmesh_core.values.condition import AllOf, AnyOf, Compare, Condition, Not
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.graph.records import GraphEdge, GraphNode, RunGraph
from squidmesh_core.views.steps import StepStatus
from squidmesh_core.views.words import away, clipped, value_text

#: Controls, marks that reorder or vanish, and what XML cannot hold.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SIGNS: Final[Mapping[str, str]] = {
    "equals": "=",
    "not_equals": "≠",
    "less_than": "<",
    "greater_than": ">",
    "at_least": "≥",
    "at_most": "≤",
    "is_in": "in",
}
#: How far undoing a node is.
_UNDOING: Final[Mapping[StepStatus, str]] = {
    "waiting": "to be undone",
    "pending": "undone next",
    "running": "being undone",
    "retrying": "undone again later",
    "completed": "undone",
    "failed": "not undone",
}
_OUTCOMES: Final[Mapping[str, str]] = {"error": "error", "timeout": "time-out", "ok": ""}
_ANSWERS: Final[Mapping[str, str]] = {**_OUTCOMES, "error": "rejected", "ok": "approved"}
_DUE: Final[Mapping[DeadlineStatus, str]] = {
    "on_time": "due",
    "due_soon": "due soon,",
    "overdue": "overdue, was due",
    "escalated": "escalated, was due",
}
#: Where a line of a label is best broken.
_BREAKS: Final = re.compile(r"(?<=,) (?!and )| (?=and |or |· )")
#: Characters of a name, and of a line of a label.
_NAME: Final = 30
_LINE: Final = 32
_LINES: Final = 3


def visible(text: str) -> str:
    """The text with every character written out that would not be seen or would do harm."""
    if text.isascii() and text.isprintable():
        return text  # nearly always, and this is seen sooner
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def heading(graph: RunGraph) -> str:
    """What is drawn: `OrderFulfilment · paused`."""
    version = "" if graph.version is None else f" {clipped(graph.version, _NAME)}"
    return visible(f"{clipped(graph.workflow, 2 * _NAME)}{version} · {graph.status}")


def subtitle(graph: RunGraph) -> str:
    """Which run it is, and, for those who may know, at which revision."""
    at = f" · revision {graph.revision}" if graph.revision else ""
    return f"run {graph.run_id}{at}"


def out_of_reach(graph: RunGraph) -> frozenset[str]:
    """Ids of the nodes that the run neither entered nor will enter."""
    forward = not graph.terminal and graph.status != "compensating"
    ways = [edge for edge in graph.edges if edge.status in {"selected", "pending"}]
    led_to = {edge.target for edge in ways if forward or edge.type == "compensation"}
    return frozenset(
        node.id
        for node in graph.nodes
        if node.status == "waiting" and node.id not in led_to and not node.visits
    )


def name_of(node_id: str) -> str:
    """What a node is called, in full."""
    head, _, name = node_id.partition(":")
    if not name:
        return visible(node_id)
    return visible(f"undo {name}" if head == "compensate" else name)


def labels_of(graph: RunGraph) -> Mapping[str, str]:
    """
    Node → its name as it fits a box; the ends tell most names apart.

    Of names that would look alike, so much more is shown that they do not.
    """
    names = {node.id: name_of(node.id) for node in graph.nodes}
    alike: dict[str, set[str]] = {}
    for name in names.values():
        alike.setdefault(short(name), set()).add(name)
    enough = {label: _enough(those) for label, those in alike.items()}
    return {node: short(name, enough[short(name)]) for node, name in names.items()}


def _enough(names: Collection[str]) -> int:
    """How many characters of each name tell them apart."""
    lengths = range(_NAME, max(map(len, names)) + 1)
    told = (n for n in lengths if len({short(name, n) for name in names}) == len(names))
    return next(told, _NAME)


def short(name: str, longest: int = _NAME) -> str:
    """The beginning and the end of a text, with what is left out between them marked."""
    if len(name) <= longest:
        return name
    head = (longest - 1) // 2
    return f"{name[:head]}…{name[len(name) - (longest - 1 - head) :]}"


def state_of(node: GraphNode, beyond: frozenset[str]) -> str:
    """Kind and status of a node: `approval · paused`, `running · attempt 2`."""
    if node.kind == "compensation":
        return _UNDOING[node.status]
    if node.kind == "trigger":
        return "started"
    words: list[str] = [] if node.kind in {"step", "end"} else [node.kind]
    words.append("not reached" if node.id in beyond else node.status)
    if node.status in {"running", "retrying", "failed", "pending"} and (node.attempt or 1) > 1:
        words.append(f"attempt {node.attempt}")
    if node.visits > 1:
        words.append(f"visit {node.visits}")
    return " · ".join(words)


def due_of(node: GraphNode) -> str | None:
    """How a node's deadline stands: `due in 1 h 22 min`, `overdue, was due 5 min ago`."""
    due = node.deadline
    if due is None:
        return None
    return f"{_DUE[due.status]} {away(due.remaining)}"


def marks_of(node: GraphNode) -> str | None:
    """What is to be known of a step before it is repeated or undone."""
    return "irreversible" if node.recovery is not None and node.recovery.irreversible else None


def label_of(edge: GraphEdge, source: GraphNode) -> str:
    """When an edge is taken: `rejected`, `risk.score < 40`, `otherwise`; often nothing."""
    if edge.outcome is None:
        return ""
    words = _ANSWERS if source.kind == "approval" else _OUTCOMES
    parts = [words[edge.outcome]]
    if edge.condition is not None:
        parts.append(said(condition_from_json(edge.condition)))
    if edge.otherwise:
        parts.append("otherwise")
    if edge.recovery:
        parts.append(f"for {edge.recovery}")
    if edge.times > 1:
        parts.append(f"{edge.times} times")
    return visible(" · ".join(filter(None, parts)))


def values_of(edge: GraphEdge) -> str:
    """What decided an edge: `↳ risk.score = 61`."""
    if not edge.values:
        return ""
    said = (f"{path} = {value_text(value)}" for path, value in edge.values.items())
    return visible(f"↳ {', '.join(said)}")


def said(condition: Condition) -> str:
    """A condition in signs."""
    match condition:
        case AllOf(conditions=parts):
            return " and ".join(_part(part) for part in parts)
        case AnyOf(conditions=parts):
            return " or ".join(_part(part) for part in parts)
        case Not(condition=inner):
            return f"not {_part(inner)}"
        case Compare(path=path, operator=operator, operand=operand):
            where = clipped(".".join(path))
            if operator == "is_missing":
                return f"{where} is {'there' if operand is False else 'missing'}"
            return f"{where} {_SIGNS[operator]} {value_text(operand)}"
    assert_never(condition)


def lines_of(text: str, longest: int = _LINE, most: int = _LINES) -> Sequence[str]:
    """A text in a few lines, cut where more would be needed."""
    lines: list[str] = []
    for word in _BREAKS.split(text) if text else ():
        if lines and len(lines[-1]) + 1 + len(word) <= longest:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    cut = [short(line, longest) for line in lines[:most]]
    if len(lines) > most:
        cut[-1] = f"{cut[-1][: longest - 2]} …"
    return cut


def _part(condition: Condition) -> str:
    return said(condition) if isinstance(condition, Compare) else f"({said(condition)})"
