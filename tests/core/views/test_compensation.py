"""What inspection and the index show of a run that undoes its steps, and of one that did."""

from squidmesh_core.ids import NodeName, VisitKey
from squidmesh_core.protocol.entries import Unrecovered
from squidmesh_core.values import RetryPolicy
from squidmesh_core.views.index import attempt_rows, changes, run_row
from squidmesh_core.views.inspection import Snapshot, snapshot
from squidmesh_core.views.waiting import CompensationView, UndoView
from support.replays import recompensated, replayed
from support.scenario import BOOM, EPOCH, LEASE, RUN, SECOND, Scenario
from support.workflows import chain, route, step, workflow

ONCE = RetryPolicy(max_attempts=1)
TRIP = workflow(
    step("flight", compensate=True),
    step("hotel", compensate=True, compensate_retry=ONCE),
    step("car", compensate=True, compensate_retry=ONCE),
    step("pay"),
    step("mail"),
    step("end", after=("flight", "hotel", "car", "pay", "mail")),
)


def seen(run: Scenario) -> Snapshot:
    return snapshot(run.state, run.spec, run.now)


def view(run: Scenario) -> CompensationView:
    found = seen(run).compensation
    assert found is not None
    return found


def steps(run: Scenario) -> list[tuple[str, str]]:
    return [(undo.node, undo.status) for undo in view(run).steps]


def turned() -> Scenario:
    """Three are done, `pay` has failed, a second later."""
    run = Scenario(TRIP)
    run.start()
    for name in ("flight", "hotel", "car"):
        run.perform(name)
    held = run.claim("pay")
    run.time_passes(SECOND)
    run.fail(held)
    return run


def test_run_that_goes_forward_shows_nothing() -> None:
    """Also after an end without compensation."""
    run = Scenario(TRIP)
    run.start()
    run.perform("flight")
    forward = seen(run).compensation
    run.cancel()

    assert (None, None) == (forward, seen(run).compensation)


def test_why_since_when_and_what() -> None:
    """The cause, the failure and whose it is; the visits in the order they are undone."""
    run = turned()

    assert CompensationView(
        cause="failure",
        started_at=EPOCH + SECOND,
        failure=BOOM,
        node=NodeName("pay"),
        steps=(
            UndoView(node=NodeName("car"), visit_key=VisitKey(f"{RUN}:car"), status="pending"),
            UndoView(node=NodeName("hotel"), visit_key=VisitKey(f"{RUN}:hotel"), status="pending"),
            UndoView(
                node=NodeName("flight"), visit_key=VisitKey(f"{RUN}:flight"), status="pending"
            ),
        ),
    ) == view(run)
    assert ("compensating", "compensating") == (seen(run).status, seen(run).reason)


def test_progress_is_seen_step_by_step() -> None:
    """Done, failed, to come."""
    run = turned()
    run.undo("car")
    run.fail(run.claim("hotel"))

    assert [("car", "compensated"), ("hotel", "failed"), ("flight", "pending")] == steps(run)


def test_a_callback_runs_only_while_somebody_holds_it() -> None:
    """Due it is pending, and retrying once it has failed and has tries left."""
    run = turned()
    run.undo("car")
    run.undo("hotel")
    told = [steps(run)]
    claim = run.claim("flight")
    told.append(steps(run))
    run.fail(claim)
    told.append(steps(run))

    assert ["pending", "running", "retrying"] == [dict(one)["flight"] for one in told]


def test_nothing_runs_while_siblings_are_waited_for() -> None:
    """All that is done is pending; what is lost meanwhile is in doubt."""
    run = Scenario(TRIP)
    run.start()
    run.perform("flight")
    car = run.claim("car")
    mail = run.claim("mail")
    run.fail(run.claim("pay"))
    assert [("flight", "pending")] == steps(run)
    run.fail(mail)
    assert [("flight", "pending"), ("mail", "effect_unknown")] == steps(run)
    run.complete(car)

    assert [("car", "pending"), ("flight", "pending"), ("mail", "effect_unknown")] == steps(run)


def test_end_keeps_what_was_undone_and_lists_the_rest() -> None:
    """The recovery list is that of the journal."""
    run = turned()
    run.undo("car")
    run.fail(run.claim("hotel"))
    run.cancel(abandon=True)

    assert [("car", "compensated"), ("hotel", "failed")] == steps(run)
    assert (
        Unrecovered(
            visit_key=VisitKey(f"{RUN}:flight"), step=NodeName("flight"), reason="abandoned"
        ),
        Unrecovered(
            visit_key=VisitKey(f"{RUN}:hotel"),
            step=NodeName("hotel"),
            reason="compensation_failed",
            error=BOOM,
        ),
    ) == view(run).recovery


def test_cancel_shows_as_the_cause() -> None:
    """Without a failure and without a node."""
    run = Scenario(TRIP)
    run.start()
    run.perform("flight")
    run.cancel(compensate=True)

    assert ("cancel", None, None) == (view(run).cause, view(run).failure, view(run).node)


def test_steps_stay_completed_while_they_are_undone() -> None:
    """A callback is an attempt of its own kind; it does not change what its step was."""
    run = turned()
    by_name = {found.name: found for found in seen(run).steps}
    callback = next(a for a in seen(run).attempts if a.kind == "compensation")

    assert ("completed", "failed", "waiting") == (
        by_name[NodeName("car")].status,
        by_name[NodeName("pay")].status,
        by_name[NodeName("end")].status,
    )
    assert ("car", f"{RUN}:compensate:car:1") == (callback.node, callback.key)
    assert 1 == by_name[NodeName("car")].visits


def test_a_retry_shows_what_it_has_to_undo() -> None:
    """From its first append on."""
    run = turned()
    run.fail(run.claim("car"))
    run.fail(run.claim("hotel"))
    run.undo("flight")
    again = recompensated(run)

    assert [("car", "pending"), ("hotel", "pending")] == steps(again)


def test_reused_steps_show_as_they_were() -> None:
    """Completed where there was a result, failed where the failure was routed away."""
    spec = workflow(
        step("call"),
        step("ask"),
        step("ship"),
        routes=(route("call", "ask", on="error"), route("ask", "ship")),
    )
    run = Scenario(spec)
    run.start()
    run.fail(run.claim("call"))
    run.perform("ask")
    run.perform("ship")
    again = replayed(run, from_step="ship")

    assert [("call", "failed"), ("ask", "completed"), ("ship", "pending")] == [
        (found.name, found.status) for found in seen(again).steps
    ]


# --- the index


def test_index_lists_the_callback_and_the_status() -> None:
    """What is withdrawn goes, the callback comes, the run is compensating."""
    run = turned()
    changed = changes(run.states[-2], run.states[-1], run.spec)

    assert changed.run is not None
    assert "compensating" == changed.run.status
    assert [(f"{RUN}:compensate:car:1", "undo.car")] == [
        (row.attempt_key, row.action) for row in changed.put
    ]
    assert {f"{RUN}:mail:1", f"{RUN}:pay:1"} == set(changed.drop)


def test_index_keeps_siblings_to_be_found() -> None:
    """Whoever is at work when the run turns round is still found once its lease is past."""
    run = Scenario(TRIP)
    run.start()
    run.perform("flight")
    run.claim("mail")
    run.fail(run.claim("pay"))

    assert [(f"{RUN}:mail:1", run.now + LEASE)] == [
        (row.attempt_key, row.held_until) for row in attempt_rows(run.state)
    ]


def test_index_names_where_a_run_comes_from() -> None:
    """The source and the node that a fork began at."""
    run = Scenario(chain(step("pick"), step("ship")))
    run.start()
    run.perform("pick")
    run.cancel()
    row = run_row(replayed(run, from_step="ship").state)

    assert row is not None
    assert (RUN, "ship") == (row.replayed_from, row.forked_at)
