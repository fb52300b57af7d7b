"""Bindings: where a parameter gets its value from, and what is said when there is none."""

import pytest
from hypothesis import given

from squidmesh_core.canonical import storable
from squidmesh_core.values import (
    Binding,
    Constant,
    FromPath,
    MissingPath,
    ObjectOf,
    OptionalPath,
    bind,
    binding_from_json,
    binding_to_json,
    lookup,
)
from support.entries import bindings
from support.specs import json_values

CONTEXT = {"risk": {"score": 7, "note": None}, "email": "a@b"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ((), (True, CONTEXT)),
        (("risk", "score"), (True, 7)),
        (("risk", "note"), (True, None)),
        (("risk", "note", "deep"), (False, None)),
        (("risk", "other"), (False, None)),
        (("email", "length"), (False, None)),
    ],
)
def test_paths_lead_through_objects_only(path: tuple[str, ...], found: tuple[bool, object]) -> None:
    """A null at the end is a value; beyond a null, a text or nothing there is nothing."""
    assert found == lookup(CONTEXT, path)


def test_a_path_leads_through_a_map_that_looks_like_a_tag() -> None:
    """The journal wraps it; whoever wrote the path has never seen that."""
    context = {"price": storable({"$amount": {"$int": "5"}})}

    assert (True, {"$map": {"$int": "5"}}) == lookup(context, ("price", "$amount"))
    assert (True, "5") == lookup(context, ("price", "$amount", "$int"))
    assert (False, None) == lookup(context, ("price", "$map"))


@given(json_values)
def test_a_constant_is_bound_as_journals_hold_it(value: object) -> None:
    """So that whoever restores the input of a step restores what was written, once."""
    found = bind(
        {"a": Constant(value=value), "b": OptionalPath(path=("no",), default=value)}, CONTEXT
    )

    assert {"a": storable(value), "b": storable(value)} == found


@pytest.mark.parametrize(
    ("binding", "value"),
    [
        (FromPath(path=("risk", "score")), 7),
        (Constant(value=[1]), [1]),
        (OptionalPath(path=("risk", "score"), default=0), 7),
        (OptionalPath(path=("risk", "other"), default=0), 0),
        (OptionalPath(path=("risk", "note"), default=0), None),
        (
            ObjectOf(fields={"to": ("email",), "score": ("risk", "score")}),
            {"to": "a@b", "score": 7},
        ),
    ],
)
def test_each_kind_gives_its_value(binding: Binding, value: object) -> None:
    """A default stands in where the path is missing, and only there."""
    assert {"x": value} == bind({"x": binding}, CONTEXT)


@pytest.mark.parametrize(
    ("binding", "missing_at"),
    [
        (FromPath(path=("nobody", "x", "y")), ("nobody",)),
        (FromPath(path=("risk", "other", "y")), ("risk", "other")),
        (FromPath(path=("risk", "note", "y", "z")), ("risk", "note", "y")),
        (ObjectOf(fields={"to": ("email",), "x": ("risk", "other")}), ("risk", "other")),
    ],
)
def test_a_missing_path_is_named_as_far_as_it_goes(
    binding: Binding, missing_at: tuple[str, ...]
) -> None:
    """The answer holds the parameter, the path, and the first part that could not be read."""
    path = binding.path if isinstance(binding, FromPath) else missing_at
    expected = MissingPath(target="b", path=path, missing_at=missing_at)

    assert expected == bind({"a": Constant(value=1), "b": binding}, CONTEXT)


@given(bindings)
def test_what_is_written_is_read(binding: Binding) -> None:
    """The JSON form says which kind it is."""
    assert binding == binding_from_json(binding_to_json(binding))


@pytest.mark.parametrize(
    "data",
    [
        "risk.score",
        None,
        ["risk", 1],
        {},
        {"value": 1, "more": 2},
        {"path": ["a"]},
        {"path": "a", "default": None},
        {"object": ["a"]},
        {"object": {"x": "a"}},
    ],
)
def test_anything_else_is_no_binding(data: object) -> None:
    """A stored binding that is none is damage, and says what was expected."""
    with pytest.raises(ValueError, match="expected a"):
        binding_from_json(data)
