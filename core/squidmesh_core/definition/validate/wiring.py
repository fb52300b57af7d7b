"""
What inputs, conditions and markers read: is it there, each time?

The run context is the payload and the outputs so far, each under its key, so
the first name of a path says where its value comes from.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final, assert_never

from attrs import evolve, frozen

from squidmesh_core.definition.certainty import Certainty, certainty
from squidmesh_core.definition.problem import Place, Problem
from squidmesh_core.definition.spec import (
    ApprovalNode,
    ChildrenNode,
    FieldType,
    LogNode,
    Node,
    PauseNode,
    ReceiveNode,
    Spec,
    StepNode,
    WaitNode,
)
from squidmesh_core.definition.validate.steps import output_key
from squidmesh_core.ids import NodeName
from squidmesh_core.values import (
    Binding,
    Constant,
    FromPath,
    ObjectOf,
    OptionalPath,
    paths_of,
)
from squidmesh_core.values.binding import Path

#: Types that hold nothing a path could go into.
_SCALARS: Final[frozenset[FieldType]] = frozenset({"string", "integer", "float", "boolean"})
#: A resembling name is looked for among so many, and so many times; looking is slow.
_MOST_NAMES: Final = 200
_MOST_HINTS: Final = 10


@frozen(kw_only=True)
class _Context:
    """What the run context of this workflow can hold."""

    #: Payload field → its type.
    payload: Mapping[str, FieldType]
    #: Payload field → a trigger that may supply it.
    triggers: Mapping[str, str]
    #: Payload fields that every trigger supplies.
    always: frozenset[str]
    #: Output key → the node that leaves it.
    producers: Mapping[str, NodeName]
    certain: Certainty


@frozen(kw_only=True)
class _Use:
    """One path, where it is written, and whether its value must be there."""

    path: Path
    place: Place
    #: The node that cannot do without; null where a missing value is fine.
    needed_by: NodeName | None = None


def problems(spec: Spec) -> Iterator[Problem]:
    """What is wrong with the paths, in declaration order."""
    context = _context(spec)
    names = [*context.payload, *context.producers]
    hints = _MOST_HINTS if len(names) <= _MOST_NAMES else 0
    for use in _uses(spec):
        if not use.path:
            continue
        if missing := _unknown(use, context):
            near = get_close_matches(use.path[0], names, n=1) if hints > 0 else []
            hints -= 1
            yield evolve(missing, hint=f"Did you mean {near[0]!r}?") if near else missing
        elif use.needed_by is not None:
            yield from _uncertain(use, use.needed_by, context)


def _context(spec: Spec) -> _Context:
    supplied = [
        {field.name for field in trigger.payload if field.required or field.default is not None}
        for trigger in spec.triggers
    ]
    return _Context(
        payload={field.name: field.type for t in spec.triggers for field in t.payload},
        triggers={field.name: t.name for t in spec.triggers for field in t.payload},
        always=frozenset.intersection(*map(frozenset, supplied)) if supplied else frozenset(),
        producers={key: node.name for node in spec.steps if (key := output_key(node))},
        certain=certainty(spec),
    )


def _uses(spec: Spec) -> Iterator[_Use]:
    for i, node in enumerate(spec.steps):
        for binding, place in _bindings(node, ("steps", i)):
            yield from _of_binding(binding, place, node.name)
    for i, route in enumerate(spec.transitions):
        if route.condition is not None:
            for path in paths_of(route.condition):
                yield _Use(path=path, place=("transitions", i, "condition"))
    for i, path in enumerate(spec.sensitive):
        yield _Use(path=path, place=("sensitive", i))


def _bindings(node: Node, place: Place) -> Iterator[tuple[Binding, Place]]:
    match node:
        case StepNode(input=bindings):
            for name, binding in (bindings or {}).items():
                yield binding, (*place, "input", name)
        case ReceiveNode(correlation=binding):
            if binding is not None:
                yield binding, (*place, "correlation")
        case ChildrenNode(over=over):
            yield over, (*place, "over")
        case WaitNode() | LogNode() | PauseNode() | ApprovalNode():
            pass
        case _:
            assert_never(node)


def _of_binding(binding: Binding, place: Place, node: NodeName) -> Iterator[_Use]:
    match binding:
        case FromPath(path=path):
            yield _Use(path=path, place=place, needed_by=node)
        case OptionalPath(path=path):
            yield _Use(path=path, place=place)
        case ObjectOf(fields=fields):
            for name, path in fields.items():
                yield _Use(path=path, place=(*place, "object", name), needed_by=node)
        case Constant():
            pass
        case _:
            assert_never(binding)


def _unknown(use: _Use, context: _Context) -> Problem | None:
    root = use.path[0]
    declared = context.payload.get(root)
    if declared in _SCALARS and len(use.path) > 1:
        return Problem(
            path=use.place,
            code="unknown_field",
            message=f"{root!r} is {declared}; nothing inside it can be read",
        )
    if declared is not None or root in context.producers:
        return None
    return Problem(
        path=use.place,
        code="unknown_field",
        message=f"no payload field and no output is named {root!r}",
    )


def _uncertain(use: _Use, node: NodeName, context: _Context) -> Iterator[Problem]:
    root, *below = use.path
    if root in context.payload:
        if root not in context.always:
            written = ".".join((context.triggers[root], "payload", *use.path))
            yield Problem(
                path=use.place,
                code="payload_not_supplied",
                message=f"not every start supplies {root!r}",
                hint=f"Give it a default, or write maybe({written}).",
            )
        return
    producer = context.producers[root]
    written = ".".join((producer, "out", *below))
    if not context.certain.can_count_on(node, producer):
        yield Problem(
            path=use.place,
            code="output_not_certain",
            message=f"{node!r} can be entered before {producer!r} has left its output",
            hint=f"Write maybe({written}), or lead every way through {producer!r}.",
        )
