"""Explanations: what must hold wherever a run can get to."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from squidmesh_core.protocol.converter import from_json, to_json
from squidmesh_core.state.run import RunState
from squidmesh_core.views.explanation import Explanation, explain
from squidmesh_core.views.schemas import view_schema
from support.explaining import CHECKS, everybody, explained
from support.explaining_bugs import FOUND_BY
from support.planted import Plant
from support.plays import plays
from support.scenario import LEASE, SECOND, Scenario

SCHEMA = Draft202012Validator(view_schema(Explanation))
PAUSES = st.sampled_from([timedelta(0), SECOND, LEASE])


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_it_holds_wherever_a_run_can_get_to(check: Callable[[Scenario], None]) -> None:
    """Each check holds for every state that random plays reach, at once and later."""

    @given(plays(), PAUSES)
    def held(run: Scenario, pause: timedelta) -> None:
        run.time_passes(pause)
        event(explained(run).reason)
        check(run)

    held()


@given(plays(), PAUSES)
def test_an_explanation_is_a_function_of_the_state(run: Scenario, pause: timedelta) -> None:
    """The same state, read back from a checkpoint, is explained in the same words."""
    run.time_passes(pause)
    stored = json.dumps(to_json(run.state, RunState, run.state.run_id))
    read = from_json(json.loads(stored), RunState, run.state.run_id)
    around = everybody(run)

    assert explained(run, around) == explain(read, run.spec, run.now, around)


@given(plays())
def test_an_explanation_can_be_written_down(run: Scenario) -> None:
    """Its document is JSON and fits its schema."""
    document = json.loads(json.dumps(explained(run, everybody(run)).to_dict(), allow_nan=False))

    SCHEMA.validate(document)


@given(plays(), st.integers(30, 140))
def test_text_stays_within_its_width(run: Scenario, width: int) -> None:
    """Only commands, which are copied whole, and columns that leave no room may be longer."""
    for line in explained(run).to_text(width).splitlines():
        copied = line.lstrip().startswith("squidmesh ")
        indented = len(line) - len(line.lstrip()) > width // 2
        assert len(line) <= max(width, 60) or copied or indented, line


@pytest.mark.parametrize("plant", FOUND_BY, ids=lambda plant: plant.__name__)
def test_the_checks_find_planted_bugs(plant: Plant) -> None:
    """Each of these bugs is found by its check, so its silence means something."""
    check = next(one for one in CHECKS if one.__name__ == FOUND_BY[plant])

    @settings(
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        max_examples=400,
        suppress_health_check=list(HealthCheck),
    )
    @given(plays(), PAUSES)
    def held(run: Scenario, pause: timedelta) -> None:
        run.time_passes(pause)
        check(run)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, RuntimeError)):
            held()
