"""The lease machine: who may speak for an attempt, and when."""

from datetime import timedelta
from typing import Literal

import pytest
from attrs import evolve
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from squidmesh_core.decide import Already, Answer, Decision, Refusal
from squidmesh_core.ids import AttemptKey, FencingToken, token_hash
from squidmesh_core.protocol.commands import (
    Claim,
    Command,
    Complete,
    Defer,
    Fail,
    Heartbeat,
    Held,
)
from squidmesh_core.values import RetryPolicy
from support import bugs, naive
from support.checking import assert_run_clean
from support.planted import Plant, assert_machine_catches
from support.scenario import BOOM, LEASE, SECOND, Scenario, milliseconds
from support.workflows import step, workflow

steps = st.sampled_from(["pack", "bill"])
workers = st.sampled_from(["ana", "ben"])
pauses = st.sampled_from([SECOND, LEASE - SECOND, LEASE])
leases = st.sampled_from([SECOND, LEASE])
outputs = st.sampled_from([1, 2])

#: Two attempts at a time, and no end by too many retries or deliveries.
PATIENT = RetryPolicy(max_attempts=1_000)
SPEC = workflow(
    step("pack", retry=PATIENT, max_deliveries=1_000),
    step("bill", retry=PATIENT, max_deliveries=1_000),
    step("ship", after=("pack", "bill")),
)


class LeasesFenceOffSupersededWorkers(RuleBasedStateMachine):
    """Workers claim, stall past their lease, and come back to settle."""

    claims: Bundle[Held] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.run = Scenario(SPEC)
        self.run.start()
        # The model: the newest claim of each attempt, the end of its lease, what was settled.
        self.newest: dict[AttemptKey, Held] = {}
        self.lease_ends = {a.key: self.run.now for a in self.run.state.live.values()}
        self.settled: dict[AttemptKey, tuple[Held, object]] = {}

    # -- what can happen --

    @initialize(target=claims)
    def a_worker_was_first(self) -> Held:
        return self.claimed("pack", "ana")

    @rule(target=claims, step=steps, worker=workers)
    def worker_claims(self, step: str, worker: str) -> Held | MultipleResults[Held]:
        key = self.run.attempt(step).key
        free = key not in self.settled and self.lease_ends[key] <= self.run.now
        event(f"claim of a free attempt: {free}")
        if free:
            return self.claimed(step, worker)
        self.run.expects_refusal(Claim(attempt_key=key, offer=self.run.offer(worker)))
        return multiple()

    @rule(claim=claims, lease=leases)
    def worker_heartbeats(self, claim: Held, lease: timedelta) -> None:
        holds = self.holds(claim)
        answer = self.run.ask(Heartbeat(held=claim, lease_ms=milliseconds(lease)))
        self.heard("heartbeat", claim, answer, holds)
        if holds:
            key = claim.attempt_key
            self.lease_ends[key] = max(self.lease_ends[key], self.run.now + lease)
            assert self.lease_ends[key] == self.run.state.live[key].lease_until

    @rule(claim=claims, output=outputs)
    def worker_completes(self, claim: Held, output: int) -> None:
        holds = self.holds(claim)
        repeats = self.settled.get(claim.attempt_key) == (claim, output)
        answer = self.run.ask(Complete(held=claim, output=output))
        event(f"a completion is repeated: {repeats}")
        assert repeats == isinstance(answer, Already), (claim, answer)
        self.heard("complete", claim, answer, holds)
        if holds:
            self.settled[claim.attempt_key] = claim, output

    @rule(claim=claims)
    def worker_fails(self, claim: Held) -> None:
        holds = self.holds(claim)
        self.heard("fail", claim, self.run.ask(Fail(held=claim, error=BOOM)), holds)
        if holds:
            self.goes_on(claim)

    @rule(claim=claims)
    def worker_defers(self, claim: Held) -> None:
        holds = self.holds(claim)
        self.heard("defer", claim, self.run.ask(Defer(held=claim, reason="later")), holds)
        if holds:
            self.goes_on(claim)

    @rule(claim=claims, verb=st.sampled_from(["heartbeat", "complete", "fail"]))
    def stranger_guesses_the_token(
        self, claim: Held, verb: Literal["heartbeat", "complete", "fail"]
    ) -> None:
        guess = evolve(claim, claim_token_hash=token_hash("a guess"))
        commands: dict[str, Command] = {
            "heartbeat": Heartbeat(held=guess, lease_ms=1),
            "complete": Complete(held=guess, output=1),
            "fail": Fail(held=guess, error=BOOM),
        }
        answer = self.run.ask(commands[verb])
        assert isinstance(answer, Refusal), (verb, claim, answer)

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.run.time_passes(pause)

    @rule()
    def process_restarts(self) -> None:
        self.run.process_restarts()

    # -- what must always hold --

    @invariant()
    def nothing_is_an_anomaly(self) -> None:
        assert () == self.run.state.anomalies

    @invariant()
    def every_attempt_settles_at_most_once(self) -> None:
        naive.each_attempt_settles_once(self.run.journal)

    @invariant()
    def nobody_holds_what_another_holds(self) -> None:
        naive.leases_are_exclusive(self.run.journal)

    @invariant()
    def fencing_token_is_that_of_the_newest_claim(self) -> None:
        for key, claim in self.newest.items():
            attempt = self.run.state.attempts[key]
            assert attempt.claim is not None
            assert claim.claim_id == attempt.claim.claim_id
            assert FencingToken(attempt.claim.revision) == attempt.fencing_token

    @invariant()
    def retries_are_numbered_by_failures(self) -> None:
        naive.retries_keep_to_the_policy(self.run.journal, SPEC)

    @invariant()
    def every_try_of_a_visit_has_the_same_idempotency_key(self) -> None:
        for attempt in self.run.state.attempts.values():
            assert f"{attempt.intent.visit_key}:1" == attempt.intent.idempotency_key

    def teardown(self) -> None:
        """The offline checker finds nothing in the journal."""
        assert_run_clean(self.run)

    # --

    def claimed(self, step: str, worker: str) -> Held:
        """The claim of a free attempt, which must succeed."""
        claim = self.run.claim(step, by=worker)
        self.newest[claim.attempt_key] = claim
        self.lease_ends[claim.attempt_key] = self.run.now + LEASE
        return claim

    def holds(self, claim: Held) -> bool:
        """Whether this claim may speak now, as far as the model knows."""
        key = claim.attempt_key
        live = key not in self.settled and self.run.now < self.lease_ends[key]
        return live and self.newest[key] == claim

    def heard(self, verb: str, claim: Held, answer: Answer, holds: bool) -> None:
        """A holder is heard, anybody else is not."""
        event(f"{verb} by the holder: {holds}")
        assert holds == isinstance(answer, Decision), (verb, claim, answer)

    def goes_on(self, claim: Held) -> None:
        """The attempt is over; the next one of its step is free at once."""
        self.settled[claim.attempt_key] = claim, "not an output"
        for key in self.run.state.live:
            self.lease_ends.setdefault(key, self.run.now)


TestLeasesFenceOffSupersededWorkers = LeasesFenceOffSupersededWorkers.TestCase
# Short programs rarely stall, come back and settle twice.
TestLeasesFenceOffSupersededWorkers.settings = settings(stateful_step_count=100)


@pytest.mark.parametrize(
    "plant",
    [
        bugs.no_fence,
        bugs.no_token,
        bugs.lease_longer_by_an_instant,
        bugs.dead_lease_revived,
        bugs.heartbeat_shortens,
        bugs.heartbeat_entry_shortens,
        bugs.completion_not_remembered,
        bugs.number_bumped_on_reclaim,
        bugs.key_changes_on_retry,
    ],
)
def test_lease_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(LeasesFenceOffSupersededWorkers, plant)
