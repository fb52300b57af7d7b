"""Names, outputs, recovery markers and actions of the nodes."""

from collections.abc import Collection, Iterator, Mapping

from squidmesh_core.definition.problem import Place, Problem
from squidmesh_core.definition.spec import COMPLETE, Node, Spec, StepNode


def problems(spec: Spec, actions: Collection[str] | None) -> Iterator[Problem]:
    """What is wrong with single nodes, in declaration order."""
    names: set[str] = set()
    outputs = {field.name: "a payload field" for t in spec.triggers for field in t.payload}
    for i, node in enumerate(spec.steps):
        place: Place = ("steps", i)
        if node.name in names:
            yield Problem(
                path=(*place, "name"),
                code="duplicate_step_name",
                message=f"there is another node named {node.name!r}",
            )
        elif node.name == COMPLETE:
            yield Problem(
                path=(*place, "name"),
                code="reserved_name",
                message="'complete' is where a workflow ends",
                hint="Give the node another name.",
            )
        else:
            yield from _output_problems(node, outputs, place)
        names.add(node.name)
        if isinstance(node, StepNode):
            yield from _recovery_problems(node, place)
            if actions is not None:
                yield from _action_problems(node, actions, place)


def output_key(node: Node) -> str | None:
    """The context key that holds the node's output; wait and log have none."""
    key: str | None = getattr(node, "output", None)
    return key


def _output_problems(node: Node, outputs: dict[str, str], place: Place) -> Iterator[Problem]:
    key = output_key(node)
    if key is None:
        return
    if owner := outputs.get(key):
        yield Problem(
            path=(*place, "output"),
            code="duplicate_output_key",
            message=f"the output key {key!r} is also {owner}",
            hint='Name one of them with output="…".',
        )
    outputs.setdefault(key, f"the output key of {node.name!r}")


def _recovery_problems(node: StepNode, place: Place) -> Iterator[Problem]:
    if node.irreversible and node.compensatable:
        yield Problem(
            path=place,
            code="conflicting_step_recovery_markers",
            message=f"{node.name!r} is irreversible and compensatable at once",
        )
    if node.compensate and (node.irreversible or not node.compensatable):
        yield Problem(
            path=(*place, "compensate"),
            code="conflicting_step_compensation",
            message=f"{node.name!r} names what undoes it, and says it cannot be undone",
        )
    if node.compensate_retry and not node.compensate:
        yield Problem(
            path=(*place, "compensate_retry"),
            code="conflicting_step_compensation",
            message=f"{node.name!r} says how often to undo it, but not how",
            hint="Name the action in compensate.",
        )


def _action_problems(node: StepNode, actions: Collection[str], place: Place) -> Iterator[Problem]:
    for member, key in (("action", node.action), ("compensate", node.compensate)):
        if key is None:
            continue
        if key not in actions:
            yield Problem(
                path=(*place, member),
                code="unknown_action_key",
                message=f"no action is registered as {key!r}",
                hint="Register it with this mesh, or correct the key.",
            )
        elif isinstance(actions, Mapping) and actions[key] is False:
            yield Problem(
                path=(*place, member),
                code="disabled_action_key",
                message=f"the action {key!r} is disabled",
            )
