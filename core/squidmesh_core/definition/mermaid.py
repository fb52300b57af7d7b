"""A spec as a Mermaid flowchart, for pages and pull requests."""

from collections.abc import Iterator
from typing import assert_never

from squidmesh_core.definition.spec import COMPLETE, Node, Spec, StepNode, Transition
from squidmesh_core.definition.writing import node_to_dict
from squidmesh_core.values import AllOf, AnyOf, Compare, Condition, Not


def to_mermaid(spec: Spec) -> str:
    """The text of the flowchart; nodes are numbered, so that any name is safe."""
    return "\n".join(["flowchart TD", *_lines(spec)]) + "\n"


def _lines(spec: Spec) -> Iterator[str]:
    ids: dict[str, str] = {node.name: f"n{i}" for i, node in enumerate(spec.steps)}
    for node in spec.steps:
        yield f'    {ids[node.name]}["{escaped(_label(node))}"]'
    if not spec.by_dependencies:
        ids[COMPLETE] = "done"
        yield "    done(((complete)))"
    for node in spec.steps:
        for earlier in node.after:
            yield f"    {ids[earlier]} --> {ids[node.name]}"
    for route in spec.transitions:
        yield f"    {ids[route.source]} {_arrow(route)} {ids[route.target]}"


def _label(node: Node) -> str:
    if isinstance(node, StepNode):
        return str(node.name)
    return f"{node.name} ({node_to_dict(node)['kind']})"


def _arrow(route: Transition) -> str:
    words: list[str] = [route.on] if route.on != "ok" else []
    words += [_said(route.condition)] if route.condition else []
    line = "-.->" if route.on != "ok" else "-->"
    return f'{line}|"{escaped(": ".join(words))}"|' if words else line


def _said(condition: Condition) -> str:
    match condition:
        case AllOf(conditions=parts):
            return " and ".join(f"({_said(part)})" for part in parts)
        case AnyOf(conditions=parts):
            return " or ".join(f"({_said(part)})" for part in parts)
        case Not(condition=inner):
            return f"not ({_said(inner)})"
        case Compare(path=path, operator=operator, operand=operand):
            return f"{'.'.join(path)} {operator.replace('_', ' ')} {operand!r}"
    assert_never(condition)


def escaped(text: str) -> str:
    """Mermaid reads entities in quoted labels, and nothing else of what a text may hold."""
    return "".join(
        char if char.isalnum() or char in " ._-()'" else f"#{ord(char)};" for char in text
    )
