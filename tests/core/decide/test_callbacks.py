"""Callbacks: what each is given, where it goes, and what becomes of one that fails (protocol §5)."""

from datetime import timedelta

from squidmesh_core.decide.claim import MOST_DELIVERIES
from squidmesh_core.ids import AttemptKey, NodeName
from squidmesh_core.protocol.commands import Claim, Complete, Defer, Fail, Heartbeat
from squidmesh_core.protocol.entries import (
    AttemptFailed,
    AttemptScheduled,
    InputUndo,
    StepApplied,
    Unrecovered,
)
from squidmesh_core.values import Exponential, RetryPolicy
from support.scenario import BOOM, EPOCH, LEASE, RUN, SECOND, Scenario, milliseconds
from support.trips import BANG, ONCE, due, ended, failed, kinds, trip, visit
from support.workflows import chain, step

# --- what a callback is given


def test_callback_gets_what_its_step_got_and_gave() -> None:
    """Input, output and why; the key it hands to the outside is that of its visit."""
    run = failed(trip(), "flight", "hotel", step="pay")
    attempt = run.attempt("hotel")

    assert InputUndo(visit_key=visit("hotel")) == attempt.intent.input
    assert {
        "input": {"amount": 5, "flight": "flight done"},
        "output": "hotel done",
        "failure": {"kind": "Boom", "message": "it broke", "code": None, "details": {}},
    } == attempt.input
    assert (
        visit("compensate:hotel"),
        AttemptKey(f"{RUN}:compensate:hotel:1"),
        f"{RUN}:compensate:hotel:1",
        "undo.hotel",
        "compensation",
    ) == (
        attempt.intent.visit_key,
        attempt.key,
        attempt.intent.idempotency_key,
        attempt.intent.action,
        attempt.intent.kind,
    )


def test_output_of_a_callback_does_not_enter_the_context() -> None:
    """It is in the journal, and nowhere else."""
    run = failed(trip(), "flight", step="hotel")
    before = run.state.context
    run.undo("flight", {"refund": 5})
    applied = run.entries(StepApplied)[-1]

    assert before == run.state.context
    assert {} == run.state.unapplied
    assert (visit("compensate:flight"), None, None) == (
        applied.visit_key,
        applied.output,
        applied.transition,
    )
    assert {visit("flight"): "compensated"} == run.state.saga.undone


def test_callback_goes_where_its_step_goes() -> None:
    """Queue and priority are the step's, else the run's."""
    spec = chain(
        step("flight", compensate=True, queue="air", priority=-3),
        step("hotel", compensate=True),
        step("pay"),
    )
    run = Scenario(spec)
    run.start(queue="bulk", priority=7)
    run.perform("flight")
    run.perform("hotel")
    run.fail(run.claim("pay"))
    hotel = run.attempt("hotel").intent
    run.undo("hotel")
    flight = run.attempt("flight").intent

    assert [("bulk", 7), ("air", -3)] == [(i.queue, i.priority) for i in (hotel, flight)]


def test_worker_goes_on_with_the_callback() -> None:
    """A worker that failed with a free slot claims the callback in the same append."""
    run = Scenario(trip())
    run.start()
    run.perform("flight")
    held = run.claim("hotel")
    offer = run.offer()
    run.decides(Fail(held=held, error=BOOM, offer=offer))
    other = run.offer()
    run.complete(run.held(offer), offer=other)

    assert [AttemptKey(f"{RUN}:compensate:flight:1")] == run.claimed_for(offer)
    assert [] == run.claimed_for(other)
    assert "failed" == ended(run).status


def test_worker_without_the_callback_leaves_it() -> None:
    """Who cannot perform a callback does not get it."""
    run = Scenario(trip())
    run.start()
    run.perform("flight")
    held = run.claim("hotel")
    offer = run.offer(actions=frozenset({"do.flight", "do.hotel"}))
    run.decides(Fail(held=held, error=BOOM, offer=offer))

    assert [] == run.claimed_for(offer)
    assert ["flight"] == due(run)


# --- callbacks that fail


def test_callback_is_retried_by_default() -> None:
    """Five attempts, after 1 s, 2 s, 4 s and 8 s, with the same key."""
    run = failed(trip(), "flight", step="hotel")
    delays = []
    for _ in range(4):
        run.fail(run.claim("flight"))
        attempt = run.attempt("flight")
        assert f"{RUN}:compensate:flight:1" == attempt.intent.idempotency_key
        delays.append(attempt.intent.visible_at - run.now)
        run.time_passes(delays[-1])
    run.fail(run.claim("flight"), BANG)

    assert [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND] == delays
    assert (
        Unrecovered(
            visit_key=visit("flight"),
            step=NodeName("flight"),
            reason="compensation_failed",
            error=BANG,
        ),
    ) == ended(run).recovery
    assert BOOM == ended(run).error


def test_callback_has_its_own_policy() -> None:
    """`compensate_retry` says how often, and how long to wait."""
    policy = RetryPolicy(max_attempts=2, backoff=Exponential(min_ms=5_000, max_ms=5_000))
    run = failed(trip(flight=policy), "flight", step="hotel")
    run.fail(run.claim("flight"))
    assert EPOCH + timedelta(seconds=5) == run.attempt("flight").intent.visible_at
    run.time_passes(timedelta(seconds=5))
    run.undo("flight")

    assert () == ended(run).recovery


def test_callback_may_say_that_no_retry_helps() -> None:
    """Then it has failed for good at once."""
    run = failed(trip(), "flight", step="hotel")
    run.fail(run.claim("flight"), retryable=False)

    assert ["compensation_failed"] == [left.reason for left in ended(run).recovery]


def test_failing_callback_does_not_stop_the_others() -> None:
    """It is recorded, the next follows in the same append, and the run lists it at its end."""
    run = failed(trip(hotel=ONCE), "flight", "hotel", step="pay")
    decision = run.fail(run.claim("hotel"), BANG)
    assert [AttemptFailed, AttemptScheduled] == kinds(decision.entries)
    run.undo("flight")
    end = ended(run)

    assert {visit("hotel"): "failed", visit("flight"): "compensated"} == run.state.saga.undone
    assert ("failed", BOOM, "pay") == (end.status, end.error, end.step)
    assert [(visit("hotel"), "hotel", "compensation_failed", BANG)] == [
        (left.visit_key, left.step, left.reason, left.error) for left in end.recovery
    ]


def test_callback_may_be_deferred() -> None:
    """Same work, later: same key, same input, and nothing else meanwhile."""
    run = failed(trip(), "flight", "hotel", step="pay")
    first = run.attempt("hotel")
    run.defer(run.claim("hotel"), delay_ms=1_000)
    again = run.attempt("hotel")
    assert (first.input, first.intent.idempotency_key) == (
        again.input,
        again.intent.idempotency_key,
    )
    assert ["hotel"] == due(run)
    run.time_passes(SECOND)
    run.undo("hotel")
    run.undo("flight")

    assert () == ended(run).recovery


def test_lost_callback_is_delivered_again() -> None:
    """
    A crash is no failure of a callback, until it was delivered as often as the default allows.

    What its step is content with is no matter: undoing is tried harder than doing.
    """
    spec = chain(step("flight", compensate=True, max_deliveries=1), step("pay"))
    run = failed(spec, "flight", step="pay")
    for _ in range(MOST_DELIVERIES):
        run.claim("flight")
        run.time_passes(LEASE)
    run.decides(Claim(attempt_key=run.attempt("flight").key, offer=run.offer()))
    [left] = ended(run).recovery

    assert left.error is not None
    assert ("compensation_failed", "worker_lost") == (left.reason, left.error.kind)


def test_repeated_completion_of_a_callback_is_once() -> None:
    """The same holder's second word writes nothing, even after the run's end."""
    run = failed(trip(), "flight", step="hotel")
    held = run.claim("flight")
    run.complete(held, "refunded")
    before = len(run.journal)
    run.expects_already(Complete(held=held, output="refunded"))

    assert before == len(run.journal)
    assert "failed" == ended(run).status


def test_superseded_holder_cannot_settle_a_callback() -> None:
    """Callbacks are fenced like any attempt."""
    run = failed(trip(), "flight", step="hotel")
    slow = run.claim("flight")
    run.time_passes(LEASE)
    run.claim("flight", by="ben")
    commands = (Complete(held=slow), Fail(held=slow, error=BANG), Defer(held=slow, reason="later"))

    assert ["stale_claim"] * 3 == [run.expects_refusal(command).code for command in commands]


def test_heartbeats_of_a_callback_move_its_lease() -> None:
    """A long callback is not taken over."""
    run = failed(trip(), "flight", step="hotel")
    held = run.claim("flight")
    run.time_passes(LEASE - SECOND)
    run.decides(Heartbeat(held=held, lease_ms=milliseconds(LEASE)))
    run.time_passes(LEASE - SECOND)
    run.complete(held)

    assert () == ended(run).recovery
