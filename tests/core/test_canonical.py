"""What can be stored, and as which bytes."""

import json
from collections.abc import Callable
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pytest
from hypothesis import example, given

from squidmesh_core.canonical import (
    MAX_DEPTH,
    MAX_INTEGER_BITS,
    MAX_ITEMS,
    decode,
    decode_strict,
    encode,
    restore,
    storable,
)
from squidmesh_core.errors import StorageError
from support.specs import json_values


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Price(float):
    """A number of the host's own."""


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def looped() -> object:
    value: list[object] = []
    value.append(value)
    return value


def repeated() -> object:
    """A small object whose text would fill a disk."""
    value: object = "x" * 1000
    for _ in range(30):
        value = [value] * 100
    return value


@given(json_values)
@example({"$int": "5"})
@example({"$map": {"$int": "9007199254740993"}})
@example({"$map": {}})
@example([{"$later": 1}, 2**53, -(2**53), -(2**400)])
def test_what_is_stored_comes_back_equal(value: object) -> None:
    """Storing, encoding, decoding and restoring changes no value."""
    assert value == restore(decode(encode(storable(value))))


@given(json_values)
def test_the_text_depends_on_the_value_alone(value: object) -> None:
    """What was read back has the same text again, so digests are stable."""
    text = encode(storable(value))

    assert text == encode(decode(text))
    assert text == encode(storable(restore(decode(text))))


@given(json_values)
def test_stored_integers_fit_a_double(value: object) -> None:
    """No bare integer is beyond 2⁵³-1: every database keeps the rest."""
    refused: list[str] = []

    def check(digits: str) -> int:
        if abs(int(digits)) > 2**53 - 1:
            refused.append(digits)
        return int(digits)

    json.loads(encode(storable(value)), parse_int=check)

    assert [] == refused


@given(json_values)
def test_a_stored_value_is_a_copy(value: object) -> None:
    """A step that keeps its output and changes it later changes no history."""
    if isinstance(value, dict | list):
        assert storable(value) is not value


def test_keys_are_sorted_and_nothing_is_escaped_needlessly() -> None:
    """The canonical text is compact, sorted, and readable."""
    assert '{"a":"é","b":[1,true,null]}' == encode({"b": [1, True, None], "a": "é"})


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ((1, (2,)), [1, [2]]),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (Colour.RED, "red"),
        ({Colour.RED: Size.BIG}, {"red": 3}),
        (Price(1.5), 1.5),
        (2**53 - 1, 9007199254740991),
        (1 - 2**53, -9007199254740991),
        (2**53, {"$int": "9007199254740992"}),
        (-(2**53), {"$int": "-9007199254740992"}),
        ({"$int": "5"}, {"$map": {"$int": "5"}}),
        ({"$int": "5", "other": 1}, {"$int": "5", "other": 1}),
    ],
)
def test_plain_copies(value: object, stored: object) -> None:
    """Tuples, mappings and enumerations become plain JSON; tags are set and escaped."""
    copy = storable(value)

    assert stored == copy
    assert type(stored) is type(copy)


@pytest.mark.parametrize(
    ("build", "path", "reason"),
    [
        (lambda: {"a": [1, float("nan")]}, ["a", 1], "NaN"),
        (lambda: float("inf"), [], "infinite"),
        (lambda: [float("-inf")], [0], "infinite"),
        (lambda: {"a": {"b": "x\0y"}}, ["a", "b"], "NUL"),
        (lambda: ["\ud800"], [0], "surrogate"),
        (lambda: {"\udc00": 1}, ["\\udc00"], "surrogate"),
        (lambda: {"a\0": 1}, ["a\\0"], "NUL"),
        (lambda: {1: 2}, ["<int>"], "key of type int"),
        (lambda: {"a": b"raw"}, ["a"], "bytes"),
        (lambda: {"k" * 200: b"raw"}, ["k" * 128], "bytes"),
        (lambda: {"a": {1, 2}}, ["a"], "set"),
        (object, [], "object"),
        (lambda: 10**5000, [], "integer"),
        (lambda: nested(MAX_DEPTH + 1), [0] * MAX_DEPTH, "nested deeper"),
        (looped, [0] * MAX_DEPTH, "nested deeper"),
        (lambda: list(range(MAX_ITEMS + 1)), [], "items"),
        (lambda: {"a": dict.fromkeys(map(str, range(MAX_ITEMS + 1)))}, ["a"], "items"),
        (lambda: {"a": "x" * 3_000_000}, ["a"], "bytes"),
        (lambda: ["\x01" * 100_000] * 4, [], "bytes"),
        (lambda: [[None] * MAX_ITEMS] * 210, [105], "bytes"),
        (lambda: [[""] * MAX_ITEMS] * 210, [69, 8435], "bytes"),
    ],
)
def test_what_cannot_be_stored_is_named(
    build: Callable[[], object], path: list[object], reason: str
) -> None:
    """The error says where the culprit is and what is wrong with it, and is storable itself."""
    with pytest.raises(StorageError) as caught:
        storable(build(), where="the output of 'charge'")

    assert "not_storable" == caught.value.code
    assert path == caught.value.details["path"]
    assert reason in str(caught.value.details["reason"])
    assert str(caught.value).startswith("the output of 'charge' cannot be stored")
    assert storable(caught.value.details)


def test_a_self_repeating_value_is_refused_without_walking_it() -> None:
    """The walk ends as soon as the text would be too long, not after 100³⁰ items."""
    with pytest.raises(StorageError, match="bytes allowed"):
        storable(repeated())


@pytest.mark.parametrize("length", [98, 99])
def test_the_limit_counts_bytes_of_the_text(length: int) -> None:
    """Exactly the limit is stored, one byte more is not."""
    if length == 98:
        assert storable("x" * length, limit_bytes=100)
    else:
        with pytest.raises(StorageError):
            storable("x" * length, limit_bytes=100)


def test_the_deepest_value_is_stored() -> None:
    """The limit itself is allowed."""
    assert nested(MAX_DEPTH) == restore(decode(encode(storable(nested(MAX_DEPTH)))))


def test_the_longest_integer_is_stored() -> None:
    """The limit itself is allowed, one bit more is not."""
    longest = 2**MAX_INTEGER_BITS - 1

    assert longest == restore(decode(encode(storable(longest))))
    with pytest.raises(StorageError, match="bits"):
        storable(longest + 1)


def test_restoring_a_value_without_tags_copies_nothing() -> None:
    """The common case is a look, not a copy."""
    value = {"a": [1, {"b": "c"}], "d": None}

    assert value is restore(value)


@pytest.mark.parametrize(
    "odd", [{"$int": 5}, {"$int": "abc"}, {"$int": "5"}, {"$map": [1]}, {"$x": 1}]
)
def test_what_only_resembles_a_tag_is_left_alone(odd: dict[str, object]) -> None:
    """Reading a foreign text never fails."""
    assert odd == restore(odd)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "'c' appears twice"),
        ("[NaN]", "NaN"),
        ("[" * 100_000, "nested deeper"),
        ("[" * 193 + "1" + "]" * 193, "nested deeper"),
        ('{"a":' * 193 + "1" + "}" * 193, "nested deeper"),
        ("nonsense", "Expecting value"),
    ],
)
def test_strict_decoding_refuses(text: str, said: str) -> None:
    """Texts of others may not repeat keys, hold NaN, or nest without end."""
    with pytest.raises(ValueError, match=said):
        decode_strict(text)


def test_strict_decoding_reads_what_was_encoded() -> None:
    """Well-formed text is simply read."""
    assert {"a": [1, 2.5, None]} == decode_strict('{"a": [1, 2.5, null]}')


def test_strict_decoding_reads_the_deepest_text() -> None:
    """Three levels of text for each level of a value, as its tags may take."""
    deepest = nested(3 * MAX_DEPTH)

    assert deepest == decode_strict(encode(deepest))
