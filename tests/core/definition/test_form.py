"""Reading and writing specs: nothing is lost, nothing is believed."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.definition.form import read_spec, read_text, spec_to_dict, spec_to_text
from squidmesh_core.definition.problem import errors_of
from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.errors import DefinitionError
from squidmesh_core.values import RetryPolicy
from support.specs import diamond, json_values, linear, specs

CASES = Path(__file__).parents[2] / "typing" / "cases"
COMPILED: dict[str, object] = {
    "orders.OrderFulfilment": json.loads((CASES / "orders.spec.json").read_text("utf-8")),
    **json.loads((CASES / "good.specs.json").read_text("utf-8")),
}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4)
    ),
)


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_examples_survive_reading_and_writing_byte_for_byte(name: str) -> None:
    """The members, their order and their presence are those of the examples."""
    spec, problems = read_spec(COMPILED[name])

    assert () == problems
    assert spec is not None
    assert json.dumps(COMPILED[name]) == json.dumps(spec_to_dict(spec))
    assert () == spec.problems()


@given(specs())
def test_what_is_written_reads_back_equal(spec: Spec) -> None:
    """Every valid spec survives its JSON form, and its text."""
    read, problems = read_spec(spec_to_dict(spec))

    assert () == errors_of(problems)
    assert spec == read
    assert (spec, problems) == read_text(spec_to_text(spec))
    assert problems == spec.problems()


@given(anything)
def test_reading_never_raises(data: object) -> None:
    """Whatever is handed in gives problems, not an exception."""
    spec, problems = read_spec(data)

    assert spec is None
    assert problems
    assert all(problem.path == tuple(problem.path) and problem.message for problem in problems)


@given(specs(), st.data())
def test_a_damaged_spec_is_read_or_refused_but_never_raises(
    spec: Spec, data: st.DataObject
) -> None:
    """Any one member replaced by anything: either still a spec, or problems with paths."""
    document = json.loads(json.dumps(spec_to_dict(spec)))
    place = document
    while True:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(json_values)
        break

    read, problems = read_spec(document)

    assert (read is None) == bool(errors_of(problems))


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1, "a": 2}', "NaN", "[" * 100_000, "[" * 300 + "]" * 300]
)
def test_broken_text_is_one_problem(text: str) -> None:
    """No JSON, repeated keys, NaN and bottomless nesting are told, not raised."""
    spec, problems = read_text(text)

    assert spec is None
    assert [("invalid_spec", ())] == [(problem.code, problem.path) for problem in problems]
    assert "None" not in problems[0].message


def test_what_cannot_be_stored_is_told_by_its_place() -> None:
    """A document that is no JSON is one problem, at the first member that is none."""
    spec, (problem,) = read_spec({"steps": [{}, float("nan")]})

    assert spec is None
    assert ("invalid_spec", ("steps", 1)) == (problem.code, problem.path)
    assert "no JSON: a number that is NaN or infinite" == problem.message


def test_what_is_left_out_is_derived() -> None:
    """A spec of the fewest members gets defaults, outputs and its entry."""
    document = {
        "workflow": "shop.Orders",
        "triggers": [{"name": "placed", "type": "manual"}],
        "steps": [
            {"name": "charge", "action": "shop.charge"},
            {"name": "ship", "action": "shop.ship"},
        ],
        "transitions": [{"from": "charge", "on": "ok", "to": "ship"}],
    }
    spec = Spec.from_dict(document)

    assert ("charge",) == spec.entry_steps
    assert [("charge", ()), ("ship", ())] == [(n.name, n.after) for n in spec.steps]
    assert ["charge", "ship"] == [getattr(node, "output", None) for node in spec.steps]


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "wait", "duration_ms": 1},
        {"kind": "log", "message": "x"},
        {"kind": "pause", "question": "?"},
        {"kind": "approval", "question": "?"},
        {"kind": "receive"},
        {"kind": "children", "workflow": "w", "trigger": "t", "over": ["first"], "key": "id"},
        {"kind": "step", "action": "shop.last", "retry": {"max_attempts": 2}},
    ],
)
def test_a_node_of_any_kind_may_wait_for_others(members: dict[str, object]) -> None:
    """What it waits for is read, and what it does not say is off."""
    spec = Spec.from_dict(
        {
            "workflow": "shop.Orders",
            "triggers": [{"name": "placed", "type": "manual"}],
            "steps": [
                {"name": "first", "action": "shop.first"},
                {"name": "last", "after": ["first"], **members},
            ],
        }
    )
    last = spec.steps[1]

    assert ("first",) == last.after
    assert not isinstance(last, StepNode) or last.retry == RetryPolicy(max_attempts=2, jitter=False)


def test_a_missing_list_is_one_problem() -> None:
    """Children over nothing: that it is missing is said, and of the stand-in for it nothing."""
    document = {
        "workflow": "shop.Orders",
        "triggers": [{"name": "placed", "type": "manual"}],
        "steps": [
            {"name": "parcels", "kind": "children", "workflow": "w", "trigger": "t", "key": "id"}
        ],
    }
    spec, problems = read_spec(document)

    assert spec is None
    assert [(("steps", 0, "over"), "over is missing")] == [
        (problem.path, problem.message) for problem in problems
    ]


def test_from_dict_raises_every_problem_at_once() -> None:
    """One exception lists all problems, with the code of the first."""
    with pytest.raises(DefinitionError) as caught:
        Spec.from_dict({"workflow": "", "triggers": [], "steps": []})

    assert "invalid_workflow" == caught.value.code
    assert ["invalid_workflow", "missing_triggers", "missing_steps"] == [
        problem["code"]
        for problem in caught.value.details["problems"]  # type: ignore[attr-defined]  # a list of objects
    ]
    assert "missing_steps" in str(caught.value)
    assert str(caught.value).startswith("The spec cannot be registered, 3 problem(s):")


def test_a_warning_refuses_nothing() -> None:
    """A spec with only warnings is there, and so are the warnings."""
    document = linear(2).to_dict()
    first = document["transitions"][0]  # type: ignore[index]  # a list of objects
    first["condition"] = {"path": ["order_id"], "equals": "A-1"}

    spec, problems = read_spec(document)

    assert spec is not None
    assert [("missing_fallback", "warning")] == [(p.code, p.severity) for p in problems]
    assert [208] == [p.sm for p in problems]


@pytest.mark.parametrize("spec", [linear(1), linear(5), diamond()], ids=lambda spec: spec.workflow)
def test_the_hand_made_specs_are_valid(spec: Spec) -> None:
    """What other tests build on has no problems."""
    assert () == spec.problems()
