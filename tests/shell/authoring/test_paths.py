"""Paths and conditions: recorded as data, refused as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict, cast

import pytest

from squidmesh import (
    DefinitionError,
    Workflow,
    complete,
    is_in,
    is_missing,
    manual,
    maybe,
    not_,
    step,
)
from squidmesh.authoring.conditions import BareTruth, Condition, expression_of, resolved
from squidmesh.authoring.paths import recorded_of
from squidmesh_core.values import condition_to_json


@dataclass(frozen=True)
class Address:
    street: str
    house: int


@dataclass(frozen=True)
class Order:
    sku: str
    quantity: int
    price: float
    urgent: bool
    band: Literal["low", "high"]
    placed_at: datetime
    address: Address | None = None
    tags: tuple[str, ...] = ()

    def total(self) -> float:
        return self.quantity * self.price


class Case(TypedDict):
    name: str
    note: NotRequired[str]


def order() -> Order:
    return manual(Order).payload


def evaluated(text: str, o: Order) -> object:
    """What an expression of a class body gives; `o` is the payload."""
    names = {"not_": not_, "is_in": is_in, "is_missing": is_missing, "maybe": maybe}
    return eval(text, names, {"o": o})


def recorded_json(condition: object) -> object:
    """The core's JSON form of a condition on a payload."""
    assert isinstance(condition, Condition | BareTruth)
    core = resolved(expression_of(condition), lambda place: place.below)
    return None if core is None else condition_to_json(core)


def problem_of(condition: str) -> tuple[str, str]:
    """Code and message of what a condition of a class body is refused for."""
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Workflow):
            placed = manual(Order)
            pack = step(pack_up).takes(placed.payload.sku)
            pack.then(complete, when=cast("bool", evaluated(condition, placed.payload)))
            pack.then(complete)

    (problem,) = cast("tuple[Any, ...]", caught.value.problems)
    return problem.code, problem.message


def pack_up(sku: str) -> None: ...


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("o.quantity < 3", {"path": ["quantity"], "less_than": 3}),
        ("o.quantity <= 3", {"path": ["quantity"], "at_most": 3}),
        ("o.quantity > 3", {"path": ["quantity"], "greater_than": 3}),
        ("o.price >= 3", {"path": ["price"], "at_least": 3}),
        ("3 > o.quantity", {"path": ["quantity"], "less_than": 3}),
        ("o.quantity < 2.5", {"path": ["quantity"], "less_than": 2.5}),
        ('o.sku == "vase"', {"path": ["sku"], "equals": "vase"}),
        ('o.band != "high"', {"path": ["band"], "not_equals": "high"}),
        ("o.urgent", {"path": ["urgent"], "equals": True}),
        ('is_in(o.sku, ["b", "a"])', {"path": ["sku"], "is_in": ["b", "a"]}),
        ('is_in(o.sku, {"d", "b", "c", "a"})', {"path": ["sku"], "is_in": ["a", "b", "c", "d"]}),
        ("is_missing(o.address)", {"path": ["address"], "is_missing": True}),
        ('o.address.street == "x"', {"path": ["address", "street"], "equals": "x"}),
        ("not_(o.urgent)", {"not": {"path": ["urgent"], "equals": True}}),
        ('~(o.sku == "a")', {"not": {"path": ["sku"], "equals": "a"}}),
    ],
)
def test_a_comparison_is_recorded(condition: str, expected: object) -> None:
    """What the class body compares is what the spec says."""
    assert expected == recorded_json(evaluated(condition, order()))


def test_conditions_joined_alike_are_one_list() -> None:
    """`a & b & c` is one `all` of three, and `|` keeps its own level."""
    o = order()
    joined = (o.quantity < 3) & (o.sku == "a") & o.urgent | (o.price > 1)

    data = recorded_json(joined)

    assert isinstance(data, dict)
    assert ["all", "greater_than"] == [next(k for k in part if k != "path") for part in data["any"]]
    assert 3 == len(data["any"][0]["all"])


@pytest.mark.parametrize(
    "use",
    [
        'o.quantity < 3 and o.sku == "a"',
        'o.urgent or o.sku == "a"',
        "not o.urgent",
        "1 < o.quantity < 3",
        'o.sku in ["a", "b"]',
    ],
)
def test_a_condition_is_never_a_bool(use: str) -> None:
    """`and`, `or`, `not`, chained comparisons and `in` stop at once."""
    with pytest.raises(DefinitionError) as caught:
        evaluated(use, order())

    assert ("condition_as_bool", 120) == (caught.value.code, caught.value.sm)


@pytest.mark.parametrize(
    "use",
    [
        'f"{o.sku}"',
        "str(o.sku)",
        "len(o.tags)",
        "list(o.tags)",
        "o.tags[0]",
        '"a" in o.tags',
        "o.sku.upper()",
        "o.total()",
        "o.quantity + 1",
        "2 * o.price",
        "-o.quantity",
        "int(o.quantity)",
        "range(o.quantity)",
        'setattr(o, "sku", "b")',
    ],
)
def test_a_path_is_never_a_value(use: str) -> None:
    """Formatting, counting, indexing, calling and computing stop at once."""
    with pytest.raises(DefinitionError) as caught:
        evaluated(use, order())

    assert ("path_as_value", 123) == (caught.value.code, caught.value.sm)


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ('o.quantity < "3"', "invalid_operand"),
        ('o.quantity == "3"', "invalid_operand"),
        ("o.sku == 3", "invalid_operand"),
        ('o.band == "hihg"', "invalid_operand"),
        ('is_in(o.band, ["low", "hihg"])', "invalid_operand"),
        ('is_in(o.sku, "ab")', "invalid_operand"),
        ("is_in(o.quantity, 5)", "invalid_operand"),
        ('o.sku < "b"', "invalid_operand"),
        ("o.urgent > 0", "invalid_operand"),
        ("o.placed_at < 3", "invalid_operand"),
        ("o.address == None", "invalid_operand"),
        ('o.address == "x"', "invalid_operand"),
        ("o.quantity < o.price", "path_with_path"),
        ("o.address is None", "constant_condition"),
        ('(o.sku == "a") & True', "constant_condition"),
        ("o.sku", "constant_condition"),
        ('o.skuu == "a"', "unknown_field"),
        ('o.address.stret == "a"', "unknown_field"),
    ],
)
def test_a_wrong_condition_is_reported_when_the_class_ends(condition: str, code: str) -> None:
    """One problem per mistake: what follows from it is not said again."""
    assert code == problem_of(condition)[0]


def test_a_misspelt_field_names_the_nearest() -> None:
    """The report names the field that was meant, and all there are."""
    with pytest.raises(DefinitionError) as caught:

        class Wrong(Workflow):
            placed = manual(Address)
            pack = step(pack_up).takes(cast("Any", placed.payload).stret)

    assert "'stret' is not a field of Address" in caught.value.message
    assert "did you mean 'street'?   fields: street, house" in caught.value.message


def test_a_typed_dict_is_read_by_key() -> None:
    """`case["name"]` is a path, and `.get` one that may be missing."""
    case = manual(Case).payload

    name, note = recorded_of(case["name"]), recorded_of(case.get("note"))

    assert name is not None
    assert note is not None
    assert (("name",), str, False) == (name.place.below, name.hint, name.optional)
    assert (("note",), str | None, True) == (note.place.below, note.hint, note.optional)


def test_a_field_of_a_typed_dict_is_no_attribute() -> None:
    """Reading a key as an attribute stops with the text to type."""
    case = cast("Any", manual(Case).payload)

    with pytest.raises(DefinitionError, match=r'write \["name"\]'):
        _ = case.name


def test_maybe_makes_a_path_optional() -> None:
    """The value of `maybe(path)` is typed with None."""
    recorded = recorded_of(maybe(order().sku))

    assert recorded is not None
    assert (True, str | None) == (recorded.optional, recorded.hint)


@pytest.mark.parametrize("use", ['maybe("x")', "is_missing(None)", 'is_in("x", ["x"])'])
def test_path_functions_take_paths(use: str) -> None:
    """A plain value has nothing to record."""
    with pytest.raises(DefinitionError):
        evaluated(use, order())


def test_a_field_may_have_any_name() -> None:
    """A path has no public names, so no field is shadowed."""

    @dataclass(frozen=True)
    class Odd:
        hint: str
        place: str
        get: str
        text: str

    payload = manual(Odd).payload
    paths = [recorded_of(getattr(payload, name)) for name in ("hint", "place", "get", "text")]

    assert [("hint",), ("place",), ("get",), ("text",)] == [
        path.place.below for path in paths if path is not None
    ]


def test_looking_at_a_path_is_harmless() -> None:
    """repr, dir, hasattr and copies are what debuggers and notebooks do."""
    path = order().sku

    assert "<path ….sku>" == repr(path)
    assert not hasattr(path, "_repr_html_")
    assert not hasattr(path, "__wrapped__")
