"""Commands on many runs: which runs they are for."""

from typing import get_args

import pytest

from squidmesh_core.decide.bulk import began, is_for
from squidmesh_core.ids import derived_run_id, replay_run_id
from squidmesh_core.protocol.rows import RunStatus

SOURCE = derived_run_id("run", "1")


@pytest.mark.parametrize("status", get_args(RunStatus))
def test_what_can_be_cancelled_cannot_be_replayed(status: RunStatus) -> None:
    """A run is one or the other, whatever its status."""
    is_over = status in {"completed", "failed", "cancelled"}

    assert (not is_over, is_over) == (is_for("cancel", status), is_for("replay", status))


def test_a_replay_is_known_by_its_source_and_key() -> None:
    """Neither that of another key, nor a run that replays nothing."""
    run_id = replay_run_id(SOURCE, "k-1")

    assert began("k-1", run_id, SOURCE)
    assert not began("k-2", run_id, SOURCE)
    assert not began("k-1", run_id, None)
