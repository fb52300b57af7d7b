"""The saga machine: what a run did is undone before it ends, whoever fails meanwhile."""

from datetime import datetime, timedelta

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

from squidmesh_core.decide import Answer, Decision, Refusal
from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import AttemptKey, VisitKey, derived_run_id
from squidmesh_core.protocol.commands import (
    Claim,
    Complete,
    Defer,
    Fail,
    Heartbeat,
    Held,
    Offer,
    Start,
)
from squidmesh_core.protocol.entries import AttemptFailed, CompensationStarted, Failure
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.values import Compare, RetryPolicy
from support import naive_undoing, undoing_bugs
from support.checking import assert_run_clean
from support.planted import Plant, assert_machine_catches
from support.replays import a_replay, asked, begun, recompensated
from support.scenario import LEASE, SECOND, Scenario, a_cancel, milliseconds
from support.workflows import route, step, workflow

TWICE, ONCE = RetryPolicy(max_attempts=2), RetryPolicy(max_attempts=1)
#: Roots side by side, one without a callback, one whose callback has one try.
SIDE_BY_SIDE = workflow(
    step("a", compensate=True, retry=TWICE),
    step("b", compensate=True, compensate_retry=ONCE),
    step("c"),
    step("end", after=("a", "b", "c")),
)
#: Two strands of two.
TWO_STRANDS = workflow(
    step("a", compensate=True, compensate_retry=TWICE),
    step("b", compensate=True, compensate_retry=ONCE, max_deliveries=1),
    step("c", compensate=True, after=("a",), compensate_retry=ONCE),
    step("d", compensate=True, after=("b",)),
    step("end", after=("c", "d")),
)
#: `book` may be repeated; where it fails, `train` goes instead.
LOOP = workflow(
    step("book", output="more", compensate=True, compensate_retry=ONCE, max_visits=3),
    step("train", compensate=True),
    step("pay", irreversible=True),
    routes=(
        route("book", "book", when=Compare(path=("more",), operator="equals", operand=1)),
        route("book", "pay"),
        route("book", "train", on="error", recovery="compensation"),
        route("train", "pay"),
    ),
)

specs = st.sampled_from([SIDE_BY_SIDE, TWO_STRANDS, LOOP])
workers = st.sampled_from(["ana", "ben"])
pauses = st.sampled_from([SECOND, LEASE - SECOND, LEASE])
counted = st.integers(0, 3)


class SagasUndoWhatWasDone(RuleBasedStateMachine):
    """Steps finish, fail and get lost side by side; what was done is undone, backwards, once."""

    claims: Bundle[Held] = Bundle("claims")
    runs = 0

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        # The model: what stands, what is in doubt, what cannot be undone.
        self.standing: list[VisitKey] = []
        self.done: list[VisitKey] = []
        self.doubtful: set[VisitKey] = set()
        self.unable: set[VisitKey] = set()
        self.turn: CompensationStarted | None = None
        self.abandoned = False

    # -- what can happen --

    @initialize(spec=specs)
    def run_is_started(self, spec: Spec) -> None:
        self.runs += 1
        run = Scenario(spec, run_id=derived_run_id("saga", str(self.runs)))
        run.start()
        self.looks_at(run)
        self.origin = run.state.run_id

    @precondition(lambda self: self.run.state.terminal is not None)
    @rule(spec=specs)
    def next_run_is_started(self, spec: Spec) -> None:
        self.run_is_started(spec)

    @precondition(lambda self: self.run.state.live)
    @rule(target=claims, which=counted, worker=workers)
    def worker_claims(self, which: int, worker: str) -> Held | MultipleResults[Held]:
        keys = list(self.run.state.live)
        return self.somebody_claims(keys[which % len(keys)], worker)

    @rule(
        target=claims, claim=consumes(claims), output=st.sampled_from([0, 1]), stays=st.booleans()
    )
    def worker_completes(
        self, claim: Held, output: int, stays: bool
    ) -> Held | MultipleResults[Held]:
        offer = self.run.offer() if stays else None
        answer = self.run.ask(Complete(held=claim, output=output, offer=offer))
        if isinstance(answer, Decision):
            self.worked(claim.attempt_key)
        return self.taken(offer)

    @rule(target=claims, claim=consumes(claims), helps=st.booleans(), stays=st.booleans())
    def worker_fails(self, claim: Held, helps: bool, stays: bool) -> Held | MultipleResults[Held]:
        self.failures += 1
        error = Failure(kind="Boom", message=f"number {self.failures}")
        offer = self.run.offer() if stays else None
        turned = self.run.state.undoing
        answer = self.run.ask(Fail(held=claim, error=error, retryable=helps, offer=offer))
        self.broke(claim.attempt_key, answer, turned=turned)
        return self.taken(offer)

    @rule(claim=consumes(claims))
    def worker_defers(self, claim: Held) -> None:
        turned = self.run.state.undoing
        answer = self.run.ask(Defer(held=claim, reason="later"))
        if isinstance(answer, Decision) and turned and not undoes(claim.attempt_key):
            self.doubtful.add(visit_of(claim.attempt_key))

    @rule(claim=claims)
    def worker_heartbeats(self, claim: Held) -> None:
        self.run.ask(Heartbeat(held=claim, lease_ms=milliseconds(LEASE)))

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.run.time_passes(pause)

    @rule()
    def process_restarts(self) -> None:
        self.run.process_restarts()

    @rule(compensate=st.booleans(), mood=st.integers(0, 9))
    def operator_cancels(self, compensate: bool, mood: int) -> None:
        if self.run.state.undoing:
            answer = self.run.ask(a_cancel(compensate=compensate))
            assert isinstance(answer, Refusal), answer
        elif mood <= 1:
            self.run.ask(a_cancel(compensate=compensate))

    @precondition(lambda self: self.run.state.undoing)
    @rule(mood=st.integers(0, 9))
    def operator_abandons(self, mood: int) -> None:
        if mood == 0:
            self.run.cancel(abandon=True)
            self.abandoned = True

    @precondition(lambda self: self.run.state.terminal and self.listed("effect_unknown"))
    @rule()
    def rest_is_undone(self) -> None:
        """What the run has left becomes another run's to undo, under the same keys."""
        event("compensation is retried")
        before, left = self.run, self.listed("effect_unknown")
        order = [visit for visit in self.done if visit in left]
        self.looks_at(recompensated(before))
        self.standing = [
            VisitKey(visit.replace(before.state.run_id, self.run.state.run_id)) for visit in order
        ]
        self.done = list(self.standing)

    @precondition(lambda self: self.run.state.terminal is not None)
    @rule(which=st.integers(0, 4))
    def run_is_forked(self, which: int) -> None:
        """Whatever can be taken over is another run's; the fork undoes only its own."""
        steps = self.run.spec.steps
        node = steps[-1 - which % len(steps)].name
        start = asked(self.run, a_replay(self.run, from_step=node, allow_irreversible=True))
        if isinstance(start, Start):
            event("the run is forked")
            self.looks_at(begun(self.run, start))
            self.origin = start.run_id

    # -- what must always hold --

    @invariant()
    def nothing_is_an_anomaly(self) -> None:
        assert () == self.run.state.anomalies

    @invariant()
    def every_open_run_has_a_reason_to_move(self) -> None:
        assert self.run.state.terminal is not None or self.run.state.live, self.run.state.status

    @invariant()
    def callback_in_flight_undoes_the_last_effect(self) -> None:
        callbacks = [a for a in self.run.state.live.values() if a.intent.kind == "compensation"]
        if callbacks and self.run.state.terminal is None:
            assert list(self.run.state.live.values()) == callbacks
            assert self.standing[-1:] == [visit_of(attempt.key) for attempt in callbacks]

    @invariant()
    def callbacks_keep_the_key_of_the_run_that_did_the_work(self) -> None:
        for attempt in self.run.state.live.values():
            if attempt.intent.kind == "compensation":
                name = visit_of(attempt.key).partition(":")[2]
                assert f"{self.origin}:compensate:{name}:1" == attempt.intent.idempotency_key

    @invariant()
    def run_turns_round_once(self) -> None:
        started = self.run.state.saga.started
        self.turn = self.turn or started
        assert self.turn == started

    @invariant()
    def run_ends_when_all_is_undone_or_listed(self) -> None:
        end = self.run.state.terminal
        if end is None:
            return
        if self.turn is None:
            assert end.status != "failed" or self.standing == [], self.standing
            assert () == end.recovery
            return
        assert (self.turn.failure, self.turn.step) == (end.error, end.step)
        assert self.abandoned or self.standing == [], self.standing
        assert set(self.standing) == self.listed("compensation_failed", "effect_unknown")
        assert self.unable == self.listed("abandoned", "effect_unknown")
        assert self.doubtful <= self.listed("abandoned", "compensation_failed")

    @invariant()
    def second_opinion_agrees(self) -> None:
        naive_undoing.every_rule_holds(self.run.journal, self.run.spec)

    def teardown(self) -> None:
        """Left to workers that never fail, the run ends, and what must be undone is."""
        if not hasattr(self, "run"):
            return
        for _ in range(60):
            if self.run.state.terminal is None and self.run.state.live:
                attempt = min(self.run.state.live.values(), key=free_from)
                self.run.time_passes(max(timedelta(0), free_from(attempt) - self.run.now))
                held = self.somebody_claims(attempt.key, "zoe")
                if isinstance(held, Held):
                    self.run.complete(held, 0)
                    self.worked(held.attempt_key)
                self.run_turns_round_once()
        event(f"ends {self.run.state.status}{'' if self.turn is None else ' after undoing'}")
        assert self.run.state.terminal is not None, self.run.state.live
        self.run_ends_when_all_is_undone_or_listed()
        self.second_opinion_agrees()
        assert_run_clean(self.run)

    # --

    def looks_at(self, run: Scenario) -> None:
        """Begin the model of a run anew."""
        self.run = run
        self.standing, self.done = [], []
        self.doubtful, self.unable = set(), set()
        self.turn, self.abandoned = None, False

    def worked(self, key: AttemptKey) -> None:
        """An attempt gave a result: an effect stands, or one stands no more."""
        if undoes(key):
            self.stands_no_more(key)
            return
        node = next(node for node in self.run.spec.steps if node.name == step_of(key))
        if isinstance(node, StepNode) and node.compensate:
            self.standing.append(visit_of(key))
            self.done.append(visit_of(key))

    def broke(self, key: AttemptKey, answer: Answer, *, turned: bool) -> None:
        """An attempt failed; without another try its effect is in doubt, or stays."""
        if not isinstance(answer, Decision):
            return
        [failed] = [entry for entry in answer.entries if isinstance(entry, AttemptFailed)]
        if failed.retry is not None:
            assert not turned or undoes(key), failed
        elif undoes(key):
            self.unable.add(self.stands_no_more(key))
        elif turned:
            self.doubtful.add(visit_of(key))

    def stands_no_more(self, key: AttemptKey) -> VisitKey:
        """A callback came to its end: it must have been that of the last effect."""
        assert self.standing[-1:] == [visit_of(key)]
        return self.standing.pop()

    def somebody_claims(self, key: AttemptKey, worker: str) -> Held | MultipleResults[Held]:
        offer, turned = self.run.offer(worker), self.run.state.undoing
        answer = self.run.ask(Claim(attempt_key=key, offer=offer))
        if isinstance(answer, Decision) and isinstance(answer.entries[0], AttemptFailed):
            event("a lost attempt is ended")
            self.broke(key, answer, turned=turned)
        return self.taken(offer)

    def taken(self, offer: Offer | None) -> Held | MultipleResults[Held]:
        """What was claimed for a worker that asked, if anything was."""
        if offer is None or not self.run.claimed_for(offer):
            return multiple()
        return self.run.held(offer)

    def listed(self, *but: str) -> set[VisitKey]:
        """The visits of the recovery list, but for those with these reasons."""
        end = self.run.state.terminal
        return {left.visit_key for left in end.recovery if left.reason not in but} if end else set()


def undoes(key: AttemptKey) -> bool:
    return ":compensate:" in key


def step_of(key: AttemptKey) -> str:
    return visit_of(key).partition(":")[2].partition("@")[0]


def visit_of(key: AttemptKey) -> VisitKey:
    """The visit that an attempt works for, or undoes."""
    run_id, *rest = key.split(":")
    return VisitKey(f"{run_id}:{rest[1] if undoes(key) else rest[0]}")


def free_from(attempt: Attempt) -> datetime:
    """The instant from which anybody may take an attempt."""
    if attempt.status == "claimed" and attempt.lease_until is not None:
        return attempt.lease_until
    return attempt.intent.visible_at


TestSagasUndoWhatWasDone = SagasUndoWhatWasDone.TestCase
TestSagasUndoWhatWasDone.settings = settings(stateful_step_count=60)


@pytest.mark.parametrize("plant", undoing_bugs.SAGA)
def test_saga_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(SagasUndoWhatWasDone, plant)
