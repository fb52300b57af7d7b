"""What a failure, a refusal and an entry tell whoever reads them: all of it, under fixed names."""

import pytest

from squidmesh_core.decide.claim import claim_row
from squidmesh_core.ids import AttemptKey, Revision
from squidmesh_core.protocol.commands import Claim, Fail
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    Failure,
    StepApplied,
)
from squidmesh_core.protocol.rows import Head
from squidmesh_core.state.fold import fold
from squidmesh_core.values import Compare, DeadlinePolicy, Exponential, FromPath, RetryPolicy
from squidmesh_core.views.index import attempt_rows
from support.scenario import BOOM, EPOCH, LEASE, RUN, SECOND, Scenario, a_start
from support.workflows import approval, chain, log, receive, route, step, wait, workflow

RETRY = RetryPolicy(
    max_attempts=3, backoff=Exponential(min_ms=1_000, max_ms=2_000), retry_on=("Boom",)
)


def ended_by(run: Scenario) -> Failure:
    """What the end names."""
    assert run.state.terminal is not None
    assert run.state.terminal.error is not None
    return run.state.terminal.error


# --- why a run failed


def test_an_outcome_without_a_route_is_told_with_node_and_outcome() -> None:
    """The host sees where the definition has a hole."""
    small = Compare(path=("a",), operator="less_than", operand=1)
    run = Scenario(
        workflow(step("a", output="a"), step("b"), routes=(route("a", "b", when=small),))
    )
    run.start()
    run.perform("a", 5)

    error = ended_by(run)
    assert {"from": "a", "on": "ok"} == error.details
    assert "no route leads on from a on ok, so the run cannot go on" == error.message


def test_a_loop_that_came_round_too_often_is_told_with_its_bound() -> None:
    """How often it was allowed."""
    run = Scenario(workflow(step("a", max_visits=1), routes=(route("a", "a"),)))
    run.start()
    run.perform("a")

    error = ended_by(run)
    assert ("visits_exhausted", {"max_visits": 1}) == (error.kind, error.details)
    assert "a may be entered once in one run, and was" == error.message


@pytest.mark.parametrize(
    ("deliveries", "told"),
    [
        (1, f"1 worker took {RUN}:a:1 and did not come back"),
        (2, f"2 workers took {RUN}:a:1 and none came back"),
    ],
)
def test_a_lost_attempt_is_told_with_its_deliveries(deliveries: int, told: str) -> None:
    """How many workers took it."""
    run = Scenario(chain(step("a", max_deliveries=deliveries), step("b")))
    run.start()
    for _ in range(deliveries):
        run.claim("a")
        run.time_passes(LEASE)
    run.decides(Claim(attempt_key=run.attempt("a").key, offer=run.offer()))

    error = ended_by(run)
    assert ("worker_lost", {"deliveries": deliveries}) == (error.kind, error.details)
    assert told == error.message


def test_a_missing_input_is_told_with_its_path() -> None:
    """Which parameter, from where, and how far the path goes."""
    wants = {"cents": FromPath(path=("charge", "amount", "cents"))}
    run = Scenario(chain(step("charge", output="charge"), step("ship", input=wants)))
    run.start()
    run.perform("charge", {"id": 7})

    said = "ship wants 'cents' from charge.amount.cents, but there is nothing at charge.amount"
    assert said == ended_by(run).message


def test_time_outs_are_told_with_their_instant() -> None:
    """That of a node names it, that of the run does not."""
    waiting = Scenario(chain(receive("paid", timeout_ms=1_000), step("b")))
    waiting.start()
    waiting.time_passes(SECOND)
    waiting.strike("paid")
    slow = Scenario(workflow(step("a"), step("b"), routes=(route("a", "b"),), timeout_ms=1_000))
    slow.start()
    slow.time_passes(SECOND)
    slow.strike()

    assert f"nothing came for paid by {EPOCH + SECOND}" == ended_by(waiting).message
    assert f"the run was not over by {EPOCH + SECOND}" == ended_by(slow).message


# --- why not


def test_a_claim_of_nothing_is_refused_with_what_was_asked_for() -> None:
    """Run and attempt."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    key = AttemptKey(f"{RUN}:a:9")
    refusal = run.expects_refusal(Claim(attempt_key=key, offer=run.offer()))

    assert {"run_id": RUN, "attempt_key": key} == refusal.details
    assert f"run {RUN} has no attempt {key}; nothing was claimed" == refusal.message


def test_another_start_of_the_same_run_is_refused_with_what_it_was() -> None:
    """There is no key to name."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    refusal = run.expects_refusal(a_start(digest="something else"))

    assert "idempotency_conflict" == refusal.code
    assert {"run_id": RUN, "command": "start", "key": None} == refusal.details


def test_an_entry_that_does_not_fit_is_noted_with_all_its_keys() -> None:
    """Attempt, visit, step and claim, each that it has."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    run.perform("a")
    (claimed,) = run.entries(AttemptClaimed)
    (applied,) = run.entries(StepApplied)
    noted = fold(run.state, [claimed, applied]).anomalies

    assert [
        {"attempt_key": f"{RUN}:a:1", "claim_id": claimed.claim_id},
        {"visit_key": f"{RUN}:a", "step": "a"},
    ] == [dict(anomaly.keys) for anomaly in noted]


# --- what is written is all that is known


def test_an_answer_keeps_the_marker_of_its_route() -> None:
    """Readers learn that a rejection is the way that undoes."""
    run = Scenario(
        workflow(
            approval("ask"),
            step("ship"),
            step("sorry"),
            routes=(route("ask", "ship"), route("ask", "sorry", on="error", recovery="undo")),
        )
    )
    run.start()
    run.reject("ask")
    (applied,) = run.entries(StepApplied)

    assert applied.transition is not None
    assert ("sorry", "undo") == (applied.transition.target, applied.transition.recovery)


def test_a_continuation_is_the_same_work() -> None:
    """Everything that the step asked for stays, but the instant."""
    node = step(
        "a",
        retry=RETRY,
        queue="slow",
        priority=7,
        max_deliveries=9,
        compensate=True,
        deadline=DeadlinePolicy(within_ms=1_000),
    )
    run = Scenario(chain(node, step("b")))
    run.start()
    run.fail(run.claim("a"))
    run.time_passes(SECOND)
    held = run.claim("a")
    before = run.attempt("a").intent
    run.defer(held)
    after = run.attempt("a").intent
    kept = (
        "visit_key", "step", "number", "kind", "queue", "action", "priority", "idempotency_key",
        "recovery", "retry", "deadline", "max_deliveries",
    )  # fmt: skip

    assert 2 == after.number
    assert [getattr(before, name) for name in kept] == [getattr(after, name) for name in kept]


def test_a_retry_has_a_deadline_of_its_own() -> None:
    """The same policy, counted from when it may be taken."""
    policy = DeadlinePolicy(within_ms=1_000)
    run = Scenario(chain(step("a", retry=RETRY, deadline=policy), step("b")))
    run.start()
    run.fail(run.claim("a"))
    (failed,) = run.entries(AttemptFailed)

    assert failed.retry is not None
    assert failed.retry.deadline is not None
    assert (policy, EPOCH + SECOND) == (
        failed.retry.deadline.policy,
        failed.retry.deadline.started_at,
    )


def test_a_step_may_say_when_to_try_again_and_what_it_was() -> None:
    """What a worker hands in with a failure counts: the instant, the classes, the drawn number."""
    jittered = RetryPolicy(max_attempts=3, backoff=RETRY.backoff, jitter=True)
    run = Scenario(chain(step("a", retry=RETRY), step("b", retry=jittered)))
    run.start()
    run.decides(Fail(held=run.claim("a"), error=BOOM, kinds=("Boom",), retry_after_ms=1_500))
    assert EPOCH + 1.5 * SECOND == run.attempt("a").intent.visible_at

    run.time_passes(2 * SECOND)
    run.perform("a")
    run.decides(Fail(held=run.claim("b"), error=BOOM, jitter=0.5))
    assert run.now < run.attempt("b").intent.visible_at < run.now + SECOND

    other = Scenario(chain(step("a", retry=RETRY), step("b")))
    other.start()
    other.decides(Fail(held=other.claim("a"), error=BOOM, kinds=("Bang",)))
    assert "failed" == other.state.status


def test_waits_and_logs_are_on_the_queue_of_their_run() -> None:
    """A worker of another queue has no business with them."""
    run = Scenario(workflow(wait("rest", 1_000), log("tell"), step("end", after=("rest", "tell"))))
    run.start(queue="slow", priority=3)

    assert {("slow", 3)} == {
        (entry.queue, entry.priority) for entry in run.entries(AttemptScheduled)
    }


def test_a_claim_from_the_row_is_the_claim_from_the_state() -> None:
    """The quick way writes what the decider writes."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    (row,) = attempt_rows(run.state)
    offer = run.offer("ben")
    head = Head(revision=run.state.revision, hash="", at=run.now)
    quick = claim_row(row, head, offer, run.now)

    assert (quick,) == run.decides(Claim(attempt_key=row.attempt_key, offer=offer)).entries


def test_a_wait_that_is_over_names_the_entry_that_ended_it() -> None:
    """The visit's source is the completion in the same append."""
    run = Scenario(chain(wait("rest", 1_000), step("b")))
    run.start()
    run.time_passes(SECOND)
    _, completed, applied, *_ = run.tick("rest").entries

    assert isinstance(applied, StepApplied)
    assert completed.revision == applied.source


def test_a_heartbeat_never_shortens_a_lease_in_the_fold_either() -> None:
    """An entry that says less than is held changes nothing; one that says more does."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    held = run.claim("a")

    def beat(seconds: int) -> AttemptHeartbeat:
        return AttemptHeartbeat(
            at=EPOCH,
            revision=Revision(run.state.revision + 1),
            attempt_key=held.attempt_key,
            claim_id=held.claim_id,
            claim_token_hash=held.claim_token_hash,
            lease_until=EPOCH + seconds * SECOND,
        )

    assert [EPOCH + LEASE, EPOCH + 2 * LEASE] == [
        fold(run.state, [beat(seconds)]).live[held.attempt_key].lease_until for seconds in (1, 120)
    ]
