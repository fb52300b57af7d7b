"""What undoes a node: beside the forward graph, once undoing began."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import NodeName, undo_key
from squidmesh_core.state.run import RunState
from squidmesh_core.views.graph.records import EdgeStatus, GraphEdge, GraphNode
from squidmesh_core.views.steps import StepStatus
from squidmesh_core.views.waiting import compensation_view, in_turn

_PREFIX: Final = "compensate:"
#: Of several visits of one node, the first of these speaks for all.
_GRAVEST: Final[tuple[StepStatus, ...]] = (
    "failed",
    "running",
    "retrying",
    "pending",
    "waiting",
    "completed",
)
_STATUSES: Final[Mapping[str, StepStatus]] = {
    "pending": "waiting",
    "running": "running",
    "retrying": "retrying",
    "compensated": "completed",
    "failed": "failed",
}
#: A node that undoes → whether the run went, or goes, back to it.
_WAYS: Final[Mapping[StepStatus, EdgeStatus]] = {"waiting": "pending"}


def undo_id(node: str) -> str:
    """The id of what undoes a node."""
    return f"{_PREFIX}{node}"


def undo_nodes(state: RunState, spec: Spec) -> tuple[GraphNode, ...]:
    """One for each node that was, is or will be undone, in the order of undoing."""
    found: dict[NodeName, list[StepStatus]] = {}
    for node, status in _undone(state, spec):
        found.setdefault(node, []).append(status)
    return tuple(
        GraphNode(
            id=undo_id(node),
            kind="compensation",
            action=_callback(spec, node),
            status=min(statuses, key=_GRAVEST.index),
            visits=sum(status != "waiting" for status in statuses),
        )
        for node, statuses in found.items()
    )


def undo_edges(nodes: Iterable[GraphNode]) -> Iterator[GraphEdge]:
    """From each node to what undoes it."""
    for node in nodes:
        source = node.id.removeprefix(_PREFIX)
        yield GraphEdge(
            id=f"{source}:compensation:{node.id}",
            source=source,
            target=node.id,
            type="compensation",
            status=_WAYS.get(node.status, "selected"),
            times=node.visits,
        )


def _undone(state: RunState, spec: Spec) -> Iterator[tuple[NodeName, StepStatus]]:
    undoing = compensation_view(state, spec)
    if undoing is None:
        return
    turn = in_turn(state)
    for step in undoing.steps:
        if step.status == "pending" and turn and turn.intent.visit_key == undo_key(step.visit_key):
            yield step.node, "pending"  # it is due; those after it wait
        elif step.status in _STATUSES:  # of an unknown effect nothing is undone
            yield step.node, _STATUSES[step.status]
    for left in undoing.recovery:
        if left.reason == "abandoned":
            yield left.step, "waiting"


def _callback(spec: Spec, name: NodeName) -> str | None:
    node = spec.nodes.get(name)
    return node.compensate if isinstance(node, StepNode) else None
