"""Contracts: classes of hosts as fields of a spec."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import (
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)
from uuid import UUID, uuid4

import attrs
import pytest

from squidmesh import Now, Sensitive, Today
from squidmesh.authoring.contracts import InvalidContract, fields_of, sensitive_paths
from squidmesh_core.definition.spec import Default, Field

T = TypeVar("T")
Sku = NewType("Sku", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(NamedTuple):
    x: int


@dataclass
class Inner:
    secret: Sensitive[str]
    open: str


@dataclass
class Tree:
    name: Sensitive[str]
    children: list[Tree] = field(default_factory=list)


@dataclass
class Everything:
    text: str
    whole: int
    number: float
    flag: bool
    anything: Any
    thing: object
    record: Inner
    mapping: Mapping[str, int]
    plain: dict[str, object]
    listed: list[Inner]
    several: Sequence[str]
    fixed: tuple[int, str]
    unique: frozenset[str]
    instant: datetime
    day: date
    hour: time
    span: timedelta
    price: Decimal
    id: UUID
    colour: Colour
    level: Level
    sku: Sku
    nothing: None
    either: int | str


def test_every_type_has_its_wire_type() -> None:
    """The table of the module, row by row."""
    found = {f.name: f.type for f in fields_of(Everything)}

    assert {
        **dict.fromkeys(("text", "instant", "day", "hour", "span", "price", "id", "sku"), "string"),
        **dict.fromkeys(("whole", "level"), "integer"),
        "number": "float",
        "flag": "boolean",
        "colour": "string",
        **dict.fromkeys(("anything", "thing", "nothing", "either"), "any"),
        **dict.fromkeys(("record", "mapping", "plain"), "map"),
        **dict.fromkeys(("listed", "several", "fixed", "unique"), "list"),
    } == found


def test_literals_and_enums_list_their_choices() -> None:
    """What is allowed stands in the spec, null apart."""

    @dataclass
    class Choice:
        band: Literal["low", "high", None]
        colour: Colour
        level: Optional[Level]  # noqa: UP045  # the old way is still written

    assert (
        Field(name="band", type="string", nullable=True, choices=("low", "high")),
        Field(name="colour", type="string", choices=("red", "blue")),
        Field(name="level", type="integer", nullable=True, choices=(1, 2)),
    ) == fields_of(Choice)


def test_defaults_are_written_as_json() -> None:
    """Constants and empty containers are defaults; null is one like any other."""

    @dataclass
    class Defaults:
        text: str = "web"
        colour: Colour = Colour.RED
        span: timedelta = timedelta(minutes=90)
        price: float = 1
        maybe: str | None = None
        items: list[str] = field(default_factory=list)

    found = {f.name: f.default for f in fields_of(Defaults)}

    assert {
        "text": Default(value="web"),
        "colour": Default(value="red"),
        "span": Default(value="1h30m"),
        "price": Default(value=1.0),
        "maybe": Default(value=None),
        "items": Default(value=[]),
    } == found
    assert not any(f.required for f in fields_of(Defaults))


def test_what_an_opaque_factory_makes_must_be_sent() -> None:
    """A spec cannot hold a random default, so whoever sends JSON must send the field."""

    @dataclass
    class Made:
        id: UUID = field(default_factory=uuid4)

    assert (Field(name="id", type="string", required=True),) == fields_of(Made)


def test_attrs_classes_are_contracts() -> None:
    """Defaults, factories and fields that the constructor does not take."""

    @attrs.frozen
    class Made:
        a: int
        b: list[str] = attrs.Factory(list)
        c: str = attrs.field(default="x")
        d: str = attrs.field(default="y", init=False)

    assert [("a", True), ("b", False), ("c", False)] == [
        (f.name, f.required) for f in fields_of(Made)
    ]


def test_not_required_is_seen_under_postponed_annotations() -> None:
    """`__required_keys__` does not know it, the hints do."""

    class Base(TypedDict):
        name: str

    class Claim(Base, total=False):
        note: str
        size: NotRequired[int]

    assert [("name", True), ("note", False), ("size", False)] == [
        (f.name, f.required) for f in fields_of(Claim)
    ]


def test_fields_may_default_to_the_instant_of_the_start() -> None:
    """The Python default means "not given"; the core fills the instant in."""

    @dataclass
    class Asked:
        day: Today[str] = ""
        at: Now[datetime | None] = None

    assert [Default(clock="today"), Default(clock="now")] == [f.default for f in fields_of(Asked)]


@pytest.mark.parametrize(
    ("hint", "said"),
    [
        (bytes, "bytes has no JSON form"),
        (dict[int, str], "the keys of dict[int, str] are not texts"),
        (list[set[complex]], "complex has no JSON form"),
        (Point, "Point has no JSON form of its own; declare a dataclass or list[...]"),
        (OrderedDict[str, int], "declare a dataclass or dict[...]"),
        (Today[str], "needs a default"),
    ],
)
def test_a_field_without_json_form_is_refused(hint: Any, said: str) -> None:
    """The message names the class, the field and the type."""
    made = attrs.make_class("Made", {"x": attrs.field(type=hint)})

    with pytest.raises(InvalidContract) as caught:
        fields_of(made)

    assert "the field 'x' of Made" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize("contract", [str, dict, 5, list[str]])
def test_only_records_are_contracts(contract: object) -> None:
    """A payload has named fields."""
    with pytest.raises(InvalidContract, match="expected a dataclass"):
        fields_of(contract)


def test_sensitive_paths_are_found_everywhere() -> None:
    """In records, behind None, in lists as a whole, and without end in trees."""

    @dataclass
    class Holder(Generic[T]):
        card: Sensitive[str] | None
        inner: Inner
        listed: list[Inner]
        held: T
        tree: Tree

    assert [
        ("out", "card"),
        ("out", "inner", "secret"),
        ("out", "listed"),
        ("out", "held", "secret"),
        ("out", "tree", "name"),
    ] == list(sensitive_paths(Holder[Inner], ("out",)))
