"""Notices: what an append tells hooks, and what there is to tell of deadlines."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.protocol.entries import Failure, ManualStepPaused, RunTerminal
from squidmesh_core.protocol.notices import Notice, NoticeRow, delivery_from_text
from squidmesh_core.state.fold import fold_run
from squidmesh_core.values import DeadlinePolicy
from squidmesh_core.views.deadlines import deadline_views
from squidmesh_core.views.notices import deadline_notices, notices
from support.entries import histories
from support.plays import plays
from support.scenario import BOOM, EPOCH, RUN, SECOND, Scenario
from support.workflows import approval, chain, pause, step, workflow

MINUTE = 60 * SECOND
LATE = DeadlinePolicy(within_ms=60_000, due_soon_ms=10_000, escalate_after_ms=30_000, target="ops")


def read(rows: tuple[NoticeRow, ...]) -> list[Notice]:
    """The notices that an adapter is given, as a worker will read them."""
    deliveries = [delivery_from_text(row.body) for row in rows]
    for row, delivery in zip(rows, deliveries, strict=True):
        assert delivery is not None
        assert (row.event, row.notice_id) == (delivery.notice.event, delivery.notice.id)
        assert (0, None, None) == (delivery.attempts, delivery.until, delivery.problem)
    return [one.notice for one in deliveries if one is not None]


def told(run: Scenario) -> list[Notice]:
    """What all appends of a run tell, in order."""
    return [
        notice
        for number, state in enumerate(run.states[1:])
        for notice in read(
            notices(
                [
                    entry
                    for entry in run.journal
                    if run.states[number].revision < entry.revision <= state.revision
                ],
                state,
            )
        )
    ]


def only(run: Scenario) -> Notice:
    """The one notice of a run."""
    (notice,) = told(run)
    return notice


@given(plays())
def test_each_end_and_each_gate_is_told_exactly_once(run: Scenario) -> None:
    """And nothing else is: starts, steps, holds, claims and heartbeats tell nobody."""
    expected = []
    for entry in run.journal:
        if isinstance(entry, RunTerminal):
            expected.append((entry.revision, f"run_{entry.status}"))
            expected += [(entry.revision, "compensation_failed")] * bool(entry.recovery)
        elif isinstance(entry, ManualStepPaused) and entry.kind != "hold":
            expected.append((entry.revision, "gate_opened"))

    found = told(run)

    assert [f"{RUN}:{revision}:{event}" for revision, event in expected] == [
        one.id for one in found
    ]
    assert [event for _, event in expected] == [one.event for one in found]
    assert len(found) == len({one.id for one in found})


@given(histories())
def test_any_history_can_be_told(entries: list[object]) -> None:
    """An entry that does not fit its run hinders nobody."""
    state = fold_run(RUN, entries)  # type: ignore[arg-type]  # what `histories` draws

    read(notices(entries, state))  # type: ignore[arg-type]  # the same


def test_a_failed_run_tells_what_failed() -> None:
    """The step, the kind of the error and its code; never its message or its details."""
    run = Scenario(chain(step("a")))
    run.start()
    secret = Failure(kind="CardDeclined", message="4242", code="declined", details={"pan": "4242"})
    run.fail(run.claim("a"), secret, retryable=False)

    notice = only(run)

    assert notice == Notice(
        id=f"{RUN}:{run.state.revision}:run_failed",
        event="run_failed",
        run_id=RUN,
        workflow="orders",
        at=EPOCH,
        node=run.journal[-1].step if isinstance(run.journal[-1], RunTerminal) else None,
        error="CardDeclined",
        code="declined",
        attempt=0,
    )
    assert "a" == notice.node
    assert "4242" not in repr(notices(run.journal, run.state))


def test_a_completed_run_is_told() -> None:
    """Without an error, and without a step."""
    run = Scenario(chain(step("a")))
    run.start()
    run.perform("a", "secret")

    notice = only(run)

    assert ("run_completed", None, None, None) == (
        notice.event,
        notice.node,
        notice.error,
        notice.code,
    )


def test_a_cancelled_run_is_told() -> None:
    """Once, whoever cancelled it."""
    run = Scenario(chain(step("a")))
    run.start()
    run.cancel()

    assert "run_cancelled" == only(run).event


def test_what_was_not_undone_is_told_beside_the_end() -> None:
    """With the first step that stays done, and why."""
    run = Scenario(chain(step("a", compensate=True), step("b")))
    run.start()
    run.perform("a")
    run.fail(run.claim("b"), BOOM, retryable=False)
    undo = run.claim("a")
    run.fail(undo, Failure(kind="Boom", message="secret", code="E1"), retryable=False)

    failed, left = told(run)

    assert ("run_failed", "b") == (failed.event, failed.node)
    assert ("compensation_failed", "a") == (left.event, left.node)
    assert ("compensation_failed", "E1") == (left.error, left.code)


def test_a_gate_that_opens_is_told_and_a_hold_is_not() -> None:
    """Whoever holds a run knows of it."""
    run = Scenario(workflow(pause("wait_here")))
    run.start()
    run.hold()

    assert ("gate_opened", "wait_here") == (only(run).event, only(run).node)


def test_each_threshold_of_a_deadline_is_told_of() -> None:
    """At its instant, with the target, under one id for as long as the deadline runs."""
    run = Scenario(workflow(approval("ok", deadline=LATE)))
    run.start()

    found = deadline_notices(run.state, EPOCH)

    assert [
        ("deadline_due_soon", EPOCH + 50 * SECOND),
        ("deadline_overdue", EPOCH + MINUTE),
        ("deadline_escalated", EPOCH + MINUTE + 30 * SECOND),
    ] == [(one.event, one.at) for one in found]
    assert {("ok", "ops", RUN, "orders")} == {
        (one.node, one.target, one.run_id, one.workflow) for one in found
    }
    run.time_passes(MINUTE)
    run.hold()
    assert found == deadline_notices(run.state, run.now)
    assert all(one.id.startswith(f"{RUN}:ok:") for one in found)
    assert 3 == len({one.id for one in found})


def test_a_deadline_without_warnings_is_told_when_it_is_due() -> None:
    """And once it is over, or its run is, nothing is."""
    run = Scenario(workflow(approval("ok", deadline=DeadlinePolicy(within_ms=60_000))))
    run.start()

    assert ["deadline_overdue"] == [one.event for one in deadline_notices(run.state, EPOCH)]
    run.approve()
    assert () == deadline_notices(run.state, EPOCH)


@given(plays(), st.integers(0, 10_000))
def test_thresholds_that_have_passed_are_how_deadlines_stand(run: Scenario, seconds: int) -> None:
    """One that is late has passed what it is late by; what comes has not."""
    now = run.now + timedelta(seconds=seconds)
    passed = {one.id for one in deadline_notices(run.state, now) if one.at <= now}

    late = [one for one in deadline_views(run.state, now) if one.status != "on_time"]

    for one in late:
        assert any(
            notice.startswith(f"{one.visit_key}:") and notice.endswith(f":deadline_{one.status}")
            for notice in passed
        )
    assert bool(passed) == bool(late)
