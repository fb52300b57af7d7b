"""What does not fit the state it meets becomes an anomaly, with a reason."""

from attrs import evolve

from squidmesh_core.ids import (
    AttemptKey,
    ClaimId,
    NodeName,
    Revision,
    VisitKey,
    attempt_key,
    visit_key,
)
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    Entry,
    InputFrom,
    InputOf,
    InputUndo,
    InputValue,
    NextAttempt,
    RunSignalReceived,
    RunStarted,
    StepApplied,
)
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.values import FromPath
from support.scenario import BOOM, EPOCH, LEASE, RUN, SECOND, Scenario, content
from support.workflows import chain, step


def reasons(state: RunState, *more: Entry) -> list[str]:
    """Why these entries do not fit the state, one reason each at most."""
    return [anomaly.reason for anomaly in fold(state, more).anomalies]


def as_claimed(run: Scenario) -> AttemptClaimed:
    """The run's newest claim."""
    return run.entries(AttemptClaimed)[-1]


def a_heartbeat(claim: AttemptClaimed) -> AttemptHeartbeat:
    """A heartbeat of its holder, in time."""
    return AttemptHeartbeat(
        at=claim.at,
        attempt_key=claim.attempt_key,
        claim_id=claim.claim_id,
        claim_token_hash=claim.claim_token_hash,
        lease_until=claim.lease_until + SECOND,
    )


def a_completion(claim: AttemptClaimed) -> AttemptCompleted:
    """A completion by its holder, in time."""
    return AttemptCompleted(
        at=claim.at,
        revision=Revision(100),
        attempt_key=claim.attempt_key,
        claim_id=claim.claim_id,
        claim_token_hash=claim.claim_token_hash,
    )


def a_failure(claim: AttemptClaimed, retry: NextAttempt | None = None) -> AttemptFailed:
    """A failure told by its holder, in time."""
    return AttemptFailed(
        at=claim.at,
        attempt_key=claim.attempt_key,
        claim_id=claim.claim_id,
        claim_token_hash=claim.claim_token_hash,
        error=BOOM,
        retry=retry,
    )


def claimed() -> Scenario:
    """`charge` is claimed, `ship` comes after it."""
    run = Scenario(chain(step("charge"), step("ship")))
    run.start()
    run.claim("charge")
    return run


def test_first_entry_must_start_the_run() -> None:
    """Before `run_started` only the receipt of the start makes sense."""
    run = claimed()
    start = run.journal[0]

    assert isinstance(start, RunSignalReceived)
    assert [] == reasons(RunState(run_id=RUN), start)
    assert ["malformed_entry"] == reasons(RunState(run_id=RUN), as_claimed(run))


def test_run_starts_once() -> None:
    """A second `run_started` is malformed and leaves the input as it was."""
    run = claimed()
    again = evolve(run.entries(RunStarted)[0], input={"other": 1})

    assert ["malformed_entry"] == reasons(run.state, again)
    assert {} == fold(run.state, [again]).context


def test_unknown_attempt_is_an_unknown_intent() -> None:
    """Nobody can claim, keep or settle what was never scheduled."""
    run = claimed()
    claim = evolve(as_claimed(run), attempt_key=AttemptKey(f"{RUN}:nothing:1"))
    tries = (claim, a_heartbeat(claim), a_completion(claim), a_failure(claim))

    assert ["unknown_runnable_intent"] * 4 == reasons(run.state, *tries)


def test_same_attempt_may_be_scheduled_again() -> None:
    """The same intent twice is once; at another instant it is still the same."""
    run = claimed()
    scheduled = run.entries(AttemptScheduled)[0]
    state = fold(run.state, [evolve(scheduled, at=EPOCH + SECOND)])

    assert () == state.anomalies
    assert content(run.state) == content(state)


def test_other_intent_under_the_same_key_conflicts() -> None:
    """The same key for something else does not fit."""
    run = claimed()
    other = evolve(run.entries(AttemptScheduled)[0], action="do.something.else")

    assert ["conflicting_runnable_intent"] == reasons(run.state, other)


def test_live_claim_cannot_be_claimed() -> None:
    """One microsecond before the lease ends the claim still stands."""
    run = claimed()
    early = evolve(as_claimed(run), at=EPOCH + LEASE - SECOND / 1_000_000, claim_id=ClaimId("late"))

    assert ["active_claim"] == reasons(run.state, early)


def test_invisible_attempt_cannot_be_claimed() -> None:
    """A claim before `visible_at` does not fit."""
    run = Scenario(chain(step("charge")))
    run.start(visible_at=EPOCH + SECOND)
    claim = AttemptClaimed(
        at=EPOCH,
        attempt_key=run.attempt("charge").key,
        claim_id=ClaimId("c"),
        claim_token_hash="0" * 64,
        owner="ana",
        lease_until=EPOCH + LEASE,
    )

    assert ["attempt_not_visible"] == reasons(run.state, claim)
    assert [] == reasons(run.state, evolve(claim, at=EPOCH + SECOND))


def test_holder_is_known_by_id_and_token() -> None:
    """Either one alone is a stale claim, for all that a holder may say."""
    run = claimed()
    claim = as_claimed(run)
    for wrong in (
        evolve(claim, claim_id=ClaimId("guessed")),
        evolve(claim, claim_token_hash="0" * 64),
    ):
        tries = (a_heartbeat(wrong), a_completion(wrong), a_failure(wrong))

        assert ["stale_claim"] * 3 == reasons(run.state, *tries)


def test_expired_holder_is_late() -> None:
    """At the very instant the lease ends its holder can say nothing any more."""
    run = claimed()
    claim = as_claimed(run)
    tries = (a_heartbeat(claim), a_completion(claim), a_failure(claim))

    assert ["expired_claim"] * 3 == reasons(
        run.state, *(evolve(entry, at=claim.lease_until) for entry in tries)
    )


def test_runtime_ends_lost_claims_only() -> None:
    """A failure without a fence fits once the lease is past, and not before."""
    run = claimed()
    unfenced = evolve(a_failure(as_claimed(run)), claim_id=None, claim_token_hash=None)

    assert ["active_claim"] == reasons(run.state, unfenced)
    assert [] == reasons(run.state, evolve(unfenced, at=EPOCH + LEASE))


def test_settled_attempt_cannot_be_claimed() -> None:
    """What ended is not delivered again."""
    run = claimed()
    claim = as_claimed(run)

    assert ["terminal_attempt"] == reasons(run.state, a_completion(claim), claim)


def test_completed_attempt_cannot_be_completed_again() -> None:
    """Deciders answer a repeated completion without writing; in a journal it does not fit."""
    run = claimed()
    completion = a_completion(as_claimed(run))

    assert ["conflicting_completion"] == reasons(run.state, completion, completion)


def test_result_is_applied_from_a_completed_attempt() -> None:
    """`step_applied` must name the revision of an output that is not applied yet."""
    run = claimed()
    visit = visit_key(RUN, NodeName("charge"))
    applied = StepApplied(at=EPOCH, visit_key=visit, step=NodeName("charge"), source=Revision(100))

    assert ["result_not_completed"] == reasons(run.state, applied)
    assert [] == reasons(run.state, a_completion(as_claimed(run)), applied)


def test_visit_is_applied_once() -> None:
    """A second application of one visit does not fit."""
    run = Scenario(chain(step("charge"), step("ship")))
    run.start()
    run.perform("charge")
    applied = run.entries(StepApplied)[0]

    assert ["conflicting_completion"] == reasons(run.state, evolve(applied, source=None))


def test_retry_under_a_known_key_conflicts_as_a_whole() -> None:
    """A failure whose retry is somebody else's attempt does not settle the attempt either."""
    run = claimed()
    claim = as_claimed(run)
    retry = NextAttempt(attempt_key=claim.attempt_key, number=2, visible_at=EPOCH)
    failed = a_failure(claim, retry)

    assert ["conflicting_runnable_intent"] == reasons(run.state, failed)
    assert "claimed" == fold(run.state, [failed]).live[claim.attempt_key].status


def test_input_that_cannot_be_resolved_is_malformed() -> None:
    """An attempt whose input is nowhere to be found is not scheduled."""
    run = claimed()
    visit = visit_key(RUN, NodeName("ship"))
    ship = evolve(
        run.entries(AttemptScheduled)[0],
        attempt_key=attempt_key(visit, 1),
        visit_key=visit,
        step=NodeName("ship"),
    )
    unknown = attempt_key(VisitKey(f"{RUN}:nothing"), 1)
    nowhere = InputFrom(bindings={"x": FromPath(path=("nothing",))})

    assert ["malformed_entry"] == reasons(run.state, evolve(ship, input=nowhere))
    assert ["malformed_entry"] == reasons(
        run.state, evolve(ship, input=InputOf(attempt_key=unknown))
    )
    assert ["malformed_entry"] == reasons(run.state, evolve(ship, input=InputUndo(visit_key=visit)))
    assert [] == reasons(run.state, ship)


def test_input_without_another_home_is_in_the_entry() -> None:
    """A record is the input as it stands; anything else is its `value`."""
    for value, resolved in (({"x": 1}, {"x": 1}), (5, {"value": 5})):
        run = claimed()
        key = attempt_key(VisitKey(f"{RUN}:given"), 1)
        intent = evolve(
            run.entries(AttemptScheduled)[0], attempt_key=key, input=InputValue(value=value)
        )

        assert resolved == fold(run.state, [intent]).live[key].input


def test_nothing_fits_after_the_end() -> None:
    """Every entry after `run_terminal` is `terminal_run`, the receipt of a command too."""
    run = claimed()
    claim = as_claimed(run)
    run.cancel()
    late = [*run.journal, a_heartbeat(claim), a_completion(claim), a_failure(claim)]

    assert ["terminal_run"] * len(late) == reasons(run.state, *late)


def test_anomaly_names_what_it_met() -> None:
    """An anomaly keeps the entry's type, its place, and the keys that it named."""
    run = claimed()
    claim = as_claimed(run)
    [anomaly] = fold(run.state, [claim]).anomalies

    assert "AttemptClaimed" == anomaly.entry_type
    assert run.state.revision + 1 == anomaly.revision
    assert {"attempt_key": claim.attempt_key, "claim_id": claim.claim_id} == anomaly.keys


def test_anomalies_are_kept_oldest_first() -> None:
    """Each is shown, in the order met."""
    run = claimed()
    claim = as_claimed(run)
    guessed = evolve(a_heartbeat(claim), claim_id=ClaimId("guessed"))

    assert ["active_claim", "stale_claim"] == reasons(run.state, claim, guessed)


def test_token_hash_beyond_ascii_does_not_match() -> None:
    """A damaged token hash is a stale claim, not an exception."""
    run = claimed()
    heartbeat = evolve(a_heartbeat(as_claimed(run)), claim_token_hash="ünlike")

    assert ["stale_claim"] == reasons(run.state, heartbeat)
