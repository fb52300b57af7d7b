"""The audit of a run, its deadlines, and what is declared of its steps."""

from datetime import timedelta

from squidmesh_core.values import DeadlinePolicy, RecoveryPolicy
from squidmesh_core.views.deadlines import deadline_views
from squidmesh_core.views.history import audit_views
from squidmesh_core.views.inspection import snapshot
from squidmesh_core.views.steps import step_views
from support.explained.stages import begun
from support.scenario import EPOCH, SECOND, Scenario
from support.workflows import approval, pause, receive, route, step, wait

HOUR_MS = 3_600_000


def told(run: Scenario) -> list[tuple[str, str | None, object, str | None]]:
    """Event, node, who, where to."""
    return [(one.event, one.node, one.actor, one.target) for one in audit_views(run.state)]


def test_holds_and_answers_are_audited() -> None:
    """Who held, went on, said yes, and where that led; in the order of the journal."""
    run = begun(pause("count"), approval("review"), step("ship"))
    run.hold(actor="olga")
    run.resume(actor="sam")
    run.resume("count", actor="olga")
    run.approve(actor="ida")

    assert [
        ("paused", None, "olga", None),
        ("resumed", None, "sam", None),
        ("resumed", "count", "olga", "review"),
        ("approved", "review", "ida", "ship"),
    ] == told(run)
    assert [EPOCH] * 4 == [one.at for one in audit_views(run.state)]
    assert audit_views(run.state) == snapshot(run.state, run.spec, run.now).audit


def test_a_no_that_leads_nowhere_has_no_target() -> None:
    """The run failed of it."""
    run = begun(step("pick"), approval("review", after=("pick",)))
    run.perform("pick")
    run.reject(actor="ida")

    assert [("rejected", "review", "ida", None)] == told(run)


def test_recoveries_are_audited() -> None:
    """An error route with a marker, by nobody."""
    run = begun(
        step("charge"),
        step("apology"),
        step("amends"),
        routes=(
            route("charge", "apology", on="error", recovery="compensation"),
            route("apology", "amends", on="error", recovery="undo"),
        ),
    )
    run.fail(run.claim("charge"), retryable=False)
    run.fail(run.claim("apology"), retryable=False)

    assert [
        ("compensation_routed", "charge", None, "apology"),
        ("undo_routed", "apology", None, "amends"),
    ] == told(run)


def test_a_cancel_is_audited() -> None:
    """With who gave it; the step it cut off is none of its business."""
    run = begun(step("pick"), step("ship"))
    run.perform("pick")
    run.cancel()

    assert [("cancelled", None, "olga", None)] == told(run)


def test_deadlines_are_listed_the_soonest_first() -> None:
    """Those of steps, gates and messages alike; a hold has none."""
    soon = DeadlinePolicy(within_ms=HOUR_MS, escalation="operator_action", target="ops")
    late = DeadlinePolicy(within_ms=2 * HOUR_MS)
    run = begun(
        step("pick"),
        step("pack", after=("pick",), deadline=late),
        approval("price", after=("pick",), deadline=soon),
        receive("paid", after=("pick",)),
    )
    run.perform("pick")
    run.hold()
    found = deadline_views(run.state, run.now + timedelta(hours=1, seconds=1))

    assert [("price", "overdue"), ("pack", "on_time")] == [(one.node, one.status) for one in found]
    assert ("operator_action", "ops", -SECOND) == (
        found[0].escalation,
        found[0].target,
        found[0].remaining,
    )
    assert -1_000 == found[0].to_dict()["remaining_ms"]


def test_a_run_that_is_over_has_no_deadlines() -> None:
    """Nothing is late any more."""
    run = begun(step("pick", deadline=DeadlinePolicy(within_ms=1)), step("ship"))
    run.claim("pick")
    run.cancel()

    assert () == deadline_views(run.state, run.now)


def test_steps_say_how_they_are_undone_and_what_they_wait_for() -> None:
    """As the definition has it, in its order; what is no step has no recovery."""
    run = begun(
        step("pick", compensate=True),
        step("ship", irreversible=True, compensatable=False),
        wait("rest", 1_000),
        step("tell", after=("pick", "rest")),
    )
    run.perform("pick")
    pick, ship, rest, tell = step_views(run.state, run.spec)

    assert ("undo.pick", "undo.pick") == (pick.undo, pick.recovery and pick.recovery.compensate)
    assert RecoveryPolicy(irreversible=True, compensatable=False) == ship.recovery
    assert (None, None) == (rest.recovery, rest.undo)
    assert RecoveryPolicy() == tell.recovery
    assert (("pick", "rest"), ("rest",)) == (tell.after, tell.waits_for)
