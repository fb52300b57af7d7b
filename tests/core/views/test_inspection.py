"""What inspection says of a run at work: why it is where it is, and how each node stands."""

from datetime import timedelta

import pytest
from attrs import asdict, evolve, fields

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import Fingerprint, NodeName, Revision, RunId
from squidmesh_core.protocol.commands import Heartbeat, Receipted, Resume
from squidmesh_core.protocol.entries import Failure, RunSignalReceived, RunStarted
from squidmesh_core.protocol.rows import Head, RunRow
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.values import DeadlinePolicy, Exponential, FromPath, RetryPolicy, Thresholds
from squidmesh_core.views.history import CommandView
from squidmesh_core.views.inspection import Snapshot, run_of, run_view, snapshot
from support.scenario import BOOM, EPOCH, LEASE, RUN, SECOND, Scenario, milliseconds
from support.workflows import chain, diamond, pause, receive, route, step, wait, workflow

LATER = RetryPolicy(
    max_attempts=2,
    backoff=Exponential(min_ms=milliseconds(SECOND), max_ms=milliseconds(SECOND)),
)


def seen(run: Scenario, *, history: bool = False) -> Snapshot:
    return snapshot(run.state, run.spec, run.now, history=history)


def statuses(run: Scenario) -> dict[str, str]:
    return {step.name: step.status for step in seen(run).steps}


def started(spec: Spec) -> Scenario:
    run = Scenario(spec)
    run.start()
    return run


# --- why a run is where it is


def test_a_step_that_may_be_taken_is_the_reason() -> None:
    """Nobody has it, and nothing has to pass."""
    run = started(chain(step("a"), step("b")))

    assert "attempt_visible" == seen(run).reason
    assert (f"{RUN}:a:1",) == seen(run).visible
    assert ("a",) == seen(run).waiting_on == seen(run).current


def test_a_step_at_work_is_the_reason_until_its_lease_ends() -> None:
    """At the very end of a lease it is expired, and its claim is listed."""
    run = started(chain(step("a"), step("b")))
    run.claim("a")

    assert ("attempt_claimed", ()) == (seen(run).reason, seen(run).expired_claims)
    assert ("a",) == seen(run).current
    assert () == seen(run).waiting_on

    run.time_passes(LEASE)

    assert ("expired_claim", (f"{RUN}:a:1",)) == (seen(run).reason, seen(run).expired_claims)
    assert () == seen(run).visible


def test_a_wait_is_scheduled_for_later() -> None:
    """The next instant at which something may be taken is named."""
    run = started(chain(wait("rest", 1_000), step("b")))

    assert "attempt_scheduled_for_later" == seen(run).reason
    assert (f"{RUN}:rest:1",) == seen(run).scheduled
    assert EPOCH + SECOND == seen(run).next_visible_at

    run.time_passes(SECOND)

    assert ("attempt_visible", (), None) == (
        seen(run).reason,
        seen(run).scheduled,
        seen(run).next_visible_at,
    )


def test_what_is_scheduled_is_listed_in_the_order_of_time() -> None:
    """The earliest first, equal instants by key."""
    run = started(
        workflow(
            wait("late", 3_000),
            wait("z", 1_000),
            wait("c", 1_000),
            step("end", after=("late", "z", "c")),
        )
    )

    assert [f"{RUN}:{name}:1" for name in ("c", "z", "late")] == list(seen(run).scheduled)
    assert EPOCH + SECOND == seen(run).next_visible_at


def test_a_deferred_step_is_a_continuation() -> None:
    """It is the same work, later."""
    run = started(chain(step("a"), step("b")))
    run.defer(run.claim("a"), delay_ms=1_000)

    assert ("deferred_continuation", "deferred") == (seen(run).reason, statuses(run)["a"])


def test_a_half_done_join_is_the_reason() -> None:
    """One branch is in, the other is at work."""
    run = started(diamond())
    run.perform("pick")
    run.perform("pack")
    run.claim("bill")

    assert "waiting_for_join" == seen(run).reason
    assert {
        "pick": "completed",
        "pack": "completed",
        "bill": "running",
        "ship": "waiting",
    } == statuses(run)


def test_a_join_of_which_nothing_is_done_is_no_reason() -> None:
    """Both branches are at work."""
    run = started(diamond())
    run.perform("pick")
    run.claim("pack")
    run.claim("bill")

    assert "attempt_claimed" == seen(run).reason


def test_a_claim_comes_before_what_is_scheduled() -> None:
    """Somebody works, while a wait goes on beside it."""
    run = started(workflow(step("a"), wait("rest", 90_000), step("c", after=("a", "rest"))))
    run.claim("a")

    assert "attempt_claimed" == seen(run).reason


def test_a_gate_a_message_and_the_end_are_reasons() -> None:
    """People first, then messages; at the end nothing else counts."""
    run = started(chain(pause("ask"), receive("told"), step("c")))
    asked, asked_statuses = seen(run), statuses(run)
    run.resume("ask")
    told, told_statuses = seen(run), statuses(run)
    run.cancel()

    assert ["manual_intervention_required", "waiting_for_message", "terminal"] == [
        asked.reason,
        told.reason,
        seen(run).reason,
    ]
    assert (("ask",), ("told",), ()) == (asked.current, told.current, seen(run).waiting_on)
    assert {"ask": "paused", "told": "waiting", "c": "waiting"} == asked_statuses
    assert {"ask": "completed", "told": "pending", "c": "waiting"} == told_statuses
    assert (False, True) == (told.terminal, seen(run).terminal)


def test_a_run_that_is_undone_says_so() -> None:
    """Whatever else is live."""
    run = started(chain(step("a", compensate=True), step("b")))
    run.perform("a")
    run.fail(run.claim("b"))

    assert "compensating" == seen(run).reason
    assert {"a": "completed", "b": "failed"} == statuses(run)


def test_a_run_without_anything_live_is_idle() -> None:
    """It cannot come about by commands; a damaged journal may hold it."""
    run = started(chain(step("a"), step("b")))
    begun = evolve(run.state, live={})
    run.perform("a")
    under_way = evolve(run.state, live={})

    assert ["run_started", "idle"] == [
        snapshot(state, run.spec, run.now).reason for state in (begun, under_way)
    ]


# --- how its nodes stand


def test_a_step_goes_from_pending_to_completed() -> None:
    """Pending, running, retrying, running again, completed."""
    run = started(chain(step("a", retry=LATER), step("b")))
    passed = [statuses(run)["a"]]
    held = run.claim("a")
    passed.append(statuses(run)["a"])
    run.fail(held)
    passed.append(statuses(run)["a"])
    run.time_passes(SECOND)
    held = run.claim("a")
    passed.append(statuses(run)["a"])
    run.complete(held)
    passed.append(statuses(run)["a"])

    assert ["pending", "running", "retrying", "running", "completed"] == passed


def test_a_step_that_failed_stays_failed() -> None:
    """Also when the run goes on by its error route."""
    run = started(workflow(step("a"), step("b"), step("c"), routes=(route("a", "b", on="error"),)))
    run.fail(run.claim("a"))

    assert {"a": "failed", "b": "pending", "c": "waiting"} == statuses(run)


def test_a_step_whose_input_is_missing_is_blamed_by_the_end() -> None:
    """It was never entered, and still it is what failed."""
    run = started(chain(step("a"), step("b", input={"x": FromPath(path=("nothing",))})))
    run.perform("a")

    assert {"a": "completed", "b": "failed"} == statuses(run)
    assert ("b", "missing_input_path") == (
        seen(run).failed_step,
        (seen(run).error or Failure(kind="none")).kind,
    )


def test_the_newest_visit_counts() -> None:
    """A loop that came round once is at work again, although it was completed."""
    run = started(
        workflow(
            step("a", max_visits=2),
            step("b"),
            routes=(route("a", "b"), route("b", "a")),
        )
    )
    run.perform("a")
    run.perform("b")

    assert {"a": "pending", "b": "completed"} == statuses(run)
    assert [2, 1] == [step.visits for step in seen(run).steps]


def test_nodes_are_shown_with_their_kind_and_what_they_come_after() -> None:
    """As the definition has them."""
    run = started(workflow(step("a"), wait("rest", 1_000, after=("a",))))

    assert [("a", "step", ()), ("rest", "wait", ("a",))] == [
        (node.name, node.kind, node.after) for node in seen(run).steps
    ]


# --- its attempts


def test_attempts_are_shown_with_their_claims() -> None:
    """Who has it, since when it is late, and how often it was handed out."""
    late = DeadlinePolicy(within_ms=1_000)
    run = started(chain(step("a", deadline=late, retry=LATER), step("b")))
    held = run.claim("a", by="ben")
    run.time_passes(2 * SECOND)
    (shown,) = seen(run).attempts

    assert (f"{RUN}:a:1", "a", 1, 1, "claimed") == (
        shown.key,
        shown.node,
        shown.number,
        shown.visit,
        shown.status,
    )
    assert (held.claim_id, "ben", EPOCH + LEASE, 1) == (
        shown.claim_id,
        shown.owner,
        shown.lease_until,
        shown.deliveries,
    )
    assert shown.deadline is not None
    assert "overdue" == shown.deadline.status


def test_attempts_are_shown_in_the_order_of_their_birth() -> None:
    """A retry stands after what it repeats."""
    run = started(workflow(step("a", retry=LATER), step("b"), step("c", after=("a", "b"))))
    run.fail(run.claim("a"))

    assert [f"{RUN}:a:1", f"{RUN}:a:2", f"{RUN}:b:1"] == [a.key for a in seen(run).attempts]


def test_values_are_shown_on_request() -> None:
    """Inputs, outputs and errors may be large or private; by default only that they are."""
    run = started(workflow(step("a", output="out"), step("b"), step("c", after=("a", "b"))))
    run.perform("a", [1])
    run.fail(run.claim("b"))

    assert [(None, None, None)] * 2 == [
        (attempt.input, attempt.output, attempt.error) for attempt in seen(run).attempts
    ]
    assert [({}, [1], None), ({}, None, BOOM)] == [
        (attempt.input, attempt.output, attempt.error)
        for attempt in seen(run, history=True).attempts
    ]


# --- the whole


def test_a_snapshot_names_its_run() -> None:
    """Id, status, context, what was applied, and the revision it is of."""
    run = started(chain(step("a", output="out"), step("b")))
    run.perform("a", 7)
    whole = seen(run)

    assert (RUN, "running", {"out": 7}, ("a",)) == (
        whole.id,
        whole.status,
        whole.context,
        whole.applied,
    )
    assert run.state.revision == whole.at_revision == whole.run.revision
    assert (None, None, False) == (whole.error, whole.failed_step, whole.terminal)


def test_commands_are_listed_with_who_gave_them() -> None:
    """The history of what people did, with everything that they said."""
    run = started(chain(pause("ask"), step("b")))
    said = Receipted(actor="ida", comment="fine", metadata={"from": "desk"}, key="k1")
    run.decides(Resume(node="ask", said=said, digest="as asked"))
    receipts = run.entries(RunSignalReceived)

    assert (
        CommandView(
            revision=receipts[-1].revision,
            command="resume",
            at=EPOCH,
            actor="ida",
            comment="fine",
            idempotency_key="k1",
            metadata={"from": "desk"},
        )
        == seen(run).command_history[-1]
    )


def test_what_does_not_fit_is_shown() -> None:
    """With the input that the run began with, for whoever has to find out."""
    run = Scenario(chain(step("a"), step("b")))
    run.start({"order": 7})
    (begun,) = run.entries(RunStarted)
    shown = snapshot(fold(run.state, [begun]), run.spec, run.now)

    assert {"order": 7} == shown.input
    assert ["RunStarted"] == [anomaly.entry_type for anomaly in shown.anomalies]


def test_nothing_of_an_ended_run_is_open() -> None:
    """What was at work when it was cancelled is no longer expected back."""
    run = started(chain(step("a"), step("b")))
    run.claim("a")
    run.cancel()
    run.time_passes(LEASE)

    assert ((), (), ()) == (seen(run).current, seen(run).expired_claims, seen(run).visible)


def test_progress_and_keys_are_shown_with_their_attempt() -> None:
    """What a worker last said of itself, and what it hands to the outside."""
    run = started(chain(step("a"), step("b")))
    held = run.claim("a")
    run.decides(Heartbeat(held=held, lease_ms=1_000, progress={"done": 3}))
    (shown,) = seen(run).attempts

    assert ({"done": 3}, f"{RUN}:a:1", EPOCH) == (
        shown.progress,
        shown.idempotency_key,
        shown.visible_at,
    )


def test_a_run_is_shown_with_all_that_its_row_says() -> None:
    """Nothing of the row is lost, and what the row cannot know is said beside it."""
    row = RunRow(
        run_id=RUN,
        workflow="orders",
        version="v1",
        fingerprint=Fingerprint("f" * 64),
        trigger="placed",
        status="running",
        queue="slow",
        priority=7,
        tags=("vip",),
        key="k1",
        partition_key="eu",
        created_at=EPOCH,
        parent=RunId("parent"),
        replayed_from=RunId("source"),
        forked_at=NodeName("ship"),
        error="Boom: it broke",
        deadline=Thresholds(due_at=EPOCH, due_soon_at=EPOCH - SECOND),
    )
    head = Head(revision=Revision(9), hash="", at=EPOCH + LEASE)
    plain = run_view(row, head)
    marked = run_view(row, head, duplicate=True, quarantined="torn", newer=True)

    assert asdict(row, recurse=False) == {
        "run_id" if name == "id" else name: value
        for name, value in asdict(plain, recurse=False).items()
        if name in {"id", *(member.name for member in fields(RunRow))}
    }
    assert (Revision(9), EPOCH + LEASE) == (plain.revision, plain.updated_at)
    assert (False, None, False) == (plain.duplicate, plain.quarantined, plain.newer)
    assert (True, "torn", True) == (marked.duplicate, marked.quarantined, marked.newer)
    assert None is run_view(evolve(row, ended_at=EPOCH + SECOND), head).deadline
    assert EPOCH + SECOND == run_view(evolve(row, ended_at=EPOCH + SECOND), head).ended_at
    assert not run_of(started(chain(step("a"), step("b"))).state).duplicate


def test_a_run_ends_when_its_last_entry_says() -> None:
    """Created, updated and ended are instants of the journal."""
    run = started(chain(step("a"), step("b")))
    run.time_passes(timedelta(hours=1))
    run.cancel()
    shown = run_of(run.state, duplicate=True)

    assert (EPOCH, EPOCH + timedelta(hours=1)) == (shown.created_at, shown.ended_at)
    assert (shown.ended_at, True, "cancelled") == (shown.updated_at, shown.duplicate, shown.status)
    assert ("orders", "placed", "default", 0) == (
        shown.workflow,
        shown.trigger,
        shown.queue,
        shown.priority,
    )


def test_a_journal_without_a_start_is_no_run() -> None:
    """It is damage, and says so."""
    with pytest.raises(ValueError, match="holds no run_started"):
        run_of(RunState(run_id=RUN))


def test_a_node_that_was_never_entered_waits() -> None:
    """And its number of visits is none."""
    run = started(chain(step("a"), step("b")))

    assert (NodeName("b"), "waiting", 0) == (
        seen(run).steps[1].name,
        seen(run).steps[1].status,
        seen(run).steps[1].visits,
    )
