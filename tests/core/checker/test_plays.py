"""The checker and the runtime agree: whatever a run is put through, its journal is clean."""

from hypothesis import event, given

from support.checking import assert_run_clean
from support.plays import plays
from support.scenario import Scenario


@given(plays())
def test_random_plays_are_clean(run: Scenario) -> None:
    """Workers work, stall and fail, and no rule is broken."""
    event(f"{run.state.status} after {len(run.journal) // 10 * 10}+ entries")

    assert_run_clean(run)
