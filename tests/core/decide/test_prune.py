"""Pruning: who may go, what stays in the place, and what a tombstone answers."""

from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import given

from squidmesh_core.decide import Already, Refusal
from squidmesh_core.decide.prune import Removal, gone, prune
from squidmesh_core.decide.replay import replay, retry_compensation
from squidmesh_core.ids import AttemptKey, ClaimId, Revision, derived_run_id, uuid7
from squidmesh_core.protocol.commands import (
    Claim,
    Command,
    Complete,
    Heartbeat,
    Held,
    Receipted,
)
from squidmesh_core.protocol.entries import RunPruned
from squidmesh_core.state.fold import fold_run
from squidmesh_core.views.index import rows_of
from squidmesh_core.views.inspection import run_of, snapshot
from support.plays import plays
from support.replays import a_replay, a_retry, next_run_id, source_of
from support.scenario import (
    EPOCH,
    SECOND,
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    a_resume,
    a_review,
    a_start,
)
from support.workflows import chain, step

YEAR = timedelta(days=365)
KEYED = derived_run_id("orders", "placed", "A-1")
START = a_start({"n": 1}, run_id=KEYED, key="A-1", queue="shop", priority=3)


def ended() -> Scenario:
    """A run that was started under a key and is over."""
    run = Scenario(chain(step("a")), run_id=KEYED)
    run.decides(START)
    run.time_passes(SECOND)
    run.perform("a", "secret")
    return run


def pruned() -> Scenario:
    """What is left of it a year later."""
    run = ended()
    run.time_passes(YEAR)
    answer = prune(run.state, run.now)
    assert isinstance(answer, Removal)
    assert answer.tombstone is not None
    left = Scenario(run.spec, now=run.now, run_id=KEYED)
    left.finds(answer.tombstone)
    return left


@given(run=plays())
def test_only_what_is_over_may_go(run: Scenario) -> None:
    """From every reachable state; a tombstone folds, and says how it ended."""
    answer = prune(run.state, run.now)

    if run.state.terminal is None:
        assert isinstance(answer, Refusal)
        assert "invalid_transition" == answer.code
        return
    assert isinstance(answer, Removal)
    assert run.state.revision == answer.revision
    if answer.tombstone is not None:
        left = fold_run(run.state.run_id, [answer.tombstone])
        assert ((), run.state.status) == (left.anomalies, left.status)


def test_a_tombstone_keeps_what_tells_two_starts_apart() -> None:
    """And nothing that was handed in: neither payload nor output nor key."""
    (left,) = pruned().entries(RunPruned)

    assert (
        RunPruned(
            at=EPOCH + SECOND + YEAR,
            revision=Revision(1),
            workflow="orders",
            definition=START.definition,
            definition_version="v1",
            trigger="placed",
            queue="shop",
            priority=3,
            digest=START.digest,
            status="completed",
            started_at=EPOCH,
            ended_at=EPOCH + SECOND,
        )
        == left
    )


def test_a_drawn_id_leaves_nothing() -> None:
    """Nobody can ask for it again."""
    drawn = uuid7(1_767_225_600_000, bytes(10))
    run = Scenario(chain(step("a")), run_id=drawn)
    run.start()
    run.perform("a")

    assert Removal(revision=run.state.revision, tombstone=None) == prune(run.state, EPOCH + YEAR)


def test_a_run_without_a_receipt_is_never_begun_again() -> None:
    """Nobody can tell what was asked, so no start is the same one."""
    state = evolve(ended().state, receipts=())
    answer = prune(state, EPOCH + YEAR)

    assert isinstance(answer, Removal)
    assert answer.tombstone is not None
    assert ("start", "") == (answer.tombstone.command, answer.tombstone.digest)


def test_time_never_goes_back() -> None:
    """A clock that stepped back does not date the tombstone before the end."""
    answer = prune(ended().state, EPOCH)

    assert isinstance(answer, Removal)
    assert answer.tombstone is not None
    assert EPOCH + SECOND == answer.tombstone.at


def test_the_same_start_finds_the_pruned_run() -> None:
    """As it ended, and nothing is written; whatever else the start brings along."""
    left = pruned()

    for again in (START, evolve(START, said=Receipted(), priority=0)):
        answer = left.expects_already(again)
        assert Already(revision=left.state.revision, state=left.state) == answer
    run = run_of(left.state, duplicate=True)
    assert (True, "completed", EPOCH + SECOND, EPOCH + SECOND + YEAR) == (
        run.duplicate,
        run.status,
        run.ended_at,
        run.pruned_at,
    )


def test_another_start_is_a_conflict() -> None:
    """Under the same key, or under the same id; a replay is no start."""
    left = pruned()

    for other in (
        evolve(START, digest="other"),
        evolve(START, digest="other", said=Receipted()),
        evolve(START, verb="replay"),
    ):
        assert "idempotency_conflict" == left.expects_refusal(other).code


HELD = Held(attempt_key=AttemptKey(f"{KEYED}:a:1"), claim_id=ClaimId("c"), claim_token_hash="t")
OTHERS: tuple[Command, ...] = (
    a_cancel(),
    a_hold(),
    a_resume(),
    a_review("approved", "a"),
    a_message("a"),
    Heartbeat(held=HELD, lease_ms=1_000),
    Complete(held=HELD),
    Claim(attempt_key=HELD.attempt_key, offer=Scenario(chain(step("a"))).offer()),
)


@pytest.mark.parametrize("command", OTHERS, ids=lambda command: type(command).__name__)
def test_whatever_else_is_asked_is_refused(command: Command) -> None:
    """With the status that it had, and when it was pruned."""
    left = pruned()
    refusal = left.expects_refusal(command)

    assert gone(left.state) == refusal
    assert "terminal_run" == refusal.code
    assert {
        "run_id": KEYED,
        "status": "completed",
        "reason": "pruned",
        "at": "2027-01-01T00:00:01.000000Z",
    } == refusal.details


def test_nothing_is_made_of_a_pruned_run() -> None:
    """Its input and its results are gone, so it is neither replayed nor taken up."""
    left = pruned()
    source, new = source_of(left), next_run_id(left)
    replayed = replay(source, a_replay(left), run_id=new, spec=left.spec, instant=left.now)
    forked = a_replay(left, from_step="a")
    refused = replay(source, forked, run_id=new, spec=left.spec, instant=left.now)
    retried = retry_compensation(source, a_retry(left), run_id=new)

    assert isinstance(replayed, Refusal)
    assert isinstance(refused, Refusal)
    assert ("invalid_replay_source", "pruned") == (replayed.code, replayed.details["reason"])
    assert replayed == refused
    assert gone(left.state) == retried


def test_a_pruned_run_is_not_pruned_again() -> None:
    """The second time is told of the first; of a run that is there, nothing is gone."""
    left = pruned()

    assert gone(left.state) == prune(left.state, left.now)
    with pytest.raises(ValueError, match="is not pruned"):
        gone(ended().state)


def test_a_pruned_run_is_in_no_list() -> None:
    """Its tombstone implies no rows, and reindexing it gives it none."""
    left = pruned()
    rows = rows_of(left.state, left.spec)

    assert (None, (), ()) == (rows.run, rows.attempts, rows.correlations)


def test_inspection_shows_what_is_left() -> None:
    """Identity, status and times; how far it had come nobody knows any more."""
    left = pruned()
    seen = snapshot(left.state, left.spec, left.now)

    assert ("terminal", True, (), {}, {}, ()) == (
        seen.reason,
        seen.terminal,
        seen.steps,
        seen.input,
        seen.context,
        seen.attempts,
    )
    assert left.now == seen.run.pruned_at
