"""From a class body to a spec: everything is resolved, checked, and reported at once."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from squidmesh.authoring.conditions import places_of, resolved
from squidmesh.authoring.contracts import sensitive_paths
from squidmesh.authoring.findings import Draft, Heading, refuse_problems
from squidmesh.authoring.functions import Registration, registrations
from squidmesh.authoring.nodes import BaseNode, Route
from squidmesh.authoring.notes import Source, note
from squidmesh.authoring.paths import recorded_of
from squidmesh.authoring.report import definition_error
from squidmesh.authoring.steps import Step
from squidmesh.authoring.triggers import Trigger
from squidmesh.authoring.wiring import Wires
from squidmesh_core.definition.graph import derived_entry_steps
from squidmesh_core.definition.problem import Problem
from squidmesh_core.definition.reading.members import node_name
from squidmesh_core.definition.reading.source import UnreadableError
from squidmesh_core.definition.spec import COMPLETE, Spec, StepNode, Transition
from squidmesh_core.definition.spec import Node as SpecNode
from squidmesh_core.ids import NodeName

#: Names that a trigger or node cannot have: the class itself uses them.
RESERVED: Final = ("complete", "version", "spec", "nodes")


@frozen(kw_only=True)
class Compiled:
    """What a class became."""

    spec: Spec
    triggers: Mapping[str, Trigger[Any]]
    nodes: Mapping[str, BaseNode]
    registrations: tuple[Registration, ...]


def compile_workflow(heading: Heading, body: Mapping[str, object]) -> Compiled:
    """
    The spec of a class body, and the functions it needs.

    Raises:
        DefinitionError: With every problem, each with its line.
    """
    draft = Draft(heading=heading, wires=_wires(heading, body))
    sources = (*draft.wires.triggers.values(), *draft.wires.nodes.values())
    try:
        steps = tuple(node._spec(draft.wires) for node in draft.wires.nodes.values())
        # Before anything reads outputs: this resolves the annotations that use local names.
        needed = tuple(_registrations(draft, steps))
        spec = _spec(draft, steps)
        refuse_problems(draft, spec)
    finally:
        for source in sources:
            source._names.release()
    for source in sources:
        source._owner = heading.workflow
    return Compiled(
        spec=spec,
        triggers=draft.wires.triggers,
        nodes=draft.wires.nodes,
        registrations=needed,
    )


def _wires(heading: Heading, body: Mapping[str, object]) -> Wires:
    """The triggers and nodes of a body by the first name each got, in its order."""
    triggers: dict[str, Trigger[Any]] = {}
    nodes: dict[str, BaseNode] = {}
    for name, value in body.items():
        if not isinstance(value, Source):
            continue
        if value._owner is not None:
            raise definition_error(heading.label, [_taken(heading, name, value)], [name])
        if name in RESERVED:
            message = f"'{name}' is a name of the class itself"
            note(value, "reserved_name", message, "choose another", location=value._location)
        if value._label != name:
            continue
        try:
            node_name(name)
        except UnreadableError as no:
            code = "invalid_trigger_name" if isinstance(value, Trigger) else "invalid_step_name"
            note(value, code, no.message, tail=("name",), location=value._location)
        if isinstance(value, Trigger):
            triggers[name] = value
        elif isinstance(value, BaseNode):
            nodes[name] = value
    return Wires(
        workflow=heading.workflow,
        triggers=triggers,
        nodes=nodes,
        shorthands={n: r for n, v in body.items() if (r := recorded_of(v)) is not None},
    )


def _taken(heading: Heading, name: str, source: Source) -> Problem:
    return Problem(
        path=(),
        code="workflow_not_extensible",
        message=f"'{name}' belongs to {source._owner} already",
        hint="share the step function, or start that workflow with children(...)",
        file=heading.location.file,
        line=heading.location.line,
    )


# -- the spec --


def _spec(draft: Draft, steps: tuple[SpecNode, ...]) -> Spec:
    heading, wires = draft.heading, draft.wires
    triggers = tuple(trigger._spec() for trigger in wires.triggers.values())
    _check_references(wires)
    transitions = tuple(_transitions(draft, steps))
    return Spec(
        workflow=heading.workflow,
        version=heading.version,
        queue=heading.queue,
        priority=heading.priority,
        timeout_ms=heading.timeout_ms,
        triggers=triggers,
        steps=steps,
        transitions=transitions,
        entry_steps=derived_entry_steps(steps, transitions),
        sensitive=tuple(dict.fromkeys(_sensitive(wires))),
    )


def _check_references(wires: Wires) -> None:
    for node in wires.nodes.values():
        for earlier in node._after:
            if not wires.owns(earlier):
                message = f"after names {earlier._label or 'a node'}, which is not of this class"
                note(node, "unknown_step_dependency", message, tail=("after",))
        for route in node._routes:
            if isinstance(route.target, BaseNode) and not wires.owns(route.target):
                named = route.target._label or "a node that has no name"
                message = f"a route leads to {named}, which is not of this class"
                note(node, "unknown_transition_target", message, location=route.location)


def _transitions(draft: Draft, steps: tuple[SpecNode, ...]) -> Iterator[Transition]:
    by_dependencies = any(step.after for step in steps)
    for name, node in draft.wires.nodes.items():
        for route in node._routes:
            draft.routes.append((node, route.location))
            yield _transition(draft, NodeName(name), node, route)
        if not by_dependencies and all(route.on != "ok" for route in node._routes):
            draft.routes.append((node, node._location))
            yield Transition(source=NodeName(name), on="ok", target=COMPLETE)


def _transition(draft: Draft, name: NodeName, node: BaseNode, route: Route) -> Transition:
    condition = None
    if route.when is not None:
        for place in places_of(route.when):
            if not draft.wires.owns(place.source):
                message = f"the condition reads {place.source._label}, not of this class"
                note(node, "incompatible_wiring", message, location=route.location)
        condition = resolved(route.when, draft.wires.context_path)
        if condition is None:
            draft.unsure.add(node)
    target = route.target
    return Transition(
        source=name,
        on=route.on,
        target=NodeName(target._label or "") if isinstance(target, BaseNode) else COMPLETE,
        condition=condition,
        recovery=route.recovery,
    )


def _sensitive(wires: Wires) -> Iterator[tuple[str, ...]]:
    for trigger in wires.triggers.values():
        if trigger._fields():
            yield from sensitive_paths(trigger._contract, ())
    for node in wires.nodes.values():
        key = node._output_key()
        if key is not None and not node._notes:
            yield from sensitive_paths(node._output_hint(), (key,))


def _registrations(draft: Draft, steps: tuple[SpecNode, ...]) -> Iterator[Registration]:
    for node, compiled in zip(draft.wires.nodes.values(), steps, strict=True):
        if isinstance(node, Step) and isinstance(compiled, StepNode):
            yield from registrations(node, compiled)
