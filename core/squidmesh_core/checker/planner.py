"""
The checker's own idea of what a definition asks for, in the plainest words.

Made another way than the planner on purpose; what both share is the language
itself: what a condition, a binding and a node are.
"""

from squidmesh_core.checker.model import Model
from squidmesh_core.definition.spec import (
    COMPLETE,
    Node,
    Outcome,
    ReceiveNode,
    Spec,
    StepNode,
    Transition,
)
from squidmesh_core.ids import NodeName, VisitKey
from squidmesh_core.protocol.entries import StepApplied
from squidmesh_core.values import Binding, MissingPath, bind, holds, lookup, paths_of


def way(spec: Spec, step: NodeName, on: Outcome, context: dict[str, object]) -> Transition | None:
    """The route that leads on; a node without ok-routes ends its strand."""
    routes = spec.routes.get((step, on), ())
    if not routes and on == "ok" and not spec.by_dependencies:
        return Transition(source=step, on=on, target=COMPLETE)
    true = [r for r in routes if r.condition is not None and holds(r.condition, context)]
    otherwise = [r for r in routes if r.condition is None]
    return next(iter(true + otherwise), None)


def values_read(
    spec: Spec, step: NodeName, on: Outcome, context: dict[str, object]
) -> dict[str, object]:
    """What the conditions of an outcome read in the context: dotted path → value."""
    values = {}
    for route in spec.routes.get((step, on), ()):
        for path in paths_of(route.condition) if route.condition is not None else ():
            found, value = lookup(context, path)
            if found:
                values[".".join(path)] = value
    return values


def wanted(spec: Spec, model: Model) -> list[NodeName]:
    """The nodes that are to be entered now."""
    if not spec.by_dependencies:
        return list(model.owed)
    return [
        node.name
        for node in spec.steps
        if node.name not in model.entered and model.done.issuperset(node.after)
    ]


def visits_allowed(spec: Spec, node: Node) -> int | None:
    """How often a node may be entered, where the definition says so."""
    if spec.by_dependencies:
        return 1
    most = getattr(node, "max_visits", None)
    return most if isinstance(most, int) else None


def barred(node: Node | None, context: dict[str, object]) -> str | None:
    """Why a node cannot be entered for want of input, as the failure says it; null: it can."""
    bindings: dict[str, Binding] = {}
    if isinstance(node, StepNode) and node.input is not None:
        bindings.update(node.input)
    elif isinstance(node, ReceiveNode) and node.correlation is not None:
        bindings["correlation"] = node.correlation
    if isinstance(bind(bindings, context), MissingPath):
        return "missing_input_path"
    nameless = isinstance(node, ReceiveNode) and node.correlation and not found_by(node, context)
    return "invalid_input" if nameless else None


def found_by(node: ReceiveNode, context: dict[str, object]) -> str | None:
    """The text that a message finds a run by: a text or a whole number, and not empty."""
    if node.correlation is None:
        return None
    bound = bind({"correlation": node.correlation}, context)
    value = bound.get("correlation") if isinstance(bound, dict) else None
    plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) or None if plain else None


def lane(model: Model, node: Node | None) -> tuple[str, int]:
    """Queue and priority: the step's own, else the run's."""
    started = model.started
    queue, priority = ("default", 0) if started is None else (started.queue, started.priority)
    if isinstance(node, StepNode):
        queue = node.queue if node.queue is not None else queue
        priority = node.priority if node.priority is not None else priority
    return queue, priority


def timeout_of(node: Node | None) -> int | None:
    """Milliseconds after which a timer ends a visit of the node; a step's own is no timer."""
    most = None if isinstance(node, StepNode) else getattr(node, "timeout_ms", None)
    return most if isinstance(most, int) else None


def callback(spec: Spec, step: NodeName) -> str | None:
    """The action that undoes a step."""
    node = spec.nodes.get(step)
    return node.compensate if isinstance(node, StepNode) else None


def to_undo(spec: Spec, model: Model) -> list[VisitKey]:
    """What is still to be undone, in order: visits that took effect, the last applied first."""
    effects = [
        (entry.revision, visit)
        for visit, entry in model.applied.items()
        if visit not in model.undone and took_effect(entry) and callback(spec, entry.step)
    ]
    return [visit for _, visit in sorted(effects, reverse=True)]


def took_effect(entry: StepApplied) -> bool:
    """Whether a visit was done here, or is here to be undone; not failed, not only reused."""
    if entry.reused_from is not None:
        return entry.reused_from.undo_key is not None
    return entry.source is not None


def forward_held(model: Model) -> list[VisitKey]:
    """Visits whose attempts are claimed and not settled, undoing aside."""
    return [
        attempt.intent.visit_key
        for attempt in model.live.values()
        if attempt.claim is not None and not attempt.undoes
    ]
