"""Wire forms by type: what is read is of that type, or the reader says what it wanted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from attrs import field, frozen

from squidmesh_core.ids import AttemptKey, RunId, VisitKey
from squidmesh_core.protocol import converter
from squidmesh_core.protocol.entries import Input, InputFrom, InputOf, InputUndo, InputValue
from squidmesh_core.protocol.members import form_of, reader_of
from squidmesh_core.protocol.schemas import _of as schema_of
from squidmesh_core.values import Constant, Exponential, FromPath

RUN = RunId("r1")
PREFIX = "r1:"


@pytest.mark.parametrize(
    ("hint", "value", "read"),
    [
        (str, "a", "a"),
        (bool, True, True),
        (int, 0, 0),
        (object, [None], [None]),
        (int | None, None, None),
        (int | None, 3, 3),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Literal["a", "b"], "b", "b"),
        (Mapping[str, object], {"a": [1]}, {"a": [1]}),
        (Mapping[str, str], {"a": "b"}, {"a": "b"}),
        (AttemptKey, ":a:1", "r1:a:1"),
        (AttemptKey, "r2:a:1", "r2:a:1"),
        (datetime, "2026-01-01T00:00:00.000000Z", datetime(2026, 1, 1, tzinfo=UTC)),
        (
            Exponential,
            {"type": "exponential", "min_ms": 1, "max_ms": 2},
            Exponential(min_ms=1, max_ms=2),
        ),
        (Input, {"from": []}, InputFrom()),
        (
            Input,
            {"from": {"x": {"value": 1}, "y": ["a"]}},
            InputFrom(bindings={"x": Constant(value=1), "y": FromPath(path=("a",))}),
        ),
        (Input, {"of": ":a:1"}, InputOf(attempt_key=AttemptKey("r1:a:1"))),
        (Input, {"undo": "r2:a"}, InputUndo(visit_key=VisitKey("r2:a"))),
        (Input, {"value": None}, InputValue(value=None)),
    ],
)
def test_what_fits_is_read(hint: Any, value: object, read: object) -> None:
    """Each type has one form, and writing what was read gives it back; `converter` agrees."""
    form = form_of(hint)
    result = form.read(value, PREFIX)

    assert read == result
    assert value == (form.write(result, PREFIX) if form.write and result is not None else result)
    assert read == converter.from_json(value, hint, RUN)
    assert value == converter.to_json(read, hint, RUN)


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (str, 1, "expected a text, not 1"),
        (bool, 1, "expected true or false, not 1"),
        (int, True, "expected a whole number, not True"),
        (int, 1.0, "expected a whole number, not 1.0"),
        (tuple[int, ...], {"0": 1}, "expected a list"),
        (tuple[int, ...], ["a"], "expected a whole number"),
        (Literal["b", "a"], "c", r"expected one of \['a', 'b'\], not 'c'"),
        (Literal["b", "a"], ["a"], "expected one of"),
        (Mapping[str, object], [], "expected an object"),
        (Mapping[str, str], {"a": 1}, "expected a text"),
        (Exponential, {"type": "linear", "min_ms": 1, "max_ms": 2}, "exponential"),
        (Exponential, {"type": [], "min_ms": 1, "max_ms": 2}, "exponential"),
        (
            Exponential,
            {"type": "exponential", "min_ms": [], "max_ms": 2},
            "expected a whole number",
        ),
        (
            Exponential,
            {"type": "exponential", "min_ms": 1, "max_ms": {}},
            "expected a whole number",
        ),
        (Exponential, [], "expected an object"),
        (Input, {}, "expected one of from, of, undo and value"),
        (Input, [], "expected one of from, of, undo and value"),
        (Input, {"of": ":a:1", "value": 1}, "expected one of from, of, undo and value"),
        (Input, {"off": ":a:1"}, "expected one of from, of, undo and value"),
        (Input, {"from": [1]}, "expected one of from, of, undo and value"),
    ],
)
def test_what_does_not_fit_is_refused(hint: object, value: object, said: str) -> None:
    """A stored member of another type is damage, and the message shows it."""
    with pytest.raises(ValueError, match=said):
        form_of(hint).read(value, PREFIX)


def test_the_definition_refuses_another_constant_too() -> None:
    """`converter` asks for the same words."""
    with pytest.raises(ValueError, match="exponential"):
        converter.from_json({"type": "linear", "min_ms": 1, "max_ms": 2}, Exponential, RUN)


@pytest.mark.parametrize("hint", [float, tuple[int, str], int | str, set[int]])
def test_a_field_without_a_wire_form_is_found_at_once(hint: object) -> None:
    """Whoever adds a field of a new type hears of it when the module is imported."""
    with pytest.raises(TypeError, match="has no wire form"):
        form_of(hint)


def test_a_field_without_a_schema_is_found_at_once() -> None:
    """The same for the files in `specs/entries`."""
    with pytest.raises(TypeError, match="has no schema"):
        schema_of(float)


@frozen(kw_only=True)
class Even:
    """A record whose constructor refuses."""

    n: int = field()

    @n.validator
    def _is_even(self, _attribute: object, n: int) -> None:
        if n % 2:
            raise ValueError(f"{n} is odd")


def test_a_constructor_that_refuses_is_asked() -> None:
    """Reading quickly goes past no check."""
    read = reader_of(Even)

    assert Even(n=2) == read({"n": 2}, PREFIX)
    with pytest.raises(ValueError, match="3 is odd"):
        read({"n": 3}, PREFIX)
    with pytest.raises(ValueError, match=r"missing: \['n'\]; members unknown: \['m'\]"):
        read({"m": 3}, PREFIX)
    with pytest.raises(ValueError, match=r"missing: \[\]; members unknown: \['m'\]"):
        read({"n": 2, "m": 3}, PREFIX)
