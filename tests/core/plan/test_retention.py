"""Which finished runs may go, and which stay."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given

from squidmesh_core.ids import RunId, derived_run_id, is_drawn, retry_run_id, uuid7
from squidmesh_core.plan.retention import (
    RESENT_WITHIN,
    Retention,
    can_come_again,
    kept,
    leaves_effects,
)
from squidmesh_core.protocol.commands import Start
from squidmesh_core.values import RetryPolicy
from support.plays import plays
from support.scenario import EPOCH, RUN, SECOND, Scenario, a_start
from support.workflows import chain, step

DAY = timedelta(days=1)
ONCE = RetryPolicy(max_attempts=1)


def completed() -> Scenario:
    """A run that ended a second after its start."""
    run = Scenario(chain(step("a")))
    run.start()
    run.time_passes(SECOND)
    run.perform("a")
    return run


def left_something() -> Scenario:
    """A run whose callback failed for good."""
    run = Scenario(chain(step("a", compensate=True, compensate_retry=ONCE), step("b")))
    run.start()
    run.perform("a")
    run.fail(run.claim("b"))
    run.fail(run.claim("a"))
    assert run.state.terminal is not None
    return run


@given(run=plays())
def test_an_active_run_stays(run: Scenario) -> None:
    """However old it is, by age and by name."""
    later = EPOCH + 1000 * DAY
    reasons = {kept(run.state, before, taken_up=True) for before in (None, later)}

    assert (run.state.terminal is None) is (reasons == {"active"})


@pytest.mark.parametrize(
    ("before", "expected"),
    [(EPOCH, "recent"), (EPOCH + SECOND, "recent"), (EPOCH + 2 * SECOND, None), (None, None)],
)
def test_a_run_stays_as_long_as_it_is_recent(before: datetime | None, expected: str | None) -> None:
    """It goes when it ended before the instant, not at it; by name it goes at once."""
    assert expected == kept(completed().state, before, taken_up=False)


def test_what_was_not_undone_keeps_a_run() -> None:
    """Until that is taken up, or somebody names the run."""
    state, later = left_something().state, EPOCH + DAY

    assert leaves_effects(state)
    assert not leaves_effects(completed().state)
    assert "unrecovered" == kept(state, later, taken_up=False)
    assert kept(state, later, taken_up=True) is None
    assert kept(state, None, taken_up=False) is None


def test_retention_counts_back_from_now() -> None:
    """An age longer than time itself takes nothing, and overflows nothing."""
    week = Retention(older_than_ms=7 * 86_400_000)

    assert EPOCH - 7 * DAY == week.before(EPOCH)
    assert datetime.min.replace(tzinfo=UTC) == Retention(older_than_ms=10**18).before(EPOCH)


def started(start: Start) -> Scenario:
    """A run that began so."""
    run = Scenario(chain(step("a")), run_id=start.run_id)
    run.decides(start)
    return run


DRAWN = uuid7(1_767_225_600_000, bytes(range(10)))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(a_start(run_id=DRAWN), False, id="drawn"),
        pytest.param(a_start(run_id=derived_run_id("orders", "placed", "k")), True, id="derived"),
        pytest.param(a_start(run_id=retry_run_id(RUN)), True, id="retry"),
        pytest.param(evolve(a_start(run_id=DRAWN), asked={"run_id": DRAWN}), True, id="given"),
        pytest.param(
            a_start(run_id=RunId("9f0c1e4a-53c9-4e9b-9d43-0d6b5c1ad001")), True, id="foreign"
        ),
    ],
)
def test_an_id_that_can_be_named_again_comes_again(start: Start, expected: bool) -> None:
    """Derived ones, given ones and those of another kind; a drawn one comes once."""
    state = started(start).state

    assert expected is can_come_again(state, EPOCH + 90 * DAY)


def test_a_start_may_be_under_way_a_second_time() -> None:
    """For an hour after it, whatever the id."""
    state = started(a_start(run_id=DRAWN)).state

    assert is_drawn(DRAWN)
    assert can_come_again(state, EPOCH + RESENT_WITHIN - SECOND)
    assert not can_come_again(state, EPOCH + RESENT_WITHIN)
