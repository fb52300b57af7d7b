"""How far undoing has come: the part of a state that compensation moves."""

from attrs import evolve

from squidmesh_core.ids import AttemptKey, ClaimId, NodeName, Revision, VisitKey, undo_key
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    InputUndo,
    ManualStepPaused,
    MessageAwaited,
    MessageReceived,
    NextAttempt,
    Reused,
    StepApplied,
)
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.state.saga import Saga
from support.scenario import BOOM, EPOCH, LEASE, RUN, Scenario, content
from support.workflows import chain, pause, receive, step, workflow

FLIGHT = VisitKey(f"{RUN}:flight")


def turned() -> Scenario:
    """`flight` is done and `pay` has failed, so the callback of `flight` is due."""
    run = Scenario(chain(step("flight", compensate=True), step("pay")))
    run.start()
    run.perform("flight")
    run.fail(run.claim("pay"))
    return run


def forward() -> Scenario:
    """The same before `pay` fails."""
    run = Scenario(chain(step("flight", compensate=True), step("pay")))
    run.start()
    run.perform("flight")
    return run


def reasons(state: RunState, *more: Entry) -> list[str]:
    """Why these entries do not fit; a misfit changes nothing else."""
    folded = fold(state, more)
    if len(folded.anomalies) == len(more):
        assert content(state) == content(folded)
    return [anomaly.reason for anomaly in folded.anomalies]


def test_a_run_begins_forward() -> None:
    """Nothing was undone, and nothing is in doubt."""
    run = forward()

    assert (Saga(), False) == (run.state.saga, run.state.undoing)


def test_the_turn_is_the_status() -> None:
    """`compensating` comes before everything but the end."""
    run = turned()
    assert ("compensating", True) == (run.state.status, run.state.undoing)
    run.undo("flight")

    assert ("failed", False) == (run.state.status, run.state.undoing)
    assert {FLIGHT: "compensated"} == run.state.saga.undone


def test_a_run_turns_once() -> None:
    """A second turn does not fit, and the first failure stays."""
    run = turned()
    again = CompensationStarted(at=EPOCH, cause="cancel")

    assert ["compensating"] == reasons(run.state, again)


def test_nothing_is_opened_after_the_turn() -> None:
    """Neither gates, nor a hold, nor awaits, nor messages, nor attempts that go forward."""
    run = turned()
    mail = VisitKey(f"{RUN}:mail")
    attempt = run.entries(AttemptScheduled)[0]
    entries = (
        ManualStepPaused(at=EPOCH, kind="hold"),
        ManualStepPaused(at=EPOCH, kind="pause", visit_key=mail, step=NodeName("mail")),
        MessageAwaited(at=EPOCH, visit_key=mail, step=NodeName("mail")),
        MessageReceived(at=EPOCH, step=NodeName("mail")),
        evolve(attempt, attempt_key=AttemptKey(f"{RUN}:other:1")),
    )

    assert ["compensating"] * len(entries) == reasons(run.state, *entries)


def test_nothing_is_undone_before_the_turn() -> None:
    """Neither scheduled nor taken in."""
    run = forward()
    callback = evolve(
        run.entries(AttemptScheduled)[0],
        attempt_key=AttemptKey(f"{RUN}:compensate:flight:1"),
        kind="compensation",
    )
    applied = StepApplied(at=EPOCH, visit_key=undo_key(FLIGHT), step=NodeName("flight"))

    assert ["not_compensating"] * 2 == reasons(run.state, callback, applied)


def test_forward_work_is_not_claimed_after_the_turn() -> None:
    """What is claimed stays so, and cannot be taken over."""
    run = Scenario(workflow(step("a", compensate=True), step("b"), step("end", after=("a", "b"))))
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    claim = AttemptClaimed(
        at=EPOCH + LEASE,
        attempt_key=held.attempt_key,
        claim_id=ClaimId("late"),
        claim_token_hash="0" * 64,
        owner="ben",
        lease_until=EPOCH + 2 * LEASE,
    )

    assert "claimed" == run.state.live[held.attempt_key].status
    assert ["compensating"] == reasons(run.state, claim)


def test_forward_work_is_not_retried_after_the_turn() -> None:
    """A failure that brings a retry does not fit; as a callback's it does."""
    run = Scenario(workflow(step("a", compensate=True), step("b"), step("end", after=("a", "b"))))
    run.start()
    held = run.claim("a")
    run.fail(run.claim("b"))
    retry = NextAttempt(attempt_key=AttemptKey(f"{RUN}:a:2"), number=2, visible_at=EPOCH)
    failed = AttemptFailed(
        at=EPOCH,
        attempt_key=held.attempt_key,
        claim_id=held.claim_id,
        claim_token_hash=held.claim_token_hash,
        error=BOOM,
        retry=retry,
    )

    assert ["compensating"] == reasons(run.state, failed)
    assert [] == reasons(run.state, evolve(failed, retry=None))


def test_a_visit_is_undone_once() -> None:
    """A second callback's success does not fit, whatever the first one's end was."""
    run = turned()
    run.fail(run.claim("flight"), retryable=False)
    worked, broke = turned(), run
    worked.undo("flight")
    again = StepApplied(at=EPOCH, visit_key=undo_key(FLIGHT), step=NodeName("flight"))
    for late in (worked, broke):
        assert ["conflicting_completion"] == reasons(evolve(late.state, terminal=None), again)


def test_doubtful_is_what_ends_without_a_result_after_the_turn() -> None:
    """A failure with its error, a deferral without one; a callback never."""
    run = Scenario(
        workflow(
            step("a", compensate=True),
            step("b"),
            step("c"),
            step("d"),
            step("end", after=("a", "b", "c", "d")),
        )
    )
    run.start()
    run.perform("a")
    b, c, d = run.claim("b"), run.claim("c"), run.claim("d")
    run.fail(b)
    run.fail(c)
    run.defer(d)
    run.defer(run.claim("a"))
    run.fail(run.claim("a"), retryable=False)

    assert {VisitKey(f"{RUN}:c"): BOOM, VisitKey(f"{RUN}:d"): None} == run.state.saga.uncertain
    assert {VisitKey(f"{RUN}:a"): "failed"} == run.state.saga.undone


def test_a_failure_before_the_turn_is_not_doubtful() -> None:
    """It was answered by a retry or a route, or it is the run's own error."""
    assert {} == turned().state.saga.uncertain


def test_the_turn_closes_gates_and_awaits() -> None:
    """Early messages stay kept; nobody waits for anything."""
    spec = workflow(
        step("a", compensate=True),
        step("b"),
        pause("look"),
        receive("mail", max_visits=2),
        receive("late", after=("b",)),
        step("end", after=("a", "b", "late")),
    )
    run = Scenario(spec)
    run.start()
    run.perform("a")
    run.send("late")
    run.hold()
    run.resume()
    run.fail(run.claim("b"))

    assert (False, {}) == (run.state.gates.waiting, run.state.mail.awaited)
    assert [NodeName("late")] == list(run.state.mail.kept.values())
    assert () == run.state.owed


def test_reused_result_is_seen_in_the_context() -> None:
    """With its value, and as a visit that was entered; without an output key it is not."""
    run = forward()
    more = [
        StepApplied(
            at=EPOCH,
            visit_key=VisitKey(f"{RUN}:{name}"),
            step=NodeName(name),
            output=output,
            reused_from=Reused(run_id=RUN, value=name),
        )
        for name, output in (("one", "one"), ("two", None))
    ]
    state = fold(run.state, more)

    assert {"one": "one"} == state.context
    assert (1, 1) == (state.visits[NodeName("one")], state.done[NodeName("two")])


def test_undoing_without_a_result_is_malformed() -> None:
    """A callback of what was never applied, or of what had no result, has no input."""
    run = turned()
    [callback] = [a for a in run.entries(AttemptScheduled) if a.kind == "compensation"]
    never = evolve(
        callback,
        attempt_key=AttemptKey(f"{RUN}:compensate:never:1"),
        input=InputUndo(visit_key=VisitKey(f"{RUN}:never")),
    )
    applied = evolve(
        run.entries(StepApplied)[0],
        visit_key=VisitKey(f"{RUN}:empty"),
        source=None,
        revision=Revision(99),
    )
    empty = evolve(
        callback,
        attempt_key=AttemptKey(f"{RUN}:compensate:empty:1"),
        input=InputUndo(visit_key=applied.visit_key),
    )

    assert ["malformed_entry"] == reasons(run.state, never)
    assert ["malformed_entry"] == reasons(fold(run.state, [applied]), empty)


def test_callback_of_no_visit_undoes_none() -> None:
    """A damaged journal may hold an attempt that undoes nothing; its failure is nobody's."""
    run = turned()
    [callback] = [a for a in run.entries(AttemptScheduled) if a.kind == "compensation"]
    stray = evolve(
        callback,
        attempt_key=AttemptKey(f"{RUN}:stray:1"),
        visit_key=VisitKey(f"{RUN}:stray"),
        max_deliveries=1,
    )
    claim = AttemptClaimed(
        at=EPOCH,
        attempt_key=stray.attempt_key,
        claim_id=ClaimId("c"),
        claim_token_hash="0" * 64,
        owner="ana",
        lease_until=EPOCH + LEASE,
    )
    failed = AttemptFailed(
        at=EPOCH,
        attempt_key=stray.attempt_key,
        claim_id=claim.claim_id,
        claim_token_hash=claim.claim_token_hash,
        error=BOOM,
    )
    state = fold(run.state, [stray, claim, failed])

    assert (run.state.saga, ()) == (state.saga, state.anomalies)
