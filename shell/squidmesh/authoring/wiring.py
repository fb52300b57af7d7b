"""
Where inputs come from: `.takes`, or the parameters' names.

Everything here happens when a class ends, because only then are names and
output keys known; problems are noted at the lines that were remembered.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from attrs import field, frozen

from squidmesh.authoring.assignable import assignable
from squidmesh.authoring.conditions import Condition, Place
from squidmesh.authoring.encode import encode
from squidmesh.authoring.frames import Location
from squidmesh.authoring.hints import name_of
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.nodes import BaseNode
from squidmesh.authoring.notes import Source, note
from squidmesh.authoring.paths import Path, recorded_of
from squidmesh.authoring.recording import Recorded
from squidmesh.authoring.records import ABSENT, Member, record_class, record_members
from squidmesh.authoring.signature import Input, Signature
from squidmesh.authoring.steps import Arguments, Step
from squidmesh.authoring.triggers import Trigger
from squidmesh_core.ids import NodeName
from squidmesh_core.values import Binding, Constant, FromPath, ObjectOf, OptionalPath
from squidmesh_core.values.binding import Path as ContextPath

#: How alike a parameter and a field must be for the field to be proposed.
_ALIKE: Final = 0.5


@frozen(kw_only=True)
class Spot:
    """One place that wants a value, and whom to tell if it gets none."""

    node: BaseNode
    #: Below the node in the spec: `("input", "sku")`.
    tail: tuple[str, ...]
    location: Location
    #: How messages call it: `take_payment() as 'amount_cents'`.
    text: str


@frozen(kw_only=True)
class Wires:
    """The names of one class, and the bindings that follow from them."""

    workflow: str
    triggers: Mapping[str, Trigger[Any]]
    nodes: Mapping[str, BaseNode]
    #: Other names of the class body that hold a path: `order = placed.payload`.
    shorthands: Mapping[str, Recorded] = field(factory=dict)

    def name_of(self, node: BaseNode) -> NodeName:
        """The name of a node, wherever it belongs."""
        return NodeName(node._label or "")

    def names_of(self, nodes: Sequence[BaseNode]) -> tuple[NodeName, ...]:
        """The names of several nodes."""
        return tuple(self.name_of(node) for node in nodes)

    def owns(self, source: Source) -> bool:
        """Whether a trigger or node belongs to this class."""
        label = source._label or ""
        return self.triggers.get(label) is source or self.nodes.get(label) is source

    def context_path(self, place: Place) -> ContextPath:
        """Where a place lies in the run context."""
        if isinstance(place.source, BaseNode):
            return (place.source._output_key() or "", *place.below)
        return place.below

    def inputs_of(self, step: BaseNode) -> dict[str, Binding]:
        """The bindings of a step's parameters; what is wrong is noted."""
        read = step._signature() if isinstance(step, Step) else None
        if read is None or not isinstance(step, Step):
            return {}
        if step._arguments is None:
            given, location = self._by_name(read), step._location
        else:
            given, location = _by_takes(step, step._arguments, read), step._arguments.location
        bindings: dict[str, Binding] = {}
        for name, value in given.items():
            wanted = read.inputs[name].hint if name in read.inputs else Any
            spot = Spot(
                node=step,
                tail=("input", name),
                location=location,
                text=f"{read.name}() as '{name}'",
            )
            if (binding := self._bound(spot, value, wanted)) is not None:
                bindings[name] = binding
        for name, wanted_input in read.inputs.items():
            if wanted_input.required and name not in given:
                self._note_missing(step, read, wanted_input, location)
        return bindings

    def binding(self, node: BaseNode, value: object, wanted: object, tail: str) -> Binding | None:
        """Where a value that a node takes comes from; what is wrong is noted."""
        spot = Spot(node=node, tail=(tail,), location=node._location, text=f"'{tail}'")
        return self._bound(spot, value, wanted)

    def _by_name(self, read: Signature) -> dict[str, object]:
        given: dict[str, object] = {}
        outputs = {key: node for node in self.nodes.values() if (key := node._output_key())}
        for name in read.inputs:
            for trigger in self.triggers.values():
                if name in {declared.name for declared in trigger._fields()}:
                    given[name] = getattr(trigger.payload, name)
                    break
            else:
                if name in outputs:
                    node = outputs[name]
                    given[name] = Path(Recorded(place=Place(source=node), hint=node._output_hint()))
        return given

    # -- one value --

    def _bound(self, spot: Spot, value: object, wanted: object) -> Binding | None:
        recorded = recorded_of(value)
        if recorded is not None:
            return self._from_path(spot, recorded, wanted)
        if isinstance(value, Condition):
            message = f"{spot.text} gets a condition; conditions choose routes"
            return _refuse(spot, "condition_as_input", message, "compute it inside a step")
        if isinstance(value, Source):
            written = "payload" if isinstance(value, Trigger) else "out"
            message = f"{spot.text} gets a {type(value).__name__.lower()} itself"
            hint = f"write {value._label}.{written}"
            return _refuse(spot, "incompatible_wiring", message, hint)
        if next(_paths_inside(value), None) is not None:
            message = f"{spot.text} gets a path inside a {type(value).__name__}"
            return _refuse(spot, "path_as_value", message, "a path is data; do this inside a step")
        try:
            return Constant(value=encode(value, wanted))
        except ContractMismatch as exc:
            message = f"{spot.text} takes {name_of(wanted)}: {exc}"
            return _refuse(spot, "incompatible_wiring", message)

    def _from_path(self, spot: Spot, recorded: Recorded, wanted: object) -> Binding | None:
        if recorded.broken:
            return None
        if not self.owns(recorded.place.source):
            message = f"{spot.text} gets {recorded.text}, which is not of this workflow"
            return _refuse(spot, "incompatible_wiring", message)
        if not assignable(recorded.hint, wanted):
            message = f"{spot.text} takes {name_of(wanted)}, not {name_of(recorded.hint)}"
            hint = f"{recorded.text} is {name_of(recorded.hint)}"
            return _refuse(spot, "incompatible_wiring", message, hint)
        path = self.context_path(recorded.place)
        if not path:
            return self._whole_payload(spot, recorded)
        if recorded.optional:
            return OptionalPath(path=path, default=encode(recorded.default, Any))
        return FromPath(path=path)

    def _whole_payload(self, spot: Spot, recorded: Recorded) -> Binding | None:
        if record_class(recorded.hint) is None:
            return _refuse(spot, "incompatible_wiring", f"{recorded.text} has no payload")
        members = record_members(recorded.hint)
        if unsure := [m.name for m in members.values() if _may_be_absent(m)]:
            message = f"{spot.text} gets a whole payload that may lack {', '.join(unsure)}"
            return _refuse(spot, "payload_not_supplied", message, "pass its fields one by one")
        return ObjectOf(fields={name: (name,) for name in members})

    # -- proposing --

    def _note_missing(
        self, step: BaseNode, read: Signature, wanted: Input, location: Location
    ) -> None:
        message = f"{read.name}() has no value for '{wanted.name}'"
        known = [text for text, hint in self._candidates(step) if assignable(hint, wanted.hint)]
        known.sort(key=lambda text: _likeness(text, wanted.name), reverse=True)
        if known and _likeness(known[0], wanted.name) >= _ALIKE:
            hint = f"wire it:  .takes(..., {wanted.name}={known[0]})"
        else:
            listed = ", ".join(known[:5]) or f"nothing here is {name_of(wanted.hint)}"
            hint = f"wire it:  .takes(..., {wanted.name}=...)   candidates: {listed}"
        tail = ("input", wanted.name)
        note(step, "missing_input", message, hint, tail=tail, location=location)

    def _candidates(self, step: BaseNode) -> Iterator[tuple[str, object]]:
        for label, trigger in self.triggers.items():
            text = self._shorthand(trigger) or f"{label}.payload"
            yield from _with_fields(text, trigger._contract)
        for label, node in self.nodes.items():
            if node is not step and node._output_key() is not None:
                yield from _with_fields(f"{label}.out", node._output_hint())

    def _shorthand(self, source: Source) -> str | None:
        for name, recorded in self.shorthands.items():
            if recorded.place == Place(source=source):
                return name
        return None


def _by_takes(step: Step[..., Any], arguments: Arguments, read: Signature) -> dict[str, object]:
    """What `.takes` was given, by parameter; what fits none is noted."""
    positional = [name for name, declared in read.inputs.items() if declared.positional]
    given: dict[str, object] = dict(zip(positional, arguments.args, strict=False))
    takes = f"{read.name}() takes {', '.join(read.inputs) or 'nothing'}"
    if len(arguments.args) > len(positional):
        surplus = len(arguments.args) - len(positional)
        message = f"{read.name}() has no parameter for {surplus} of the values"
        note(step, "unknown_input", message, takes, location=arguments.location)
    for name, value in arguments.kwargs.items():
        if name in given:
            message = f"{read.name}() gets two values for '{name}'"
            note(step, "unknown_input", message, takes, location=arguments.location)
        elif name not in read.inputs and not read.open:
            message = f"{read.name}() has no parameter '{name}'"
            note(step, "unknown_input", message, takes, location=arguments.location)
        else:
            given[name] = value
    return given


def _may_be_absent(member: Member) -> bool:
    return not member.required and member.default is ABSENT and member.clock is None


def _with_fields(text: str, hint: object) -> Iterator[tuple[str, object]]:
    if hint is None:
        return
    yield text, hint
    if record_class(hint) is not None:
        for member in record_members(hint).values():
            yield f"{text}.{member.name}", member.hint


def _likeness(text: str, name: str) -> float:
    return SequenceMatcher(None, text.rsplit(".", 1)[-1], name).ratio()


def _paths_inside(value: object) -> Iterator[Recorded]:
    recorded = recorded_of(value)
    if recorded is not None:
        yield recorded
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _paths_inside(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _paths_inside(item)


def _refuse(spot: Spot, code: str, message: str, hint: str = "") -> Binding | None:
    note(spot.node, code, message, hint, tail=spot.tail, location=spot.location)
    return None
