"""
Conditions on the run context, as data.

    {"path": ["risk", "score"], "less_than": 30}
    {"all": [...]}   {"any": [...]}   {"not": {...}}

A missing path makes every comparison false, `not_equals` too; `is_missing` is
true for an absent path and for null.  Ordering is for numbers only, and a
boolean is no number.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, assert_never, get_args

from attrs import frozen

from squidmesh_core.canonical import restore
from squidmesh_core.values.binding import Path, lookup, path_from_json

Operator = Literal[
    "equals",
    "not_equals",
    "greater_than",
    "less_than",
    "at_least",
    "at_most",
    "is_in",
    "is_missing",
]
#: All but `is_missing`, which asks about the path and not about a value.
_Comparing = Literal[
    "equals", "not_equals", "greater_than", "less_than", "at_least", "at_most", "is_in"
]
OPERATORS: Final[Mapping[str, Operator]] = {name: name for name in get_args(Operator)}


@frozen(kw_only=True)
class Compare:
    """One operator between a path and a constant."""

    path: Path
    operator: Operator
    operand: object


@frozen(kw_only=True)
class AllOf:
    """True when every part is."""

    conditions: "tuple[Condition, ...]"


@frozen(kw_only=True)
class AnyOf:
    """True when at least one part is."""

    conditions: "tuple[Condition, ...]"


@frozen(kw_only=True)
class Not:
    """True when the inner condition is not."""

    condition: "Condition"


Condition = Compare | AllOf | AnyOf | Not


def holds(condition: Condition, context: Mapping[str, object]) -> bool:
    """Whether the condition is true in this context; never raises."""
    match condition:
        case AllOf(conditions=parts):
            return all(holds(part, context) for part in parts)
        case AnyOf(conditions=parts):
            return any(holds(part, context) for part in parts)
        case Not(condition=inner):
            return not holds(inner, context)
        case Compare(path=path, operator=operator, operand=operand):
            found, value = lookup(context, path)
            if operator == "is_missing":
                return (not found or value is None) is (operand is not False)
            # A context is in storable form, an operand as the definition was written.
            return found and _compare(operator, restore(value), operand)
    assert_never(condition)


def paths_of(condition: Condition) -> Iterator[Path]:
    """Every path that the condition reads, in the order written."""
    match condition:
        case AllOf(conditions=parts) | AnyOf(conditions=parts):
            for part in parts:
                yield from paths_of(part)
        case Not(condition=inner):
            yield from paths_of(inner)
        case Compare(path=path):
            yield path
        case _:
            assert_never(condition)


def condition_to_json(condition: Condition) -> dict[str, object]:
    """The JSON form of a condition, as a spec and a journal show it."""
    match condition:
        case AllOf(conditions=parts):
            return {"all": [condition_to_json(part) for part in parts]}
        case AnyOf(conditions=parts):
            return {"any": [condition_to_json(part) for part in parts]}
        case Not(condition=inner):
            return {"not": condition_to_json(inner)}
        case Compare(path=path, operator=operator, operand=operand):
            return {"path": list(path), operator: operand}
    assert_never(condition)


def condition_from_json(data: object) -> Condition:
    """
    Read what `condition_to_json` wrote.

    Raises:
        ValueError: The data is no condition.
    """
    if isinstance(data, Mapping):
        if data.keys() == {"all"} and isinstance(data["all"], list):
            return AllOf(conditions=tuple(condition_from_json(part) for part in data["all"]))
        if data.keys() == {"any"} and isinstance(data["any"], list):
            return AnyOf(conditions=tuple(condition_from_json(part) for part in data["any"]))
        if data.keys() == {"not"}:
            return Not(condition=condition_from_json(data["not"]))
        operators = [OPERATORS[name] for name in data if name in OPERATORS]
        if len(operators) == 1 and len(data) == 2 and "path" in data:
            operator = operators[0]
            path = path_from_json(data["path"])
            return Compare(path=path, operator=operator, operand=data[operator])
    raise ValueError(f"expected one operator with a path, or all, any, not; got {data!r}")


def _compare(operator: _Comparing, value: object, operand: object) -> bool:
    match operator:
        case "equals":
            return same(value, operand)
        case "not_equals":
            return not same(value, operand)
        case "is_in":
            return isinstance(operand, list | tuple) and any(same(value, o) for o in operand)
        case "greater_than" | "less_than" | "at_least" | "at_most":
            return _ordered(operator, value, operand)
    assert_never(operator)


def same(left: object, right: object) -> bool:
    """Equality of JSON values: 1 equals 1.0, but true does not equal 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(v, right[k]) for k, v in left.items())
    return left == right


def _ordered(operator: Operator, value: object, operand: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        return False
    match operator:
        case "greater_than":
            return value > operand
        case "less_than":
            return value < operand
        case "at_least":
            return value >= operand
        case _:
            return value <= operand
