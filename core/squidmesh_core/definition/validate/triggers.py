"""Triggers share one graph, so their payloads must agree."""

from collections.abc import Iterator

from squidmesh_core.definition.problem import Problem
from squidmesh_core.definition.spec import (
    ApprovalNode,
    Field,
    FieldType,
    ReceiveNode,
    Spec,
)


def problems(spec: Spec) -> Iterator[Problem]:
    """What is wrong with the triggers, in declaration order."""
    names: set[str] = set()
    types: dict[str, tuple[FieldType, str]] = {}
    for i, trigger in enumerate(spec.triggers):
        if trigger.name in names:
            yield Problem(
                path=("triggers", i, "name"),
                code="duplicate_trigger_name",
                message=f"there is another trigger named {trigger.name!r}",
            )
        names.add(trigger.name)
        yield from _repeated(trigger.payload, ("triggers", i, "payload"))
        for j, field in enumerate(trigger.payload):
            declared, owner = types.setdefault(field.name, (field.type, trigger.name))
            if declared != field.type and owner != trigger.name:
                yield Problem(
                    path=("triggers", i, "payload", j, "type"),
                    code="conflicting_payload_field",
                    message=f"{field.name!r} is {field.type} here and {declared} in {owner!r}",
                    hint="Triggers of one workflow share a payload; rename one of the fields.",
                )
    for i, node in enumerate(spec.steps):
        if isinstance(node, ApprovalNode) and node.form:
            yield from _repeated(node.form, ("steps", i, "form"))
        if isinstance(node, ReceiveNode):
            yield from _repeated(node.message, ("steps", i, "message"))


def _repeated(fields: tuple[Field, ...], place: tuple[str | int, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, field in enumerate(fields):
        if field.name in seen:
            yield Problem(
                path=(*place, i, "name"),
                code="duplicate_payload_field",
                message=f"there is another field named {field.name!r}",
            )
        seen.add(field.name)
