"""How problems are told: as a line, as JSON, and all together as one exception."""

import pytest

from squidmesh_core.definition.problem import Place, Problem, definition_error, errors_of

ODD = Problem(
    path=("steps",), code="missing_steps", message="a workflow has steps", hint="Add one."
)
SLOW = Problem(
    path=("steps", 3),
    code="missing_fallback",
    message="the run may fail",
    severity="warning",
    file="orders.py",
    line=12,
)


@pytest.mark.parametrize(
    ("path", "hint", "line"),
    [
        ((), "", "SM210 missing_steps: a workflow has steps"),
        (("steps",), "", "SM210 missing_steps at steps: a workflow has steps"),
        (("a", 3, "b"), "Add one.", "SM210 missing_steps at a.3.b: a workflow has steps Add one."),
    ],
)
def test_a_problem_is_one_line(path: Place, hint: str, line: str) -> None:
    """Number, code, place if it has one, message, and the hint if there is one."""
    problem = Problem(path=path, code="missing_steps", message="a workflow has steps", hint=hint)

    assert line == str(problem)


def test_editors_get_every_field_of_a_problem() -> None:
    """The names are the ones that `--json` prints."""
    assert {
        "path": ["steps", 3],
        "code": "missing_fallback",
        "sm": 208,
        "message": "the run may fail",
        "hint": "",
        "severity": "warning",
        "file": "orders.py",
        "line": 12,
    } == SLOW.to_dict()


def test_errors_come_before_warnings() -> None:
    """The exception has the code of the first error, and every problem in words and as JSON."""
    error = definition_error("shop.Orders", [SLOW, ODD])

    assert (ODD,) == errors_of([SLOW, ODD])
    assert ("missing_steps", (ODD, SLOW)) == (error.code, error.problems)
    assert {"problems": [ODD.to_dict(), SLOW.to_dict()]} == error.details
    assert (
        "shop.Orders cannot be registered, 2 problem(s):\n"
        "  - SM210 missing_steps at steps: a workflow has steps Add one.\n"
        "  - SM208 missing_fallback at steps.3: the run may fail"
    ) == error.message
