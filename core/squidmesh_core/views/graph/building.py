"""
The graph of a run, out of its state and the definition it keeps.

    nodes   the trigger, the definition's in its order, the end, what undoes
    edges   the module `edges`; to what undoes, `undoing`
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import cast

from attrs import evolve

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.protocol.entries import StepApplied
from squidmesh_core.state.attempt import LIVE
from squidmesh_core.state.run import RunState
from squidmesh_core.values import RecoveryPolicy
from squidmesh_core.views.given import failure_given
from squidmesh_core.views.graph.edges import run_edges
from squidmesh_core.views.graph.records import END, GraphNode, NodeKind, RunGraph
from squidmesh_core.views.graph.undoing import undo_edges, undo_id, undo_nodes
from squidmesh_core.views.inspection import AttemptView, Snapshot, snapshot
from squidmesh_core.views.steps import step_status


def graph(state: RunState, spec: Spec, now: datetime, *, history: bool = False) -> RunGraph:
    """
    The graph of a run at an instant.

    Args:
        state: The fold of the run's journal, from its start on.
        spec: The definition that the run keeps.
        now: What deadlines are judged at.
        history: Also what nodes took in and gave out, their gates and attempts.

    Raises:
        ValueError: The journal holds no start.
    """
    seen = snapshot(state, spec, now, history=history)
    tries: dict[str, list[AttemptView]] = {}
    for attempt in seen.attempts:
        if attempt.kind != "timer":
            tries.setdefault(_place(attempt), []).append(attempt)
    current = _current(seen)
    begin = f"trigger:{seen.run.trigger}"
    edges = run_edges(state, spec, begin)
    undoing = undo_nodes(state, spec)
    nodes = [
        GraphNode(id=begin, kind="trigger", status="completed", visits=1),
        *_steps(state, spec, edges.decisions),
        GraphNode(
            id=END, kind="end", status="completed" if seen.status == "completed" else "waiting"
        ),
        *undoing,
    ]
    if history:
        last = {str(applied.step): applied for applied in state.applied.values()}
        nodes = [
            _with_history(node, tries.get(node.id, ()), last.get(node.id), seen) for node in nodes
        ]
    return RunGraph(
        run_id=seen.id,
        workflow=seen.run.workflow,
        version=seen.run.version,
        status=seen.status,
        terminal=seen.terminal,
        revision=seen.at_revision,
        nodes=tuple(_at_work(node, tries.get(node.id, ()), seen, current) for node in nodes),
        edges=(*edges.edges, *undo_edges(undoing)),
        current=current,
        anomalies=seen.anomalies,
    )


def _steps(state: RunState, spec: Spec, decisions: Mapping[str, str]) -> Iterator[GraphNode]:
    for name, node in spec.nodes.items():
        step = node if isinstance(node, StepNode) else None
        yield GraphNode(
            id=name,
            kind=cast("NodeKind", type(node).__name__.removesuffix("Node").lower()),
            action=step.action if step else None,
            status=step_status(state, name),
            visits=state.visits.get(name, 0),
            decision=decisions.get(name),
            recovery=(step.recovery or RecoveryPolicy()) if step else None,
        )


def _at_work(
    node: GraphNode, tries: Sequence[AttemptView], seen: Snapshot, current: tuple[str, ...]
) -> GraphNode:
    """The node with what is true of it only while the run goes on."""
    here = node.id in current
    return evolve(
        node,
        current=here,
        attempt=tries[-1].number if tries else None,
        deadline=next((due for due in seen.deadlines if here and due.node == node.id), None),
    )


def _with_history(
    node: GraphNode, tries: Sequence[AttemptView], last: StepApplied | None, seen: Snapshot
) -> GraphNode:
    newest = tries[-1] if tries else None
    # What was put out at a gate, by a message or in another run, no attempt of this run holds.
    held = last.output if last is not None and newest is None else None
    return evolve(
        node,
        input=newest.input if newest else None,
        output=newest.output if newest else seen.context.get(held) if held else None,
        error=newest.error
        if newest and newest.error
        else failure_given(last.error)
        if last
        else None,
        gate=next((gate for gate in seen.gates if gate.node == node.id), None),
        attempts=tuple(tries),
    )


def _current(seen: Snapshot) -> tuple[str, ...]:
    """Where the run is: snapshots name a node itself while it is undone, a graph what undoes it."""
    if seen.terminal:
        return ()
    at_work = [_place(one) for one in seen.attempts if one.status in LIVE and one.kind != "timer"]
    asked = [gate.node for gate in seen.gates if gate.node is not None]
    return tuple(dict.fromkeys([*at_work, *asked, *(one.node for one in seen.awaited)]))


def _place(attempt: AttemptView) -> str:
    return undo_id(attempt.node) if attempt.kind == "compensation" else attempt.node
