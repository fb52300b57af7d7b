"""
Conditions as they are written: comparisons of paths, joined by `&`, `|`, `~`.

Output keys are known only when the class ends, so `resolved` makes the core's
condition then.
"""

from collections.abc import Callable
from typing import Final, Literal, Protocol, assert_never, runtime_checkable

from attrs import frozen

from squidmesh.authoring.notes import Source, note, stopped
from squidmesh_core.values import AllOf, AnyOf, Compare, Not
from squidmesh_core.values import Condition as CoreCondition
from squidmesh_core.values.binding import Path as ContextPath
from squidmesh_core.values.condition import Operator

AS_BOOL: Final = "a condition is data: join with & and |, negate with not_()"
CONSTANT: Final = "this is a constant; for a missing value write is_missing(x)"
WHY_CONSTANT: Final = "`x is None` cannot be recorded, it is False at once"


@frozen(kw_only=True)
class Place:
    """A place in the run context: what it starts from, and the names below."""

    source: Source
    below: tuple[str, ...] = ()


@frozen(kw_only=True)
class Comparison:
    """One operator between a place and a constant."""

    place: Place
    operator: Operator
    operand: object


@frozen(kw_only=True)
class Joined:
    """Several conditions, all or any of which must hold."""

    how: Literal["all", "any"]
    parts: "tuple[Expression, ...]"


@frozen(kw_only=True)
class Negated:
    """The inner condition must not hold."""

    inner: "Expression"


@frozen(kw_only=True)
class Unknown:
    """A condition whose problem has been noted already."""


Expression = Comparison | Joined | Negated | Unknown


@runtime_checkable
class BareTruth(Protocol):
    """A path: alone in a condition it means "is true"."""

    def __squid_true__(self) -> "Condition": ...  # fields own all plain names


class Condition:
    """A recorded condition; to checkers it is a `bool`."""

    __slots__ = ("expression",)

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def __bool__(self) -> bool:
        raise stopped("condition_as_bool", AS_BOOL, "write (a < 1) & (b == 2), not `and`")

    def __and__(self, other: object) -> "Condition":
        return join("all", self, other)

    def __or__(self, other: object) -> "Condition":
        return join("any", self, other)

    def __rand__(self, other: object) -> "Condition":
        return join("all", other, self)

    def __ror__(self, other: object) -> "Condition":
        return join("any", other, self)

    def __invert__(self) -> "Condition":
        return Condition(Negated(inner=self.expression))

    def __repr__(self) -> str:
        return f"<condition {type(self.expression).__name__.lower()}>"


def join(how: Literal["all", "any"], left: object, right: object) -> Condition:
    """Two conditions as one; what is joined the same way already is not nested."""
    parts: list[Expression] = []
    for side, other in ((left, right), (right, left)):
        expression = _side(side, other)
        if isinstance(expression, Joined) and expression.how == how:
            parts.extend(expression.parts)
        else:
            parts.append(expression)
    return Condition(Joined(how=how, parts=tuple(parts)))


def _side(value: object, other: object) -> Expression:
    """One side of a join; a constant is noted where the other side starts from."""
    if isinstance(value, Condition | BareTruth):
        return expression_of(value)
    for place in places_of(expression_of(other)):
        note(place.source, "constant_condition", CONSTANT, WHY_CONSTANT)
        break
    return Unknown()


def expression_of(value: object) -> Expression:
    """
    The expression of a condition, or of a bare boolean path, which means "is true".

    Raises:
        DefinitionError: It is a constant.
    """
    if isinstance(value, Condition):
        return value.expression
    if isinstance(value, BareTruth):
        return value.__squid_true__().expression
    raise stopped("constant_condition", CONSTANT, WHY_CONSTANT)


def resolved(
    expression: Expression, context_path: Callable[[Place], ContextPath]
) -> CoreCondition | None:
    """The core's condition; `None` where a problem has been noted."""
    match expression:
        case Comparison(place=place, operator=operator, operand=operand):
            return Compare(path=context_path(place), operator=operator, operand=operand)
        case Negated(inner=inner):
            condition = resolved(inner, context_path)
            return None if condition is None else Not(condition=condition)
        case Joined(how=how, parts=parts):
            found = tuple(c for part in parts if (c := resolved(part, context_path)) is not None)
            if len(found) < len(parts):
                return None
            return AllOf(conditions=found) if how == "all" else AnyOf(conditions=found)
        case Unknown():
            return None
    assert_never(expression)


def places_of(expression: Expression) -> list[Place]:
    """Every place that the expression reads."""
    match expression:
        case Comparison(place=place):
            return [place]
        case Negated(inner=inner):
            return places_of(inner)
        case Joined(parts=parts):
            return [place for part in parts for place in places_of(part)]
        case Unknown():
            return []
    assert_never(expression)
