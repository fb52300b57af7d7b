"""
Progress: which nodes to enter now, and whether the run is over.

Transition workflows enter what a taken route owes.  Dependency workflows enter
a node as soon as its own dependencies are applied, whatever other branches do.
A run is over when nothing is live, no gate is open and no message is awaited; a
hold only stops claims, so it does not keep a run from its end.
Planning settles: once a plan is carried out, planning again asks for nothing.
"""

from attrs import frozen

from squidmesh_core.definition.spec import Node, Spec
from squidmesh_core.ids import NodeName
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.run import RunState


@frozen(kw_only=True)
class Plan:
    """What the state asks for."""

    #: Nodes to enter, in order; the same node twice is two visits.
    enter: tuple[NodeName, ...] = ()
    #: Whether nothing moves any more and nothing is owed: the run completes.
    complete: bool = False


def plan(state: RunState | Draft, spec: Spec) -> Plan:
    """What to enter next, or that the run is over; a decision in the making asks too."""
    if state.terminal is not None or state.started is None or state.saga.started is not None:
        return Plan()
    if spec.by_dependencies:
        enter = tuple(node.name for node in spec.steps if _ready(node, state))
    elif not state.visits:
        enter = spec.entry_steps
    else:
        enter = state.owed
    waits = state.live or state.gates.open or state.mail.awaited
    return Plan(enter=enter, complete=not enter and not waits)


def waits_for(node: Node, state: RunState) -> tuple[NodeName, ...]:
    """The dependencies of a node that are not applied yet."""
    return tuple(name for name in node.after if not state.done.get(name))


def _ready(node: Node, state: RunState | Draft) -> bool:
    if state.visits.get(node.name):
        return False
    return all(state.done.get(name) for name in node.after)
