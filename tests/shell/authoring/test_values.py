"""Values: written with a check, read strictly, every misfit with its path."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, MutableSet, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar, cast
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh.authoring.contracts import choices_of
from squidmesh.authoring.decode import reader_for
from squidmesh.authoring.encode import encode
from squidmesh.authoring.mismatch import ContractMismatch

T = TypeVar("T")


def structure(value: object, wanted: type[T], *, closed: bool = False) -> T:
    """The value of a type that a JSON value stands for."""
    return cast("T", reader_for(wanted, closed=closed)(value))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Size(StrEnum):
    BIG = "big"


class Days(Flag):
    SATURDAY = 1
    SUNDAY = 2


@dataclass(frozen=True)
class Item:
    sku: str
    qty: int = 1


@attrs.frozen
class Parcel(Generic[T]):
    no: str
    held: T


class Claim(TypedDict):
    name: str
    items: NotRequired[list[Item]]


@dataclass(frozen=True)
class Tree:
    name: str
    below: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Order:
    items: tuple[Item, ...]
    at: datetime
    day: date
    span: timedelta
    price: Decimal
    id: UUID
    colour: Colour
    level: Level
    size: Size
    either: int | str | None
    kind: Literal["a", 1]
    rates: Mapping[str, float]
    pair: tuple[int, str]
    names: frozenset[str]
    free: Any = None
    more: dict[str, Item] = field(default_factory=dict)


items = st.builds(Item, sku=st.text(), qty=st.integers())
orders = st.builds(
    Order,
    items=st.lists(items, max_size=3).map(tuple),
    at=st.datetimes(timezones=st.just(UTC)),
    day=st.dates(),
    span=st.integers(0, 10**12).map(lambda ms: timedelta(milliseconds=ms)),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    id=st.uuids(),
    colour=st.sampled_from(Colour),
    level=st.just(Level.LOW),
    size=st.just(Size.BIG),
    either=st.one_of(st.integers(), st.text(), st.none()),
    kind=st.sampled_from(["a", 1]),
    rates=st.dictionaries(st.text(), st.floats(allow_nan=False)),
    pair=st.tuples(st.integers(), st.text()),
    names=st.frozensets(st.text(), max_size=3),
    free=st.recursive(st.none() | st.integers() | st.text(), st.lists),
    more=st.dictionaries(st.text(), items, max_size=2),
)


@given(orders)
def test_what_is_written_reads_back(order: Order) -> None:
    """A value survives the way into the journal and out of it."""
    assert order == structure(encode(order, Order), Order, closed=True)


@pytest.mark.parametrize(
    ("hint", "value", "written"),
    [
        (float, 3, 3.0),
        (str | None, None, None),
        (Parcel[Item], Parcel("1", Item("a")), {"no": "1", "held": {"sku": "a", "qty": 1}}),
        (
            Claim,
            {"name": "x", "items": [Item("a")]},
            {"name": "x", "items": [{"sku": "a", "qty": 1}]},
        ),
        (Sequence[int], deque([1]), [1]),
        (set[str], {"b", "a"}, ["a", "b"]),
        (tuple[int, ...], (1, 2), [1, 2]),
        (Annotated[int, []], 5, 5),
        (time, time(1, 2), "01:02:00"),
        (Colour | None, Colour.RED, "red"),
        (int | float, 3, 3),
        (object, {"a": (Colour.RED, Item("a"))}, {"a": ["red", {"sku": "a", "qty": 1}]}),
        (Tree, Tree("a", (Tree("b"),)), {"name": "a", "below": [{"name": "b", "below": []}]}),
    ],
)
def test_a_value_has_its_json_form(hint: object, value: object, written: object) -> None:
    """The journal holds plain JSON values."""
    assert repr(written) == repr(encode(value, hint))


@pytest.mark.parametrize(
    ("hint", "value", "paths"),
    [
        (Item, {"sku": "a", "qty": 1}, [()]),
        (Item, Item(cast("str", 5), cast("int", "x")), [("sku",), ("qty",)]),
        (list[Item], [Item("a"), Item(cast("str", 5))], [(1, "sku")]),
        (dict[str, Item], {"k": Item(cast("str", 5))}, [("k", "sku")]),
        (tuple[int, str], (1, 2), [(1,)]),
        (tuple[int, str], (1,), [()]),
        (list[int], "ab", [()]),
        (list[str], ("a",), [()]),
        (Sequence[str], "ab", [()]),
        (int, True, [()]),
        (bool, 1, [()]),
        (float, True, [()]),
        (float, "1", [()]),
        (Literal[1], True, [()]),
        (None, 0, [()]),
        (Claim, {"items": []}, [("name",)]),
        (Claim, {"name": "a", "x": 1}, [("x",)]),
        (datetime, datetime(2026, 1, 1), [()]),  # noqa: DTZ001  # the mistake
        (date, datetime(2026, 1, 1, tzinfo=UTC), [()]),
        (timedelta, timedelta(microseconds=1), [()]),
        (timedelta, timedelta(seconds=-1), [()]),
        (Decimal, Decimal("NaN"), [()]),
        (int | str, 1.5, [()]),
        (object, {"a": [object()]}, [("a", 0)]),
        (object, {1: "a"}, [()]),
        (dict[str, int], {1: 1}, [()]),
        (Parcel[int], Parcel("1", "x"), [("held",)]),
        (complex, 1j, [()]),
    ],
)
def test_a_value_of_another_type_is_not_written(
    hint: object, value: object, paths: list[object]
) -> None:
    """A result is checked against the return type, however deep the mistake."""
    with pytest.raises(ContractMismatch) as caught:
        encode(value, hint)

    assert paths == [problem.path for problem in caught.value.problems]


WRONG: dict[Any, list[object]] = {
    int: ["5", 1.7, True, None],
    str: [5, None, ["a"]],
    bool: ["no", 0, None],
    float: ["1", True],
    list[str]: ["ab", {"a": 1}],
    set[str]: ["ab"],
    dict[str, int]: [[], "a"],
    Item: [[], "a", None],
    Claim: [[], "a"],
    tuple[int, str]: [[1], ["a", 1], "ab"],
    Literal[1]: [True, 1.0, 2],
    Level: [True, "1", 7],
    Size: ["small", 1],
    Days: [-1, 4, True, "1", 1.0],
    Colour: ["RED", 1],
    datetime: ["2026-01-01T00:00:00", "x", 5],
    timedelta: ["x", 5, "9999999999d"],
    Decimal: ["NaN", "x", 5],
    UUID: ["x", 5],
    int | str: [1.5, None],
    type(None): [0, ""],
}


@pytest.mark.parametrize(
    ("hint", "value"),
    [(hint, value) for hint, values in WRONG.items() for value in values],
    ids=repr,
)
def test_nothing_is_coerced(hint: Any, value: object) -> None:
    """A JSON value of another type is refused, never bent."""
    with pytest.raises(ContractMismatch):
        structure(value, hint)


def test_every_misfit_is_listed_with_its_path() -> None:
    """One reading finds all that is wrong, in lists and mappings too."""
    data = {"items": [{"sku": "a"}, {"qty": "x"}], "name": 5}

    with pytest.raises(ContractMismatch) as caught:
        structure(data, Claim, closed=True)

    assert {
        (("name",), "type"),
        (("items", 1, "sku"), "missing"),
        (("items", 1, "qty"), "type"),
    } == {(problem.path, problem.kind) for problem in caught.value.problems}
    assert ["items[1].sku"] == caught.value.details["missing_fields"]


def test_unknown_members_are_refused_only_from_outside() -> None:
    """A journal may be older than the class, a caller may not be newer."""
    data = {"sku": "a", "colour": "red"}

    with pytest.raises(ContractMismatch, match="colour is not known"):
        structure(data, Item, closed=True)

    assert Item("a") == structure(data, Item)


def test_a_record_in_a_union_is_found_by_its_members() -> None:
    """The record that knows every member wins over the first that could."""
    wanted: Any = Item | Tree

    assert Tree("a") == reader_for(Tree | Item)({"name": "a"})
    assert Item("a") == structure({"sku": "a"}, wanted)


@dataclass(frozen=True)
class Zebra:
    stripes: int
    name: str | None = None


@dataclass(frozen=True)
class Ant:
    stripes: int
    name: str | None = None
    legs: int = 6


@pytest.mark.parametrize("value", [date(2026, 1, 1), "today", Zebra(3), Ant(3)], ids=repr)
def test_the_order_in_which_a_union_is_written_does_not_matter(value: object) -> None:
    """To Python both are one type, and which is met first differs from process to process."""
    first: Any = date | str | Zebra | Ant
    second: Any = Ant | Zebra | str | date

    assert first == second
    assert (
        value == structure(encode(value, first), first) == structure(encode(value, second), second)
    )


def test_an_older_record_in_a_union_is_the_one_that_it_lacks_least_of() -> None:
    """A deploy has given both a field more, with a default."""
    wanted: Any = Ant | Zebra

    assert Zebra(3) == structure({"stripes": 3}, wanted)


@dataclass(frozen=True)
class Wide:
    sku: str
    qty: int = 1
    note: str | None = None


@dataclass(frozen=True)
class Likeness:
    sku: str
    qty: int = 1


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Wide | Item, Item("a")),
        (Item | Wide, Wide("a")),
        (float | int, 3),
        (date | str, date(2026, 1, 1)),
        (date | str, "today"),
        (str | Decimal, Decimal(5)),
        (str | Colour, Colour.RED),
        (date | datetime, datetime(2026, 1, 1, tzinfo=UTC)),
        (list[int] | dict[str, int] | None, {"a": 1}),
        (MutableSet[int], {1}),
        (Parcel, Parcel("1", [2])),
    ],
    ids=repr,
)
def test_what_can_be_told_apart_reads_back_as_it_was(hint: Any, value: object) -> None:
    """The member of a union that has just these fields, this kind of number; any generic."""
    back = structure(encode(value, hint), hint)

    assert (value, type(value)) == (back, type(back))


@pytest.mark.parametrize(
    ("hint", "value", "another"),
    [
        (date | str, "2026-01-01", "date"),
        (str | Decimal, "5", "Decimal"),
        (str | Colour, "red", "Colour"),
        (list[int] | set[int], {1}, "list"),
        (Item | Likeness, Likeness("a"), "Item"),
    ],
    ids=repr,
)
def test_what_cannot_be_told_apart_is_not_written(hint: Any, value: object, another: str) -> None:
    """The next step would be given a value of another class, and nobody would know why."""
    with pytest.raises(ContractMismatch, match=f"would come back as {another}"):
        encode(value, hint)


def test_a_class_in_a_union_may_refuse_what_it_wrote() -> None:
    """What a class says to its own values is said where they are read, as without a union."""

    @dataclass
    class Fussy:
        n: int

        def __post_init__(self) -> None:
            if self.n < 0:
                raise ValueError("negative")

    wanted: Any = Fussy | Item
    fussy = Fussy(1)
    fussy.n = -1

    assert {"n": -1} == encode(fussy, wanted)


def test_a_class_may_refuse_values_itself() -> None:
    """What `__post_init__` raises is a misfit of the record."""

    @dataclass
    class Even:
        n: int

        def __post_init__(self) -> None:
            if self.n % 2:
                raise ValueError("odd")

    with pytest.raises(ContractMismatch) as caught:
        structure([{"n": 2}, {"n": 3}], list[Even])

    assert [(1,)] == [problem.path for problem in caught.value.problems]


def test_an_int_stands_for_a_float() -> None:
    """As everywhere in Python, and as a float from then on."""
    read = structure(3, float)

    assert (3.0, float) == (read, type(read))


def test_no_message_shows_a_value() -> None:
    """What did not fit may be a secret."""
    with pytest.raises(ContractMismatch) as caught:
        encode(Item("x", cast("int", "hunter2")), Item)

    assert "hunter2" not in str(caught.value) + repr(caught.value.details)


def test_not_a_number_is_left_to_the_storage() -> None:
    """NaN is a float; that it cannot be stored is said where things are stored."""
    assert math.isnan(cast("float", encode(math.nan, float)))


def test_what_never_ends_has_no_json_form() -> None:
    """A value that holds itself, or nests deeper than Python walks."""
    inside: list[object] = []
    inside.append(inside)
    deep: object = 1
    for _ in range(3_000):
        deep = {"a": deep}

    for value in (inside, deep):
        with pytest.raises(ContractMismatch, match="nested at most 64 levels deep"):
            encode(value, object)


@pytest.mark.parametrize("days", [Days(0), Days.SATURDAY, Days.SATURDAY | Days.SUNDAY], ids=str)
def test_flags_come_back_together(days: Days) -> None:
    """What may be written may be read: several at once have a value, too."""
    optional: Any = Days | None

    assert days is structure(encode(days, Days), Days)
    assert days is structure(encode(days, optional), optional)
    assert choices_of(Days) is None
