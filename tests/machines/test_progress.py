"""The progress machine: whatever workers do, a run moves on by its definition, and ends."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from squidmesh_core.decide import Decision
from squidmesh_core.definition.spec import ApprovalNode, Spec
from squidmesh_core.ids import AttemptKey, NodeName, attempt_key, derived_run_id, is_timeout
from squidmesh_core.plan.progress import Plan, plan
from squidmesh_core.protocol.commands import Claim, Complete, Defer, Fail, Heartbeat, Held, Offer
from squidmesh_core.protocol.entries import StepApplied
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, RunRow
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.views.index import attempt_rows, changes, correlation_rows, run_row
from support import bugs, naive
from support.checking import assert_run_clean
from support.planted import Plant, assert_machine_catches
from support.scenario import (
    BOOM,
    LEASE,
    SECOND,
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    milliseconds,
)
from support.workflows import workflows

workers = st.sampled_from(["ana", "ben"])
pauses = st.sampled_from([SECOND, LEASE / 2, LEASE])
outputs = st.sampled_from([0, 1])
counted = st.integers(0, 3)
#: Most operators leave most runs alone.
moods = st.sampled_from(["patient"] * 12 + ["careful", "fed up"])


class RunsMakeProgress(RuleBasedStateMachine):
    """Workers claim, complete, fail, defer and crash; people answer; time passes; the run goes on."""

    claims: Bundle[Held] = Bundle("claims")
    runs = 0

    # -- what can happen --

    @initialize(target=claims, spec=workflows(), stays=st.booleans())
    def run_is_started(self, spec: Spec, stays: bool) -> Held | MultipleResults[Held]:
        self.runs += 1
        self.run = Scenario(spec, run_id=derived_run_id("run", str(self.runs)))
        self.rows: dict[AttemptKey, AttemptRow] = {}
        self.listed: RunRow | None = None
        self.found_by: tuple[CorrelationRow, ...] = ()
        self.followed = 0
        event("by dependencies" if spec.by_dependencies else "by routes")
        offer = self.run.offer() if stays else None
        self.run.start({"amount": 5}, offer=offer)
        return self.taken(offer)

    @precondition(lambda self: self.run.state.terminal is not None)
    @rule(target=claims, spec=workflows(), stays=st.booleans())
    def next_run_is_started(self, spec: Spec, stays: bool) -> Held | MultipleResults[Held]:
        assert_run_clean(self.run)
        return self.run_is_started(spec, stays)

    @precondition(lambda self: self.run.state.live)
    @rule(target=claims, which=counted, worker=workers)
    def worker_claims(self, which: int, worker: str) -> Held | MultipleResults[Held]:
        keys = list(self.run.state.live)
        offer = self.run.offer(worker)
        self.run.ask(Claim(attempt_key=keys[which % len(keys)], offer=offer))
        return self.taken(offer)

    @precondition(lambda self: self.run.state.timers)
    @rule(which=counted, stays=st.booleans())
    def worker_finds_time_is_up(self, which: int, stays: bool) -> None:
        timers = list(self.run.state.timers.values())
        timer = timers[which % len(timers)]
        if stays:
            self.run.time_passes(max(timedelta(0), timer.intent.visible_at - self.run.now))
        answer = self.run.ask(Claim(attempt_key=timer.key, offer=self.run.offer()))
        event(f"a time-out {'strikes' if isinstance(answer, Decision) else 'is refused'}")

    @precondition(lambda self: self.run.state.gates.waiting or self.run.state.mail.awaited)
    @rule(yes=st.booleans())
    def somebody_outside_answers(self, yes: bool) -> None:
        """Whoever is waited for longest says or sends something."""
        state = self.run.state
        for gate in list(state.gates.open.values())[:1]:
            if gate.kind == "pause":
                self.run.resume(gate.visit_key)
            elif yes:
                node = self.run.spec.nodes[gate.step or NodeName("")]
                form = {"sure": True} if isinstance(node, ApprovalNode) and node.form else None
                self.run.approve(gate.visit_key, form=form)
            else:
                self.run.reject(gate.visit_key)
            return
        for awaited in list(state.mail.awaited.values())[:1]:
            self.run.send(awaited.step, {"n": 1})
            return
        self.run.resume()

    @precondition(lambda self: bool(self.run.spec.receivers))
    @rule(which=counted)
    def message_comes_whether_awaited_or_not(self, which: int) -> None:
        receivers = self.run.spec.receivers
        self.run.ask(a_message(receivers[which % len(receivers)].name))

    @precondition(lambda self: self.run.state.terminal is None)
    @rule()
    def somebody_works(self) -> None:
        """Wait for the next thing that can be taken, take it, complete it."""
        if self.run.state.gates.hold is not None:
            self.run.resume()
        if not self.run.state.live:
            self.somebody_outside_answers(yes=True)
            return
        attempt = min(self.run.state.live.values(), key=free_from)
        self.run.time_passes(max(timedelta(0), free_from(attempt) - self.run.now))
        offer = self.run.offer()
        answer = self.run.ask(Claim(attempt_key=attempt.key, offer=offer))
        if self.run.claimed_for(offer):
            self.run.complete(self.run.held(offer), 0)
        elif self.run.state.terminal is None:
            assert isinstance(answer, Decision), answer

    @rule(target=claims, claim=consumes(claims), output=outputs, stays=st.booleans())
    def worker_completes(
        self, claim: Held, output: int, stays: bool
    ) -> Held | MultipleResults[Held]:
        offer = self.run.offer() if stays else None
        self.run.ask(Complete(held=claim, output=output, offer=offer))
        return self.taken(offer)

    @rule(
        target=claims,
        claim=consumes(claims),
        jitter=st.sampled_from([0.0, 0.99]),
        stays=st.booleans(),
    )
    def worker_fails(self, claim: Held, jitter: float, stays: bool) -> Held | MultipleResults[Held]:
        offer = self.run.offer() if stays else None
        self.run.ask(Fail(held=claim, error=BOOM, jitter=jitter, offer=offer))
        return self.taken(offer)

    @rule(claim=consumes(claims), delay=pauses)
    def worker_defers(self, claim: Held, delay: timedelta) -> None:
        answer = self.run.ask(Defer(held=claim, reason="later", delay_ms=milliseconds(delay)))
        if isinstance(answer, Decision):
            assert not any(isinstance(entry, StepApplied) for entry in answer.entries)

    @rule(claim=claims)
    def worker_heartbeats(self, claim: Held) -> None:
        self.run.ask(Heartbeat(held=claim, lease_ms=milliseconds(LEASE)))

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.run.time_passes(pause)

    @rule()
    def process_restarts(self) -> None:
        self.run.process_restarts()

    @rule(mood=moods)
    def operator_looks_in(self, mood: Literal["patient", "careful", "fed up"]) -> None:
        if mood == "fed up":
            self.run.ask(a_cancel())
        elif mood == "careful":
            self.run.ask(a_hold())

    # -- what must always hold --

    @invariant()
    def nothing_is_an_anomaly(self) -> None:
        assert () == self.run.state.anomalies

    @invariant()
    def every_open_run_has_a_reason_to_move(self) -> None:
        state = self.run.state
        waits = state.live or state.gates.open or state.mail.awaited
        assert state.terminal is not None or waits, state.status

    @invariant()
    def planning_again_asks_for_nothing(self) -> None:
        assert Plan() == plan(self.run.state, self.run.spec)

    @invariant()
    def every_attempt_settles_at_most_once(self) -> None:
        naive.each_attempt_settles_once(self.run.journal)

    @invariant()
    def every_visit_is_applied_at_most_once(self) -> None:
        naive.each_visit_is_applied_once(self.run.journal)

    @invariant()
    def nobody_holds_what_another_holds(self) -> None:
        naive.leases_are_exclusive(self.run.journal)
        naive.deliveries_are_bounded(self.run.journal, self.run.spec)

    @invariant()
    def context_is_what_was_applied(self) -> None:
        assert naive.context(self.run.journal) == self.run.state.context

    @invariant()
    def joins_come_after_what_they_join(self) -> None:
        naive.joins_come_last(self.run.journal, self.run.spec)

    @invariant()
    def steps_are_entered_as_defined(self) -> None:
        state = self.run.state
        if state.terminal is not None or state.undoing:
            return
        if self.run.spec.by_dependencies:
            naive.ready_steps_are_entered(self.run.journal, self.run.spec)
        else:
            naive.routes_are_followed(self.run.journal, self.run.spec)

    @invariant()
    def visits_are_told_apart_and_bounded(self) -> None:
        naive.visits_have_their_own_keys(self.run.journal)
        naive.visits_are_bounded(self.run.journal, self.run.spec)

    @invariant()
    def retries_keep_to_their_policy(self) -> None:
        naive.retries_keep_to_the_policy(self.run.journal, self.run.spec)

    @invariant()
    def every_try_of_a_visit_has_the_same_key_and_input(self) -> None:
        attempts = self.run.state.attempts
        for attempt in attempts.values():
            if is_timeout(attempt.key):
                continue
            first = attempts[attempt_key(attempt.intent.visit_key, 1)]
            assert naive.number_of(attempt.key) == attempt.intent.number
            assert first.key == attempt.intent.idempotency_key
            assert first.input == attempt.input

    @invariant()
    def waits_wait(self) -> None:
        naive.waits_wait(self.run.journal, self.run.spec)

    @invariant()
    def nothing_follows_the_end(self) -> None:
        naive.nothing_follows_the_end(self.run.journal)

    @invariant()
    def time_runs_forwards(self) -> None:
        naive.time_runs_forwards(self.run.journal)

    @invariant()
    def index_follows_from_the_changes(self) -> None:
        states = self.run.states
        for before, after in pairwise(states[self.followed :]):
            changed = changes(before, after, self.run.spec)
            self.listed = changed.run or self.listed
            if changed.correlations is not None:
                self.found_by = changed.correlations
            self.rows.update((row.attempt_key, row) for row in changed.put)
            for key in changed.drop:
                self.rows.pop(key, None)
        self.followed = len(states) - 1
        state = self.run.state
        assert run_row(state) == self.listed
        assert correlation_rows(state, self.run.spec) == self.found_by
        assert {row.attempt_key: row for row in attempt_rows(state)} == self.rows

    def teardown(self) -> None:
        """Left to a worker that never fails, the run ends."""
        if not hasattr(self, "run"):
            return
        for _ in range(200):
            if self.run.state.terminal is None:
                self.somebody_works()
        event(f"ends {self.run.state.status}")
        assert self.run.state.terminal is not None, self.run.state.live
        assert_run_clean(self.run)

    # --

    def taken(self, offer: Offer | None) -> Held | MultipleResults[Held]:
        """What was claimed for a worker that asked, if anything was."""
        if offer is None or not self.run.claimed_for(offer):
            return multiple()
        return self.run.held(offer)


def free_from(attempt: Attempt) -> datetime:
    """The instant from which anybody may take an attempt."""
    if attempt.status == "claimed" and attempt.lease_until is not None:
        return attempt.lease_until
    return attempt.intent.visible_at


TestRunsMakeProgress = RunsMakeProgress.TestCase
# A loop that is walked twice with a retry on the way takes some time.
TestRunsMakeProgress.settings = settings(stateful_step_count=80)


@pytest.mark.parametrize(
    "plant",
    [
        bugs.applied_twice,
        bugs.output_lost,
        bugs.failure_counts_as_a_visit,
        bugs.deferral_applied,
        bugs.end_not_checked,
        bugs.end_forgotten,
        bugs.number_bumped_on_reclaim,
        bugs.lost_attempt_delivered_for_ever,
        bugs.key_changes_on_retry,
        bugs.input_lost_on_retry,
        bugs.retry_without_end,
        bugs.retry_at_once,
        bugs.join_planned_early,
        bugs.join_forgotten,
        bugs.wait_does_not_wait,
        bugs.visits_share_a_key,
        bugs.visits_without_bound,
        bugs.index_keeps_what_is_settled,
    ],
)
def test_progress_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(RunsMakeProgress, plant)
