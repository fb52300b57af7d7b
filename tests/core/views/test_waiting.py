"""What inspection and the index show of a run that waits for people and messages."""

from datetime import datetime, timedelta

import pytest
from attrs import evolve

from squidmesh_core.definition.spec import Field, Node
from squidmesh_core.ids import NodeName, visit_key
from squidmesh_core.plan.deadline import Due
from squidmesh_core.protocol.rows import CorrelationRow, RowChanges
from squidmesh_core.values import DeadlinePolicy, FromPath
from squidmesh_core.views.index import attempt_rows, changes, correlation_rows, run_row
from squidmesh_core.views.inspection import Snapshot, snapshot
from squidmesh_core.views.waiting import AwaitedView, GateView
from support.scenario import EPOCH, LEASE, RUN, SECOND, Scenario, a_cancel
from support.workflows import approval, chain, pause, receive, route, step, workflow

POLICY = DeadlinePolicy(within_ms=1_000)
ORDER = FromPath(path=("order",))


def seen(run: Scenario) -> Snapshot:
    return snapshot(run.state, run.spec, run.now)


def due(started_at: datetime) -> Due:
    """The deadline above, a second late."""
    return Due(
        status="overdue",
        started_at=started_at,
        due_at=started_at + SECOND,
        due_soon_at=None,
        escalated_at=None,
        remaining=-SECOND,
    )


def last_changes(run: Scenario) -> RowChanges:
    """What the newest append changes in the index."""
    return changes(run.states[-2], run.states[-1], run.spec)


def found(row: CorrelationRow) -> tuple[str, str, bool]:
    return row.node, row.correlation, row.open


# --- inspection


def test_a_message_without_correlation_is_found_by_its_run_alone() -> None:
    """The index has nothing to find it by."""
    run = Scenario(chain(receive("told"), step("b")))
    run.start()

    assert () == correlation_rows(run.state, run.spec)


def test_gate_is_shown_with_its_question_and_its_answers() -> None:
    """Who may answer sees what is asked, where it leads, what to fill in, and until when."""
    run = Scenario(
        workflow(
            approval(
                "ask",
                form=(Field(name="limit", type="integer"), Field(name="note", type="string")),
                deadline=POLICY,
                timeout_ms=90_000,
            ),
            step("ship"),
            routes=(route("ask", "ship"), route("ask", "complete", on="error")),
        )
    )
    run.start()
    run.time_passes(2 * SECOND)

    assert seen(run).gates == (
        GateView(
            kind="approval",
            opened_at=EPOCH,
            node=NodeName("ask"),
            visit_key=visit_key(RUN, NodeName("ask")),
            question="ask?",
            targets={"ok": "ship", "error": "complete"},
            form=("limit", "note"),
            deadline=due(EPOCH),
            times_out_at=EPOCH + timedelta(seconds=90),
        ),
    )


def test_hold_is_shown_before_the_gates() -> None:
    """It names no node; gates come in the order they opened."""
    run = Scenario(workflow(pause("look"), pause("count"), step("end", after=("look", "count"))))
    run.start()
    run.hold()
    hold, *gates = seen(run).gates

    assert GateView(kind="hold", opened_at=EPOCH) == hold
    assert ["look", "count"] == [gate.node for gate in gates]
    assert [None, None] == [gate.times_out_at for gate in gates]


def test_await_is_shown_with_what_it_is_found_by() -> None:
    """Since when, until when, and under which correlation."""
    run = Scenario(chain(receive("parcel", correlation=ORDER, deadline=POLICY, timeout_ms=90_000)))
    run.start({"order": "A-1"})
    run.time_passes(2 * SECOND)

    assert seen(run).awaited == (
        AwaitedView(
            node=NodeName("parcel"),
            visit_key=visit_key(RUN, NodeName("parcel")),
            since=EPOCH,
            correlation="A-1",
            deadline=due(EPOCH),
            times_out_at=EPOCH + timedelta(seconds=90),
        ),
    )


@pytest.mark.parametrize(
    ("node", "status", "reason", "shown"),
    [
        (pause("look"), "paused", "manual_intervention_required", "paused"),
        (approval("look"), "paused", "manual_intervention_required", "paused"),
        (receive("look"), "idle", "waiting_for_message", "pending"),
    ],
    ids=["pause", "approval", "receive"],
)
def test_run_says_what_it_waits_for(node: Node, status: str, reason: str, shown: str) -> None:
    """By its status, its reason, and the node it stands at."""
    run = Scenario(chain(node, step("ship")))
    run.start()
    view = seen(run)

    assert (status, reason) == (view.status, view.reason)
    assert (("look",), ("look",)) == (view.current, view.waiting_on)
    assert {"look": shown, "ship": "waiting"} == {s.name: s.status for s in view.steps}


def test_held_run_waits_for_a_person_first() -> None:
    """Whatever else it could do."""
    run = Scenario(chain(step("pick"), step("ship")))
    run.start()
    run.claim("pick")
    run.hold()
    run.time_passes(LEASE)

    assert "manual_intervention_required" == seen(run).reason


def test_answered_gate_is_completed() -> None:
    """So is a node whose message came; one that timed out has failed."""
    run = Scenario(
        workflow(
            pause("look"),
            receive("parcel"),
            pause("count", timeout_ms=1_000),
            step("ship"),
            routes=(
                route("look", "parcel"),
                route("parcel", "count"),
                route("count", "ship", on="timeout"),
            ),
        )
    )
    run.start()
    run.resume()
    run.send("parcel")
    run.time_passes(SECOND)
    run.strike("count")

    assert {
        "look": "completed",
        "parcel": "completed",
        "count": "failed",
        "ship": "running",
    } == {s.name: s.status for s in seen(run).steps}


@pytest.mark.parametrize("compensate", [None, "do.refund"])
def test_gate_whose_time_out_ended_the_run_has_failed(compensate: str | None) -> None:
    """Also while what was done before it is undone."""
    charge = evolve(step("charge"), compensate=compensate)
    run = Scenario(chain(charge, pause("look", timeout_ms=1_000)))
    run.start()
    run.perform("charge")
    run.time_passes(SECOND)
    run.strike("look")

    assert {"charge": "completed", "look": "failed"} == {s.name: s.status for s in seen(run).steps}


def test_ended_run_waits_for_nobody() -> None:
    """Neither gates nor awaits are shown."""
    run = Scenario(workflow(pause("look"), receive("parcel"), step("end", after=("look",))))
    run.start()
    run.hold()
    run.cancel()
    view = seen(run)

    assert ((), (), (), "terminal") == (view.gates, view.awaited, view.current, view.reason)


# --- index rows


def test_timer_has_a_row_like_an_attempt() -> None:
    """Without an action, so that any worker finds it when it is due."""
    run = Scenario(chain(pause("look", timeout_ms=1_000)))
    run.start(queue="bulk", priority=3)
    [row] = attempt_rows(run.state)

    assert (f"{RUN}:look:timeout", None, "bulk", 3) == (
        row.attempt_key,
        row.action,
        row.queue,
        row.priority,
    )
    assert (EPOCH + SECOND, None) == (row.visible_at, row.held_until)


def test_answer_drops_the_row_of_the_timer() -> None:
    """In the append of the answer."""
    run = Scenario(chain(pause("look", timeout_ms=1_000), step("ship")))
    run.start()
    run.resume()
    changed = last_changes(run)

    assert (f"{RUN}:look:timeout",) == changed.drop
    assert [f"{RUN}:ship:1"] == [row.attempt_key for row in changed.put]


def test_held_run_has_no_rows() -> None:
    """They go with the hold and come back when it is lifted, claimed ones as well."""
    run = Scenario(workflow(step("pick"), pause("look", timeout_ms=1_000), step("pack")))
    run.start()
    run.claim("pick")
    keys = {row.attempt_key for row in attempt_rows(run.state)}
    run.hold()
    gone = last_changes(run)
    assert (keys, (), ()) == ({*gone.drop}, gone.put, attempt_rows(run.state))
    run.resume()
    back = last_changes(run)

    assert ((), keys) == (back.drop, {row.attempt_key for row in back.put})


def test_result_under_a_hold_leaves_no_row() -> None:
    """What follows gets its row when the hold is lifted."""
    run = Scenario(chain(step("pick"), step("pack")))
    run.start()
    held = run.claim("pick")
    run.hold()
    run.complete(held)
    assert ((), ()) == (last_changes(run).put, attempt_rows(run.state))
    run.resume()

    assert [f"{RUN}:pack:1"] == [row.attempt_key for row in attempt_rows(run.state)]


def test_status_of_the_row_follows() -> None:
    """Paused and idle are listed facts."""
    run = Scenario(chain(pause("look"), receive("parcel"), step("ship")))
    run.start()
    run.resume()
    run.send("parcel")
    rows = [run_row(state) for state in run.states[1:]]

    assert ["paused", "idle", "running"] == [row.status for row in rows if row]


# --- correlations


def test_correlation_is_known_before_its_node_is_reached() -> None:
    """A message may come early, and finds the run."""
    run = Scenario(chain(step("pick"), receive("parcel", correlation=ORDER), step("ship")))
    run.start({"order": 7})

    assert correlation_rows(run.state, run.spec) == (
        CorrelationRow(run_id=RUN, workflow="orders", node="parcel", correlation="7", open=True),
    )


def test_correlation_stays_closed_behind_the_last_message() -> None:
    """A repetition is known for one, also after the end."""
    run = Scenario(chain(receive("parcel", correlation=ORDER), step("ship")))
    run.start({"order": "A-1"})
    run.send("parcel")
    shown = [[*map(found, correlation_rows(run.state, run.spec))]]
    run.perform("ship")
    shown.append([*map(found, correlation_rows(run.state, run.spec))])

    assert [[("parcel", "A-1", False)]] * 2 == shown


def test_kept_message_closes_the_correlation_of_a_node_to_come() -> None:
    """There is no room for a second; a repetition of the first still finds the run."""
    run = Scenario(chain(step("pick"), receive("parcel", correlation=ORDER), step("ship")))
    run.start({"order": "A-1"})
    run.send("parcel")
    shown = [[*map(found, correlation_rows(run.state, run.spec))]]
    run.decides(a_cancel())
    shown.append([*map(found, correlation_rows(run.state, run.spec))])

    assert [[("parcel", "A-1", False)]] * 2 == shown


def test_waiting_visit_is_found_by_what_it_was_bound_to() -> None:
    """A later result under the same key changes the next visit, not this one."""
    run = Scenario(
        workflow(
            receive("parcel", correlation=ORDER),
            step("pick", output="order"),
            step("ship", after=("parcel", "pick")),
        )
    )
    run.start({"order": "A-1"})
    run.perform("pick", "B-2")

    assert [("parcel", "A-1", True)] == [*map(found, correlation_rows(run.state, run.spec))]


@pytest.mark.parametrize("value", [[], None, True, ""])
def test_what_is_no_text_is_not_found(value: object) -> None:
    """Nor what is not there yet."""
    run = Scenario(chain(step("pick"), receive("parcel", correlation=ORDER), step("ship")))
    run.start({"order": value})
    other = Scenario(run.spec)
    other.start({})

    assert () == correlation_rows(run.state, run.spec) == correlation_rows(other.state, run.spec)


def test_undoing_and_ended_runs_are_not_open() -> None:
    """No message can be taken any more."""
    charge = evolve(step("charge"), compensate="do.refund")
    run = Scenario(workflow(charge, receive("parcel", correlation=ORDER, after=("charge",))))
    run.start({"order": "A-1"})
    run.perform("charge")
    run.decides(evolve(a_cancel(), compensate=True))
    assert [("parcel", "A-1", False)] == [*map(found, correlation_rows(run.state, run.spec))]
    run.perform("charge")

    assert [("parcel", "A-1", False)] == [*map(found, correlation_rows(run.state, run.spec))]


def test_correlations_are_written_only_when_they_change() -> None:
    """And never for a workflow that receives nothing."""
    run = Scenario(chain(step("pick"), receive("parcel", correlation=ORDER), step("ship")))
    run.start({"order": "A-1"})
    run.perform("pick")
    unheard = Scenario(chain(step("pick")))
    unheard.start({"order": "A-1"})

    assert changes(run.states[0], run.states[1], run.spec).correlations is not None
    assert last_changes(run).correlations is None
    assert last_changes(unheard).correlations is None
