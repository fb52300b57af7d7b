"""The replay machine: a run made of another repeats what it says, and nothing else."""

import pytest
from attrs import frozen
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from squidmesh_core.decide import Refusal
from squidmesh_core.decide.replay import plan_replay
from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import derived_run_id
from squidmesh_core.protocol.commands import Start
from squidmesh_core.protocol.entries import StepApplied
from squidmesh_core.values import Compare
from support import naive, replay_bugs
from support.checking import assert_run_clean
from support.planted import Plant, assert_machine_catches
from support.replays import a_replay, asked, begun, source_of
from support.scenario import Scenario
from support.workflows import route, step, workflow

AGAIN = Compare(path=("try",), operator="equals", operand=1)
#: `try` may be repeated; where `call` fails, `ask` goes instead.
BY_ROUTES = workflow(
    step("try", output="try", max_visits=3),
    step("call", output="call", irreversible=True),
    step("ask", output="ask", compensatable=False),
    step("ship", output="ship", compensate=True),
    routes=(
        route("try", "try", when=AGAIN),
        route("try", "call"),
        route("call", "ship"),
        route("call", "ask", on="error"),
        route("ask", "ship"),
    ),
)
#: Two strands that join, one of which cannot be repeated.
BY_DEPENDENCIES = workflow(
    step("pick", output="pick"),
    step("mail", output="mail", irreversible=True),
    step("pack", output="pack", after=("pick",)),
    step("bill", output="bill", after=("mail",), compensatable=False),
    step("ship", output="ship", after=("pack", "bill")),
)
nodes = st.integers(0, 5)


@frozen
class Done:
    """A visit that came to its end, as the model remembers it."""

    #: `<step>` or `<step>@<n>`.
    visit: str
    step: str
    #: Null: it failed and was routed away.
    value: int | None


class ReplaysRepeatWhatTheySay(RuleBasedStateMachine):
    """A worker works; an operator replays and forks what ended, and what was made of it."""

    runs = 0

    # -- what can happen --

    @initialize(spec=st.sampled_from([BY_ROUTES, BY_DEPENDENCIES]))
    def run_is_started(self, spec: Spec) -> None:
        self.runs += 1
        self.value = 1
        self.run = Scenario(spec, run_id=derived_run_id("replay", str(self.runs)))
        self.run.start({"amount": 5})
        #: The model: what is done, and how much was when each step was last entered.
        self.done: list[Done] = []
        self.before: dict[str, int] = {}
        self.seen: set[str] = set()

    @precondition(lambda self: self.run.state.live)
    @rule(which=st.integers(0, 1), repeats=st.booleans())
    def worker_works(self, which: int, repeats: bool) -> None:
        """Values are told apart; that of `try` says whether it is to be repeated."""
        attempt = list(self.run.state.live.values())[which % len(self.run.state.live)]
        self.value += 1
        value = self.value if not (attempt.intent.step == "try" and repeats) else 1
        self.run.perform(attempt.intent.step, value)
        self.done.append(Done(tail(attempt.intent.visit_key), attempt.intent.step, value))

    @precondition(lambda self: self.run.state.live)
    @rule(which=st.integers(0, 1), mood=st.integers(0, 3))
    def worker_fails(self, which: int, mood: int) -> None:
        attempt = list(self.run.state.live.values())[which % len(self.run.state.live)]
        if mood and attempt.intent.step != "call":
            return
        self.run.fail(self.run.claim(attempt.intent.step))
        if attempt.intent.step == "call":
            self.done.append(Done(tail(attempt.intent.visit_key), attempt.intent.step, None))

    @precondition(lambda self: self.run.state.terminal is None)
    @rule(mood=st.integers(0, 9))
    def operator_cancels(self, mood: int) -> None:
        if mood == 0:
            self.run.cancel()

    @precondition(lambda self: self.run.state.terminal is not None)
    @rule(which=nodes, allow=st.booleans())
    def operator_forks(self, which: int, allow: bool) -> None:
        steps = self.run.spec.steps
        self.replays(steps[which % len(steps)].name, allow)

    @precondition(lambda self: self.run.state.terminal is not None)
    @rule(allow=st.booleans())
    def operator_replays(self, allow: bool) -> None:
        self.replays(None, allow)

    # -- what must always hold --

    @invariant()
    def entering_is_noticed(self) -> None:
        """The model of what comes before a step: all that was done when it came up."""
        for attempt in self.run.state.live.values():
            if attempt.intent.visit_key not in self.seen:
                self.seen.add(attempt.intent.visit_key)
                self.before[attempt.intent.step] = len(self.done)

    @invariant()
    def nothing_is_an_anomaly(self) -> None:
        assert () == self.run.state.anomalies

    @invariant()
    def context_is_the_payload_and_what_was_done(self) -> None:
        results = {done.step: done.value for done in self.done if done.value is not None}
        assert {"amount": 5, **results} == self.run.state.context
        assert naive.context(self.run.journal) == self.run.state.context

    @invariant()
    def visits_are_told_apart_and_bounded(self) -> None:
        naive.visits_have_their_own_keys(self.run.journal)
        naive.visits_are_bounded(self.run.journal, self.run.spec)

    @invariant()
    def steps_are_entered_as_defined(self) -> None:
        if self.run.state.terminal is None and self.run.spec.by_dependencies:
            naive.ready_steps_are_entered(self.run.journal, self.run.spec)
        elif self.run.state.terminal is None:
            naive.routes_are_followed(self.run.journal, self.run.spec)

    def teardown(self) -> None:
        """The offline checker finds nothing in the last run."""
        if hasattr(self, "run"):
            assert_run_clean(self.run)

    # --

    def replays(self, step: str | None, allow: bool) -> None:
        ask = a_replay(self.run, from_step=step, allow_irreversible=allow)
        start = asked(self.run, ask)
        kept = self.kept(step)
        if kept is None:
            assert isinstance(start, Refusal), start
            assert "not_reached" == start.details["reason"]
            event("a fork is refused: not reached")
            return
        again = [done for done in self.done if done not in kept and done.value is not None]
        unsafe = {done.step for done in again if self.guarded(done.step)}
        plan = plan_replay(source_of(self.run), ask, self.run.spec)
        assert not isinstance(plan, Refusal), plan
        assert ({d.step for d in kept}, {d.step for d in again}, unsafe) == (
            set(plan.reused),
            set(plan.again),
            set(plan.unsafe),
        )
        if unsafe and not allow:
            assert isinstance(start, Refusal), start
            event("a replay is refused: unsafe")
            return
        assert isinstance(start, Start), start
        event("forked" if kept else "replayed")
        self.begins(start, kept)
        if step is not None and not self.run.spec.by_dependencies:
            assert [step] == self.run.steps

    def kept(self, step: str | None) -> list[Done] | None:
        """What a fork at this step takes over, by what the model saw; null: it never was there."""
        if step is None:
            return []
        if step not in self.before:
            return None
        if not self.run.spec.by_dependencies:
            return self.done[: self.before[step]]
        return [done for done in self.done if not self.comes_after(done.step, step)]

    def comes_after(self, later: str, earlier: str) -> bool:
        """Whether a step is the other one or depends on it."""
        node = next(node for node in self.run.spec.steps if node.name == later)
        return later == earlier or any(self.comes_after(name, earlier) for name in node.after)

    def guarded(self, step: str) -> bool:
        node = next(node for node in self.run.spec.steps if node.name == step)
        return isinstance(node, StepNode) and (node.irreversible or not node.compensatable)

    def begins(self, start: Start, kept: list[Done]) -> None:
        """Go on with the new run, and with what the model knows of it."""
        self.run = begun(self.run, start)
        copied = [entry for entry in self.run.entries(StepApplied) if entry.reused_from is not None]
        assert [done.visit for done in kept] == [tail(entry.visit_key) for entry in copied]
        self.before = {done.step: self.before[done.step] for done in kept}
        self.done = list(kept)


def tail(visit: str) -> str:
    """A visit without its run."""
    return visit.partition(":")[2]


TestReplaysRepeatWhatTheySay = ReplaysRepeatWhatTheySay.TestCase
TestReplaysRepeatWhatTheySay.settings = settings(stateful_step_count=40)


@pytest.mark.parametrize("plant", replay_bugs.REPLAY)
def test_replay_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(ReplaysRepeatWhatTheySay, plant)
