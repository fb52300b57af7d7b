"""Which status the runs have that are where they are for a reason."""

from typing import get_args

import pytest
from hypothesis import given

from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.values import FromPath
from squidmesh_core.views.reason import STATUSES_OF, Reason, reason_of, told_by_status
from support.entries import histories
from support.plays import plays
from support.scenario import EPOCH, LEASE, RUN, Scenario
from support.workflows import chain, receive, step


@given(plays())
def test_a_reason_is_looked_for_where_it_can_be(run: Scenario) -> None:
    """At any moment of any run, now and when every lease is past."""
    for state in run.states[1:]:
        for now in (run.now, run.now + 2 * LEASE):
            assert state.status in STATUSES_OF[reason_of(state, run.spec, now)]


@given(histories())
def test_so_it_is_in_histories_that_should_not_be(history: tuple[Entry, ...]) -> None:
    """Nothing is asked of them that a list could miss."""
    spec = chain(receive("charge", correlation=FromPath(path=("ship",))), step("ship"))
    state = fold(RunState(run_id=RUN), history)

    assert state.status in STATUSES_OF[reason_of(state, spec, EPOCH)]


@pytest.mark.parametrize("reason", get_args(Reason))
def test_a_status_that_has_one_reason_tells_it(reason: Reason) -> None:
    """And no journal has to be read for it."""
    told: dict[RunStatus, set[Reason]] = {
        status: {one for one, statuses in STATUSES_OF.items() if status in statuses}
        for status in get_args(RunStatus)
    }

    assert told_by_status(reason) == all(told[one] == {reason} for one in STATUSES_OF[reason])
    assert told_by_status(reason) == (
        reason in {"terminal", "compensating", "manual_intervention_required"}
    )
