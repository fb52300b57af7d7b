"""Comparing what a path has recorded with a constant: checked now, decided in a run."""

from collections.abc import Collection, Mapping, Set
from typing import Any, Final, Literal, get_origin

from squidmesh.authoring.conditions import BareTruth, Comparison, Condition, Unknown
from squidmesh.authoring.encode import encode
from squidmesh.authoring.hints import name_of, without_none
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.notes import note, stopped
from squidmesh.authoring.recording import AS_VALUE, Recorded
from squidmesh.authoring.records import record_class
from squidmesh_core.values.condition import Operator

_NUMBERS: Final = {int, float}

#: An operand whose problem has been noted.
_BAD: Final = object()


def compared(recorded: Recorded, operator: Operator, other: object) -> Condition:
    """Whether the value equals a constant, or not; what cannot be compared is noted."""
    operand = _operand(recorded, other)
    return Condition(Unknown()) if operand is _BAD else comparison(recorded, operator, operand)


def ordered(recorded: Recorded, operator: Operator, other: object) -> Condition:
    """How the value stands to a number; only numbers have an order."""
    kinds = set(without_none(recorded.hint))
    if not recorded.is_open and not kinds <= _NUMBERS and not isinstance(other, BareTruth):
        message = f"{recorded.text} is {name_of(recorded.hint)}; only numbers have an order"
        note(recorded.place.source, "invalid_operand", message)
        return Condition(Unknown())
    return compared(recorded, operator, other)


def is_one_of(recorded: Recorded, choices: object) -> Condition:
    """Whether the value is among some constants."""
    if isinstance(choices, BareTruth):
        raise stopped("path_as_value", AS_VALUE)
    if isinstance(choices, str | bytes | Mapping) or not isinstance(choices, Collection):
        # A text is a collection of its letters, which nobody means.
        message = f"is_in wants a list, a tuple or a set, not {name_of(type(choices))}"
        note(recorded.place.source, "invalid_operand", message)
        return Condition(Unknown())
    operands = [_operand(recorded, choice) for choice in choices]
    if any(operand is _BAD for operand in operands):
        return Condition(Unknown())
    if isinstance(choices, Set):
        # Its order is another one in each process, and the fingerprint must not be.
        operands.sort(key=repr)
    return comparison(recorded, "is_in", operands)


def is_true(recorded: Recorded) -> Condition:
    """What a bare boolean path means."""
    if bool in without_none(recorded.hint) or recorded.is_open:
        return comparison(recorded, "equals", True)
    message = f"{recorded.text} is {name_of(recorded.hint)}, not bool"
    hint = "compare it with something, or write is_missing(x)"
    note(recorded.place.source, "constant_condition", message, hint)
    return Condition(Unknown())


def comparison(recorded: Recorded, operator: Operator, operand: object) -> Condition:
    """The condition itself, unless the path is broken already."""
    if recorded.broken:
        return Condition(Unknown())
    return Condition(Comparison(place=recorded.place, operator=operator, operand=operand))


def _operand(recorded: Recorded, other: object) -> object:
    """The JSON form of a constant; `_BAD` once a problem has been noted."""
    if isinstance(other, BareTruth):
        return _bad(recorded, "path_with_path", "two paths cannot be compared", AS_VALUE)
    if isinstance(other, Condition):
        return _bad(recorded, "invalid_operand", "a path cannot be compared with a condition")
    if other is None:
        instead = f"write is_missing({recorded.text}) or not_(is_missing({recorded.text}))"
        return _bad(recorded, "invalid_operand", "a missing value is not compared", instead)
    hint = Any if recorded.is_open else recorded.hint
    if record_class(recorded.kind) is not None:
        message = f"{recorded.text} is a whole {name_of(hint)}"
        return _bad(recorded, "invalid_operand", message, "compare one of its fields")
    kinds = without_none(hint)
    if type(other) in _NUMBERS and _NUMBERS.intersection(kinds):
        return other
    try:
        return encode(other, hint)
    except ContractMismatch as exc:
        message = f"{recorded.text} is {name_of(hint)}, not {name_of(type(other))}"
        if isinstance(other, str) and any(get_origin(kind) is Literal for kind in kinds):
            message = f"{recorded.text} is never {other!r}"
        return _bad(recorded, "invalid_operand", message, f"expected {exc.problems[0].expected}")


def _bad(recorded: Recorded, code: str, message: str, hint: str = "") -> object:
    note(recorded.place.source, code, message, hint)
    return _BAD
