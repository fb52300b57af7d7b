"""Whether one type can stand where another is wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NewType, TypedDict, TypeVar

import pytest

from squidmesh.authoring.assignable import assignable

T = TypeVar("T")
Sku = NewType("Sku", str)


class Base: ...


class Derived(Base): ...


class Colour(Enum):
    RED = "red"


class Claim(TypedDict):
    name: str


@dataclass
class Box(Generic[T]):
    held: T


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (int, int),
        (int, float),
        (int, int | None),
        (Derived, Base),
        (Any, int),
        (int, object),
        (Literal["a"], str),
        (Literal["a"], Literal["a", "b"]),
        (list[int], Sequence[int]),
        (list[int], list[float]),
        (tuple[int, int], Sequence[int]),
        (tuple[int, str], tuple[int, str]),
        (list[int], list),
        (dict[str, int], Mapping[str, float]),
        (Annotated[str, "x"], str),
        (Sku, str),
        (Claim, Claim),
        (Claim, Mapping),
        (Box[int], Box[int]),
        (None, str | None),
    ],
    ids=repr,
)
def test_a_value_of_the_one_type_is_one_of_the_other(source: object, target: object) -> None:
    """As checkers see it."""
    assert assignable(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (int, str),
        (float, int),
        (bool, int),
        (int, bool),
        (int | None, int),
        (Base, Derived),
        (str, Literal["a"]),
        (Literal["a", "c"], Literal["a", "b"]),
        (list[int], list[str]),
        (tuple[int, int], tuple[int]),
        (tuple[int, ...], tuple[int, int]),
        (list[int], set[int]),
        (dict[str, int], dict[str, str]),
        (Claim, Derived),
        (dict[str, str], Claim),
        (Box[int], Box[str]),
        (Colour, str),
        (None, str),
    ],
    ids=repr,
)
def test_a_value_of_the_one_type_may_not_be_one_of_the_other(
    source: object, target: object
) -> None:
    """A value would be refused when the step runs, so the class is refused now."""
    assert not assignable(source, target)
