"""Columns: many values of one type, and what does not fit it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

import pytest
from attrs import evolve

from squidmesh_core.ids import AttemptKey, ClaimId, NodeName, Revision, VisitKey
from squidmesh_core.protocol.columns import column_of, from_columns
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptFailed,
    Failure,
    Input,
    InputFrom,
    InputValue,
    NextAttempt,
)
from squidmesh_core.values import Constant, Exponential, FromPath, RecoveryPolicy
from support.entries import EPOCH, RUN

PREFIX = f"{RUN}:"
AT = datetime(2026, 1, 1, tzinfo=UTC)
NEXT = NextAttempt(attempt_key=AttemptKey(f"{RUN}:a:2"), number=2, visible_at=AT)
DONE = AttemptCompleted(
    at=AT, attempt_key=AttemptKey(f"{RUN}:a:1"), claim_id=ClaimId("c"), claim_token_hash="h"
)
LOST = AttemptFailed(at=AT, attempt_key=AttemptKey(f"{RUN}:a:1"), error=Failure(kind="worker_lost"))


@pytest.mark.parametrize(
    ("hint", "values", "written"),
    [
        (str, ["a", "b"], ["a", "b"]),
        (bool, [True], [True]),
        (Revision, [1, 2], [1, 2]),
        (NodeName, ["charge"], ["charge"]),
        (object, [None, [1]], [None, [1]]),
        (Literal["a", "b"], ["b", "a"], ["b", "a"]),
        (Mapping[str, object], [{"a": [1]}], [{"a": [1]}]),
        (Mapping[str, str], [{"a": "b"}], [{"a": "b"}]),
        (VisitKey, [f"{RUN}:a", "r2:a"], [":a", "r2:a"]),
        (datetime, [AT], ["2026-01-01T00:00:00.000000Z"]),
        (Input, [InputFrom(), InputValue(value=1)], [{"from": []}, {"value": 1}]),
        (Exponential, [Exponential(min_ms=1, max_ms=2)], {"min_ms": [1], "max_ms": [2]}),
        (Failure, [Failure(kind="a"), Failure(kind="b")], {"kind": ["a", "b"]}),
        (
            Failure,
            [Failure(kind="a"), Failure(kind="b", code="c")],
            {"kind": ["a", "b"], "code": [[[1], ["c"]]]},
        ),
        (str | None, [None, "b", None], [[[1], ["b"]]]),
        (str | None, ["a", "b"], [[None, ["a", "b"]]]),
        (tuple[int, ...], [(1, 2), (), (3,)], {"lengths": [2, 0, 1], "items": [1, 2, 3]}),
        (
            Mapping[Revision, object],
            [{7: "a", 3: None}],
            [{"lengths": [2], "items": [7, 3]}, {"lengths": [2], "items": ["a", None]}],
        ),
        (
            NextAttempt,
            [NEXT],
            {
                "attempt_key": [":a:2"],
                "number": [2],
                "visible_at": ["2026-01-01T00:00:00.000000Z"],
            },
        ),
    ],
)
def test_values_are_written_by_column_and_read_back(
    hint: Any, values: list[object], written: object
) -> None:
    """Names stand there once; what all have at their default, and the run id, not at all."""
    column = column_of(hint)

    assert written == column.write(values, PREFIX)
    assert values == list(column.read(written, len(values), PREFIX))


def test_records_of_several_classes_keep_their_places() -> None:
    """Each class has its columns, and the places of its records."""
    column = column_of(AttemptCompleted | AttemptFailed | None)
    values = [DONE, None, LOST, DONE]

    assert values == list(column.read(column.write(values, PREFIX), 4, PREFIX))


def test_records_without_any_member_written_are_as_many() -> None:
    """All at their defaults leave nothing but their number."""
    column = column_of(Failure | None)

    assert [None, None] == list(column.read(column.write([None, None], PREFIX), 2, PREFIX))
    assert {} == column_of(RecoveryPolicy).write([RecoveryPolicy()] * 2, PREFIX)
    assert [RecoveryPolicy()] * 2 == list(column_of(RecoveryPolicy).read({}, 2, PREFIX))


@pytest.mark.parametrize(
    ("hint", "data"),
    [
        (str, [1]),
        (str, ["a", "b"]),
        (str, "a"),
        (str, {"0": "a"}),
        (bool, [1]),
        (int, [True]),
        (int, [1.0]),
        (Literal["a", "b"], ["c"]),
        (Literal["a", "b"], [["a"]]),
        (Mapping[str, object], [[]]),
        (Mapping[str, str], [{"a": 1}]),
        (datetime, ["tomorrow"]),
        (datetime, ["2026-01-01T00:00:00.000000"]),
        (datetime, [1]),
        (VisitKey, [1]),
        (Failure, {}),
        (Failure, {"code": [[None, ["c"]]]}),
        (Failure, {"kind": ["a"], "moon": [1]}),
        (Failure, {"kind": ["a", "b"]}),
        (Failure, []),
        (str | None, []),
        (str | None, [[[0], ["a", "b"]]]),
        (str | None, [[[5], ["a"]]]),
        (tuple[int, ...], {"lengths": [1, 1], "items": [1, 2]}),
        (tuple[int, ...], {"lengths": [2], "items": [1]}),
        (tuple[int, ...], {"lengths": [1]}),
        (Mapping[Revision, object], [{"lengths": [1], "items": [7]}]),
        (
            Mapping[Revision, object],
            [{"lengths": [1], "items": [7]}, {"lengths": [2], "items": [1, 2]}],
        ),
    ],
)
def test_what_does_not_fit_is_refused(hint: Any, data: object) -> None:
    """One value of the type is asked for, and this is none."""
    with pytest.raises(ValueError, match=r"."):
        from_columns(data, hint, RUN)


@pytest.mark.parametrize("hint", [float, tuple[int, str], int | str, set[int]])
def test_a_type_without_a_column_is_found_at_once(hint: Any) -> None:
    """Whoever gives a state a member of a new type hears of it when one is first frozen."""
    with pytest.raises(TypeError, match="has no wire form"):
        column_of(hint)


def test_equal_inputs_beside_each_other_are_one_record() -> None:
    """A step that goes round takes its values from the same places each time."""
    paths = InputFrom(bindings={"n": FromPath(path=("turn",))})
    given = [paths, evolve(paths), InputFrom(), InputFrom(), paths]
    column = column_of(Input)

    read = list(column.read(column.write(given, PREFIX), 5, PREFIX))

    assert given == read
    assert (True, True, False) == (read[0] is read[1], read[2] is read[3], read[0] is read[4])


@pytest.mark.parametrize("other", [True, 1.0])
def test_inputs_that_are_equal_and_not_the_same_are_told_apart(other: object) -> None:
    """A number is no truth value, and a whole one no fraction."""
    column = column_of(Input)
    given = [
        *(InputValue(value=value) for value in (1, other)),
        *(InputFrom(bindings={"n": Constant(value=value)}) for value in (1, other)),
    ]

    read: list[Any] = list(column.read(column.write(given, PREFIX), 4, PREFIX))

    found = [read[0].value, read[1].value, *(one.bindings["n"].value for one in read[2:])]
    assert [int, type(other)] * 2 == list(map(type, found))


def test_keys_are_read_whole() -> None:
    """The run's own without its id, the run itself as a colon, those of others as they are."""
    column = column_of(VisitKey)
    keys = [f"{RUN}:a", RUN, "r2:a", f"{RUN}2:a"]

    assert [":a", ":", "r2:a", f"{RUN}2:a"] == column.write(keys, PREFIX)
    assert keys == list(column.read(column.write(keys, PREFIX), 4, PREFIX))
    with pytest.raises(ValueError, match="begins with a run id"):
        column.write([":a"], PREFIX)


def test_instants_are_written_in_utc() -> None:
    """Whatever zone they come from; without one nobody can tell which they are."""
    column = column_of(datetime)
    east = timezone(timedelta(hours=1))

    assert ["2026-01-01T00:00:00.000000Z"] == column.write(
        [datetime(2026, 1, 1, 1, tzinfo=east)], PREFIX
    )
    with pytest.raises(ValueError, match="time zone"):
        column.write([datetime(2026, 1, 1)], PREFIX)  # noqa: DTZ001  # the very mistake


def test_instants_are_read_in_utc() -> None:
    """As they were written: no other zone gets in."""
    assert [EPOCH] == list(
        column_of(datetime).read(column_of(datetime).write([EPOCH], PREFIX), 1, PREFIX)
    )
    with pytest.raises(ValueError, match="UTC"):
        column_of(datetime).read(["2026-01-01T00:00:00+01:00"], 1, PREFIX)
