"""Conditions on the run context: when each holds, and that it never raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.canonical import storable
from squidmesh_core.values import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Not,
    condition_from_json,
    condition_to_json,
    holds,
    paths_of,
)
from squidmesh_core.values.condition import OPERATORS, Operator, same
from support.specs import conditions, json_values

YES = Compare(path=("x",), operator="equals", operand=1)
NO = Compare(path=("x",), operator="equals", operand=2)


@pytest.mark.parametrize(
    ("operator", "operand", "true_for", "false_for"),
    [
        ("equals", 1, [1, 1.0], [True, 2, "1", None, [1]]),
        ("equals", None, [None], [0, False, ""]),
        ("equals", {"a": [1]}, [{"a": [1.0]}], [{"a": [1], "b": 1}, {"b": [1]}, {"a": [True]}]),
        ("equals", [1, 2], [[1, 2], (1, 2)], [[1], [1, 2, 3], [2, 1], {"1": 2}]),
        ("not_equals", 1, [True, 2, None], [1, 1.0]),
        ("is_in", [1, "a"], [1, "a"], [True, "b", None]),
        ("is_in", "abc", [], ["a"]),
        ("greater_than", 3, [3.5, 4], [3, 2, True, "4", None]),
        ("less_than", 3, [2, 2.9], [3, 4, False, "2", None]),
        ("at_least", 3, [3, 4], [2, "3"]),
        ("at_most", 3, [3, 2], [4, "3"]),
        ("at_most", True, [], [0, 1]),
        ("at_most", "3", [], [2, "2"]),
        ("is_missing", True, [None], [0, False, ""]),
        ("is_missing", False, [0, False, ""], [None]),
    ],
)
def test_operators_hold_for_these_and_not_for_those(
    operator: Operator, operand: object, true_for: list[object], false_for: list[object]
) -> None:
    """Ordering is for numbers, and a boolean is no number."""
    condition = Compare(path=("x",), operator=operator, operand=operand)

    assert [] == [value for value in true_for if not holds(condition, {"x": value})]
    assert [] == [value for value in false_for if holds(condition, {"x": value})]


BEYOND = 2**60  # what no double holds lies in a context under a tag


@pytest.mark.parametrize(
    ("operator", "operand", "value", "expected"),
    [
        ("equals", BEYOND, BEYOND, True),
        ("equals", [{"id": BEYOND}], [{"id": BEYOND}], True),
        ("equals", BEYOND, BEYOND + 1, False),
        ("not_equals", BEYOND, BEYOND, False),
        ("is_in", [1, BEYOND], BEYOND, True),
        ("greater_than", 3, BEYOND, True),
        ("less_than", BEYOND + 1, BEYOND, True),
        ("at_most", 3, BEYOND, False),
        ("equals", {"$int": "5"}, {"$int": "5"}, True),
    ],
)
def test_large_integers_are_compared_as_numbers(
    operator: Operator, operand: object, value: object, expected: bool
) -> None:
    """Identifiers and counts of other systems often have 64 bits."""
    condition = Compare(path=("x",), operator=operator, operand=operand)

    assert expected == holds(condition, {"x": storable(value)})


@given(json_values)
def test_a_value_equals_itself_in_a_context(value: object) -> None:
    """Whatever form the journal gives it."""
    condition = Compare(path=("x",), operator="equals", operand=value)

    assert holds(condition, {"x": storable(value)})


@pytest.mark.parametrize("operator", OPERATORS.values())
def test_a_missing_path_holds_for_missing_only(operator: Operator) -> None:
    """`not_equals` is false too: nothing is known of the value."""
    condition = Compare(path=("no", "way"), operator=operator, operand=[1])

    assert (operator == "is_missing") is holds(condition, {"x": 1})


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        (AllOf(conditions=(YES, YES)), True),
        (AllOf(conditions=(YES, NO)), False),
        (AnyOf(conditions=(NO, YES)), True),
        (AnyOf(conditions=(NO, NO)), False),
        (Not(condition=YES), False),
        (Not(condition=NO), True),
    ],
)
def test_joints_mean_what_they_are_called(condition: Condition, truth: bool) -> None:
    """All, any, not."""
    assert truth is holds(condition, {"x": 1})


@given(condition=conditions(["x", "y"]), value=json_values)
def test_a_condition_and_its_opposite_never_agree(condition: Condition, value: object) -> None:
    """Whatever is in the context, exactly one of them holds, and neither raises."""
    context = {"x": value}

    assert holds(condition, context) is not holds(Not(condition=condition), context)


def test_paths_are_listed_as_written() -> None:
    """Every path that is read, each as often as it is."""
    other = Compare(path=("y", "z"), operator="is_missing", operand=True)
    condition = AllOf(conditions=(YES, Not(condition=AnyOf(conditions=(other, NO)))))

    assert [("x",), ("y", "z"), ("x",)] == list(paths_of(condition))


@given(conditions(["x", "y"]))
def test_what_is_written_is_read(condition: Condition) -> None:
    """The JSON form comes back as the same condition."""
    assert condition == condition_from_json(condition_to_json(condition))


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"all": {}},
        {"any": YES},
        {"all": [], "any": []},
        {"path": ["x"]},
        {"path": ["x"], "equals": 1, "at_least": 1},
        {"path": ["x"], "like": 1},
        {"path": "x", "equals": 1},
        {"equals": 1, "at_least": 2},
    ],
)
def test_anything_else_is_no_condition(data: object) -> None:
    """A stored condition that is none is damage, and says what was expected."""
    with pytest.raises(ValueError, match="expected"):
        condition_from_json(data)


@given(left=json_values, right=json_values)
def test_sameness_has_no_direction(left: object, right: object) -> None:
    """A value is the same as itself, and it does not matter which comes first."""
    assert same(left, left)
    assert same(left, right) is same(right, left)


@given(st.integers(-(2**53), 2**53))
def test_a_number_is_the_same_in_either_form(number: int) -> None:
    """1 and 1.0 are one value in JSON."""
    assert same(number, float(number))
