"""The board of deadlines, and counts: what is late, in order, and how many."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.values import DeadlinePolicy, DeadlineStatus
from squidmesh_core.views.board import URGENCY, most_urgent_first, places_of, run_deadlines
from squidmesh_core.views.counts import Counts, WorkflowCounts, counts
from squidmesh_core.views.deadlines import deadline_views, first_thresholds, running_deadlines
from support.entries import histories
from support.scenario import EPOCH, RUN, SECOND, Scenario
from support.workflows import approval, step, workflow

THREE = workflow(
    step("a", deadline=DeadlinePolicy(within_ms=9_000, due_soon_ms=6_000)),
    approval("b", deadline=DeadlinePolicy(within_ms=5_000, escalate_after_ms=2_000)),
    step("c", deadline=DeadlinePolicy(within_ms=4_000)),
    step("d", deadline=DeadlinePolicy(within_ms=30_000)),
    step("end", after=("a", "b", "c", "d")),
)


def started() -> Scenario:
    run = Scenario(THREE)
    run.start()
    return run


def test_the_most_urgent_comes_first() -> None:
    """Escalated, overdue, due soon, on time; not simply what is due first."""
    found = run_deadlines(started().state, EPOCH + 7 * SECOND)

    assert [("escalated", "b"), ("overdue", "c"), ("due_soon", "a"), ("on_time", "d")] == [
        (one.deadline.status, one.deadline.node) for one in most_urgent_first(found[::-1])
    ]


def test_of_two_that_stand_alike_the_first_due_comes_first() -> None:
    """Early on it is the only order there is."""
    found = most_urgent_first(run_deadlines(started().state, EPOCH + 20 * SECOND, "overdue"))

    assert [("c", 4), ("a", 9)] == [
        (one.deadline.node, (one.deadline.due_at - EPOCH).seconds) for one in found
    ]
    early = most_urgent_first(run_deadlines(started().state, EPOCH)[::-1])
    assert ["c", "b", "a", "d"] == [one.deadline.node for one in early]


@pytest.mark.parametrize("status", URGENCY)
def test_only_those_that_stand_so_are_shown(status: DeadlineStatus) -> None:
    """Each with its run, which says how the most urgent one stands."""
    now = EPOCH + 7 * SECOND
    (found,) = run_deadlines(started().state, now, status)

    assert (status, RUN) == (found.deadline.status, found.run.id)
    assert found.run.deadline is not None
    assert "escalated" == found.run.deadline.status(now)


def test_a_run_that_is_over_has_none_on_the_board() -> None:
    """Whatever was late then."""
    run = started()
    run.cancel()

    assert () == run_deadlines(run.state, EPOCH + 7 * SECOND)


@given(histories(), st.integers(0, 200), st.sampled_from([None, *URGENCY]))
def test_every_deadline_is_found_where_the_board_looks(
    history: tuple[Entry, ...], seconds: int, status: DeadlineStatus | None
) -> None:
    """A run that holds one is in a place that is looked at, by what its row says."""
    state = fold(RunState(run_id=RUN), history)
    now = EPOCH + timedelta(seconds=seconds)
    first = first_thresholds(running_deadlines(state))
    held = {view.status for view in deadline_views(state, now)}

    if held and status in {None, *held}:
        assert first is not None
        assert first.status(now) in places_of(status)


def test_the_board_looks_first_where_nothing_is_worse() -> None:
    """Then in the runs that hold something worse, the most urgent of them first."""
    assert ("escalated", "overdue", "due_soon", "on_time") == tuple(places_of(None))
    assert ("due_soon", "escalated", "overdue") == tuple(places_of("due_soon"))
    assert ("escalated",) == tuple(places_of("escalated"))


# --- counts


def test_counts_are_put_together_by_workflow_and_in_all() -> None:
    """Zero is not said; workflows come by name."""
    runs: dict[tuple[str, RunStatus], int] = {
        ("orders", "running"): 3,
        ("mail", "running"): 1,
        ("orders", "failed"): 2,
    }
    late: dict[tuple[str, DeadlineStatus], int] = {("orders", "overdue"): 1, ("mail", "overdue"): 1}

    expected = Counts(
        at=EPOCH,
        runs={"running": 4, "failed": 2},
        deadlines={"overdue": 2},
        workflows=(
            WorkflowCounts(workflow="mail", runs={"running": 1}, deadlines={"overdue": 1}),
            WorkflowCounts(
                workflow="orders", runs={"running": 3, "failed": 2}, deadlines={"overdue": 1}
            ),
        ),
    )

    assert expected == counts(EPOCH, runs, late)
    assert Counts(at=EPOCH, runs={}, deadlines={}, workflows=()) == counts(EPOCH, {}, {})
