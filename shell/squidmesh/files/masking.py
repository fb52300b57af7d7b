"""
Masking: what a definition calls sensitive is in no output of the command line, and in no bundle.

A sensitive field is masked where it stands, whatever its type.  Its value, if it
is a text, is masked wherever else it turns up too: in an error's message, in an
input that was wired from it, in details that a step kept.
"""

from collections.abc import Iterable, Mapping
from operator import eq
from typing import Final

from squidmesh_core.definition.spec import ReceiveNode, Spec, StepNode
from squidmesh_core.definition.validate.steps import output_key
from squidmesh_core.ids import NodeName
from squidmesh_core.values import FromPath
from squidmesh_core.values.binding import Binding, ObjectOf, OptionalPath, Path, lookup

#: What stands in the place of a sensitive value.
MASK: Final = "•••"
#: Shorter texts would mask parts of innocent words; they are masked in place only.
_SHORTEST: Final = 4
#: No path begins like this, so below it only texts are masked.
_ELSEWHERE: Final[Path] = ("",)


class Mask:
    """What is sensitive in one run."""

    def __init__(self, spec: Spec, context: Mapping[str, object]) -> None:
        self._spec = spec
        self._paths = frozenset(spec.sensitive)
        found = (lookup(context, path)[1] for path in self._paths)
        secrets = {text for value in found for text in _texts(value) if len(text) >= _SHORTEST}
        # The longest first: one secret may be a part of another.
        self._secrets: Final = tuple(sorted(secrets, key=len, reverse=True))

    def text(self, text: str) -> str:
        """A text without the run's secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def context(self, value: object, within: Path = ()) -> object:
        """
        A JSON value without what is sensitive.

        Args:
            value: The run context, or a part of it.
            within: Where in the run context the value stands.
        """
        if within in self._paths:
            return MASK
        match value:
            case Mapping():
                return {
                    self.text(str(name)): self.context(member, (*within, str(name)))
                    for name, member in value.items()
                }
            case str():
                return self.text(value)
            case list() | tuple():
                # What is in a list has no path of its own; the list itself is named.
                return [self.context(member, (*within, "")) for member in value]
            case _:
                return value

    def value(self, value: object) -> object:
        """A JSON value from outside the context, without the run's secrets."""
        return self.context(value, _ELSEWHERE)

    def output(self, node: NodeName, value: object) -> object:
        """What a node put out."""
        declared = self._spec.nodes.get(node)
        key = output_key(declared) if declared is not None else None
        return self.context(value, _ELSEWHERE if key is None else (key,))

    def input(self, node: NodeName, values: Mapping[str, object]) -> object:
        """What a node took in: a parameter is as sensitive as the path it is wired from."""
        declared = self._spec.nodes.get(node)
        bindings = declared.input if isinstance(declared, StepNode) else None
        if bindings is None:
            return self.context(values)
        return {name: self._bound(bindings.get(name), value) for name, value in values.items()}

    def undoing(self, node: NodeName, values: Mapping[str, object]) -> object:
        """What a callback took in: what its step took in and gave out, and why it is called."""
        given = values.get("input")
        inner = self.input(node, given) if isinstance(given, Mapping) else self.value(given)
        rest = {name: self.value(value) for name, value in values.items()}
        return {**rest, "input": inner, "output": self.output(node, values.get("output"))}

    def correlation(self, node: NodeName, text: str) -> str:
        """What a message is found by: as sensitive as the path it comes from."""
        declared = self._spec.nodes.get(node)
        binding = declared.correlation if isinstance(declared, ReceiveNode) else None
        return str(self._bound(binding, text))

    def decisive(self, values: Mapping[str, object]) -> object:
        """The values that decided a route, by dotted path."""
        return {path: self._read(tuple(path.split(".")), value) for path, value in values.items()}

    def condition(self, condition: object) -> object:
        """A condition in JSON: what something sensitive is compared with tells of it too."""
        match condition:
            case Mapping() if "path" in condition:
                return self._compared(condition)
            case Mapping():
                return {name: self.condition(part) for name, part in condition.items()}
            case list():
                return [self.condition(part) for part in condition]
            case _:
                return condition

    def _compared(self, comparison: Mapping[str, object]) -> object:
        """What stands at a path, compared with a constant."""
        path = comparison["path"]
        read = path if isinstance(path, list) else []
        touches = any(all(map(eq, read, secret)) for secret in self._paths)
        if not touches or "is_missing" in comparison:
            return self.value(comparison)  # whether there is a value says nothing of it
        return {name: part if name == "path" else MASK for name, part in comparison.items()}

    def _read(self, path: Path, value: object) -> object:
        """The value at a path of the context."""
        inside = any(path[: len(secret)] == secret for secret in self._paths)
        return MASK if inside else self.context(value, path)

    def _bound(self, binding: Binding | None, value: object) -> object:
        if isinstance(binding, FromPath | OptionalPath):
            return self._read(binding.path, value)
        if isinstance(binding, ObjectOf) and isinstance(value, Mapping):
            paths = {name: FromPath(path=path) for name, path in binding.fields.items()}
            return {name: self._bound(paths.get(name), member) for name, member in value.items()}
        return self.value(value)


def _texts(value: object) -> Iterable[str]:
    """The texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from _texts(member)
