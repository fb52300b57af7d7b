"""The waiting machine: people answer and messages come, early, late and twice, and each counts once."""

from datetime import timedelta

import pytest
from attrs import evolve
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

from squidmesh_core.decide import Already, Answer, Decision, Refusal
from squidmesh_core.definition.spec import COMPLETE, ApprovalNode, PauseNode, Spec
from squidmesh_core.ids import NodeName, Revision, derived_run_id
from squidmesh_core.plan.progress import Plan, plan
from squidmesh_core.protocol.commands import (
    Claim,
    Complete,
    Fail,
    Heartbeat,
    Held,
    Offer,
    Resume,
    Review,
    Send,
)
from squidmesh_core.state.fold import fold_run
from squidmesh_core.state.run import RunState
from squidmesh_core.values import DeadlinePolicy, FromPath
from squidmesh_core.views.index import attempt_rows
from support import bugs, bugs_waiting, naive, naive_waiting
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
    a_resume,
    a_review,
    milliseconds,
)
from support.workflows import FORM, MESSAGE, approval, pause, receive, route, step, workflow

MINUTE = milliseconds(LEASE)
WARNING = DeadlinePolicy(within_ms=MINUTE)

#: Everything is waited for at once, and a no ends the run.
SIDE_BY_SIDE = workflow(
    pause("look", output="look", deadline=WARNING),
    approval("ask", form=FORM, output="ask", timeout_ms=10 * MINUTE),
    receive("parcel", message=MESSAGE, output="parcel", deadline=WARNING),
    step("bill", output="bill"),
    step("ship", after=("look", "ask", "parcel", "bill")),
    timeout_ms=20 * MINUTE,
)
#: Two strands go round: they ask, wait for a parcel and pack it, until they may not any more.
ROUND_AND_ROUND = evolve(
    workflow(
        approval("ask", output="ask", timeout_ms=MINUTE, max_visits=9),
        receive("parcel", message=MESSAGE, output="parcel", timeout_ms=MINUTE, max_visits=9),
        step("pack", max_visits=9),
        routes=(
            route("ask", "parcel"),
            route("ask", "pack", on="error"),
            route("ask", "pack", on="timeout"),
            route("parcel", "pack"),
            route("parcel", "ask", on="error"),
            route("pack", "parcel"),
        ),
    ),
    entry_steps=(NodeName("ask"), NodeName("parcel")),
)
#: One strand, with a message that is found by what the run began with, then a last word.
ONE_BY_ONE = workflow(
    step("pack"),
    receive("parcel", message=MESSAGE, output="parcel", correlation=FromPath(path=("order",))),
    pause("look", output="look"),
    step("ship"),
    routes=(
        route("pack", "parcel"),
        route("parcel", "look"),
        route("look", "ship"),
    ),
)
SPECS = (SIDE_BY_SIDE, ROUND_AND_ROUND, ONE_BY_ONE)

specs = st.sampled_from(SPECS)
gates = st.sampled_from(["look", "ask", None])
forms = st.sampled_from([None, {"sure": True}, {"sure": "perhaps"}])
numbers = st.integers(1, 9)
pauses = st.sampled_from([SECOND, LEASE - SECOND, LEASE])
counted = st.integers(0, 5)


class EveryAnswerCountsOnceAndNoMessageIsLost(RuleBasedStateMachine):
    """People answer, messages come early and late, operators hold, time runs out, workers work."""

    claims: Bundle[Held] = Bundle("claims")
    #: What was said once, to be said again.
    said: Bundle[Review | Resume | Send] = Bundle("said")
    runs = 0

    # -- what can happen --

    @initialize(spec=specs, early=st.booleans())
    def run_is_started(self, spec: Spec, early: bool) -> None:
        self.runs += 1
        self.run = Scenario(spec, run_id=derived_run_id("run", str(self.runs)))
        # The model: messages that were accepted, in order, and answers that were, by visit.
        self.sent: list[tuple[str, int]] = []
        self.answers: dict[str, str] = {}
        self.run.start({"order": "A-1"}, offer=self.run.offer() if early else None)
        event(f"starts {self.run.state.status}")

    @precondition(lambda self: self.run.state.terminal is not None)
    @rule(spec=specs, early=st.booleans())
    def next_run_is_started(self, spec: Spec, early: bool) -> None:
        assert_run_clean(self.run)
        self.run_is_started(spec, early)

    @rule(target=said, yes=st.booleans(), node=gates, form=forms, which=counted)
    def approver_answers(
        self, yes: bool, node: str | None, form: dict[str, object] | None, which: int
    ) -> Review:
        """By the gate's name, by the visit, or by none."""
        open_ = [gate for gate in self.run.state.gates.open.values() if gate.kind == "approval"]
        if open_ and which < len(open_):
            node = open_[which].visit_key
        command = a_review("approved" if yes else "rejected", node, form=form)
        self.answer(command)
        return command

    @rule(target=said, node=gates)
    def somebody_says_go_on(self, node: str | None) -> Resume:
        command = a_resume(node)
        self.answer(command)
        return command

    @rule(target=said, number=numbers)
    def message_comes(self, number: int) -> Send:
        command = a_message("parcel", {"n": number}, key=f"{self.runs}-{len(self.run.journal)}")
        self.send(command)
        return command

    @rule(command=said)
    def the_same_is_said_again(self, command: Review | Resume | Send) -> None:
        if not isinstance(command, Send):
            self.answer(command)
        elif command.said.key and command.said.key.startswith(f"{self.runs}-"):
            known = self.run.state.receipt("send", command.said.key) is not None
            before = len(self.run.journal)
            answer = self.send(command)
            assert isinstance(answer, Already) == known, answer
            assert isinstance(answer, Decision) or len(self.run.journal) == before

    @rule()
    def message_is_no_message(self) -> None:
        answer = self.run.ask(a_message("parcel", {"n": "many"}))
        assert isinstance(answer, Refusal), answer

    @precondition(lambda self: self.run.state.gates.open)
    @rule(which=counted, yes=st.booleans())
    def answer_meets_another_definition(self, which: int, yes: bool) -> None:
        """A deploy changed where answers lead; this gate was open before."""
        open_ = list(self.run.state.gates.open.values())
        gate = open_[which % len(open_)]
        kept, self.run.spec = self.run.spec, elsewhere(self.run.spec)
        if gate.kind == "approval":
            form = {"sure": True} if kept is SIDE_BY_SIDE and yes else None
            self.answer(a_review("approved" if yes else "rejected", gate.visit_key, form=form))
        else:
            self.answer(a_resume(gate.visit_key))
        self.run.spec = kept

    @rule()
    def operator_holds(self) -> None:
        held = self.run.state.gates.hold is not None
        answer = self.run.ask(a_hold())
        if self.run.state.terminal is None:
            assert isinstance(answer, Refusal) == held, answer

    @precondition(lambda self: self.run.state.gates.hold)
    @rule()
    def operator_lifts_the_hold(self) -> None:
        self.run.resume()
        assert self.run.state.gates.hold is None

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.run.time_passes(pause)

    @rule(target=claims, which=counted, stays=st.booleans())
    def worker_takes_what_an_old_row_names(
        self, which: int, stays: bool
    ) -> Held | MultipleResults[Held]:
        """Any attempt or timer that ever was, over or not."""
        keys = list(self.run.state.attempts)
        if not keys:
            return multiple()
        offer = self.run.offer()
        self.run.ask(Claim(attempt_key=keys[-1 - which % len(keys)], offer=offer))
        return self.taken(offer)

    @precondition(lambda self: bool(attempt_rows(self.run.state)))
    @rule(target=claims, which=counted)
    def worker_takes_what_the_index_names(self, which: int) -> Held | MultipleResults[Held]:
        rows = attempt_rows(self.run.state)
        row = rows[which % len(rows)]
        due = row.visible_at if row.held_until is None else row.held_until
        offer = self.run.offer()
        answer = self.run.ask(Claim(attempt_key=row.attempt_key, offer=offer))
        assert isinstance(answer, Decision) == (due <= self.run.now), (row, answer)
        return self.taken(offer)

    @rule(target=claims, claim=consumes(claims), stays=st.booleans(), fails=st.booleans())
    def worker_settles(self, claim: Held, stays: bool, fails: bool) -> Held | MultipleResults[Held]:
        offer = self.run.offer() if stays else None
        if fails and self.run.spec is not ROUND_AND_ROUND:
            self.run.ask(Fail(held=claim, error=BOOM, offer=offer))
        else:
            self.run.ask(Complete(held=claim, output=1, offer=offer))
        return multiple() if offer is None else self.taken(offer)

    @rule(claim=claims)
    def worker_heartbeats(self, claim: Held) -> None:
        self.run.ask(Heartbeat(held=claim, lease_ms=MINUTE))

    @precondition(lambda self: self.run.state.terminal is None)
    @rule(turns=st.integers(1, 3))
    def everybody_does_what_is_asked(self, turns: int) -> None:
        for _ in range(turns):
            if self.run.state.terminal is None and self.run.state.gates.hold is None:
                self.somebody_does_what_is_due()

    @rule()
    def process_restarts(self) -> None:
        self.run.process_restarts()

    @rule(fed_up=st.sampled_from([False] * 19 + [True]))
    def operator_looks_in(self, fed_up: bool) -> None:
        if fed_up:
            self.run.ask(a_cancel())

    @precondition(lambda self: only_claimed_work_is_left(self.run.state))
    @rule()
    def operator_holds_while_the_last_work_runs(self) -> None:
        self.run.ask(a_hold())

    # -- what must always hold --

    @invariant()
    def state_is_the_fold_of_the_journal(self) -> None:
        assert self.run.state == fold_run(self.run.state.run_id, self.run.journal)
        assert () == self.run.state.anomalies
        assert Plan() == plan(self.run.state, self.run.spec)

    @invariant()
    def each_gate_is_answered_at_most_once(self) -> None:
        naive_waiting.each_gate_is_answered_at_most_once(self.run.journal)
        naive.each_visit_is_applied_once(self.run.journal)

    @invariant()
    def answers_come_whole_and_lead_where_the_gate_said(self) -> None:
        naive_waiting.answers_come_whole(self.run.journal, self.ends)
        naive_waiting.answers_lead_where_the_gate_said(self.run.journal)

    @invariant()
    def oldest_message_goes_to_oldest_visit(self) -> None:
        naive_waiting.oldest_message_goes_to_oldest_visit(self.run.journal, self.ends)

    @invariant()
    def every_accepted_message_is_kept_or_taken(self) -> None:
        taken = [step for step, _ in self.sent[: len(self.sent) - len(self.run.state.mail.kept)]]
        assert naive_waiting.kept_messages(self.run.journal) == list(self.run.state.mail.kept)
        assert len(taken) == sum(
            applied.step == "parcel" and applied.source is not None
            for applied in self.run.state.applied.values()
        )

    @invariant()
    def messages_find_room(self) -> None:
        naive_waiting.messages_find_room(self.run.journal, self.run.spec)

    @invariant()
    def context_shows_the_newest_of_what_was_taken(self) -> None:
        """The parcels are seen in the order they were sent, and answers under their key."""
        context = self.run.state.context
        assert naive.context(self.run.journal) == context
        gone = len(self.sent) - len(self.run.state.mail.kept)
        if gone:
            assert {"n": self.sent[gone - 1][1]} == context["parcel"]
        for visit, action in self.answers.items():
            if visit.endswith(":look"):
                look = context["look"]
                assert isinstance(look, dict)
                assert (action, "olga") == (look["decision"], look["actor"])

    @invariant()
    def nothing_is_claimed_under_a_hold(self) -> None:
        naive_waiting.nothing_is_claimed_under_a_hold(self.run.journal)
        if self.run.state.gates.hold is not None:
            assert () == attempt_rows(self.run.state)

    @invariant()
    def timers_stand_where_defined_and_deadlines_never_act(self) -> None:
        naive_waiting.timers_stand_where_defined(self.run.journal, self.run.spec)
        naive_waiting.only_timers_end_a_wait(self.run.journal, self.run.spec)
        naive.leases_are_exclusive(self.run.journal)

    @invariant()
    def status_is_that_of_the_protocol(self) -> None:
        assert naive_waiting.status(self.run.journal) == self.run.state.status

    @invariant()
    def visits_are_told_apart_and_bounded(self) -> None:
        naive.visits_have_their_own_keys(self.run.journal)
        assert naive.visits(self.run.journal) == self.run.state.visits
        naive.visits_are_bounded(self.run.journal, self.run.spec)
        if self.run.state.terminal is None and self.run.spec.by_dependencies:
            naive.ready_steps_are_entered(self.run.journal, self.run.spec)
        elif self.run.state.terminal is None and self.run.spec is not ROUND_AND_ROUND:
            naive.routes_are_followed(self.run.journal, self.run.spec)

    @invariant()
    def nothing_follows_the_end(self) -> None:
        naive.nothing_follows_the_end(self.run.journal)

    @invariant()
    def every_open_run_waits_for_something(self) -> None:
        state = self.run.state
        waits = state.live or state.gates.open or state.mail.awaited
        assert state.terminal is not None or waits, state.status

    def teardown(self) -> None:
        """When everybody does what is asked of them, the run ends."""
        if not hasattr(self, "run"):
            return
        for _ in range(100):
            if self.run.state.terminal is None:
                self.somebody_does_what_is_due()
        event(f"ends {self.run.state.status}")
        assert self.run.state.terminal is not None, self.run.state.status
        assert_run_clean(self.run)

    # --

    @property
    def ends(self) -> list[Revision]:
        """The revision after each append."""
        return [state.revision for state in self.run.states]

    def answer(self, command: Review | Resume) -> None:
        """Give an answer; what was accepted closed a gate that was open, or lifted the hold."""
        before = self.run.state
        answer = self.run.ask(command)
        if isinstance(answer, Decision):
            after = self.run.state.gates
            [said] = after.answers[len(before.gates.answers) :]
            if said.visit_key is None:
                assert before.gates.hold is not None
            else:
                assert said.visit_key in before.gates.open
                assert said.visit_key not in self.answers, said
                self.answers[said.visit_key] = said.action
            event(f"{said.action} {'a gate' if said.step else 'a hold'}")
        else:
            assert before is self.run.state
            assert isinstance(answer, Refusal), answer
            event(f"answer refused: {answer.code}")

    def send(self, command: Send) -> Answer:
        """Hand a message in, and remember it if it was accepted."""
        waits = self.run.state.mail.awaited
        answer = self.run.ask(command)
        if isinstance(answer, Decision):
            assert isinstance(command.payload, dict)
            self.sent.append((command.node, command.payload["n"]))
            event(f"message {'awaited' if waits else 'early'}")
        else:
            event(f"message {answer.code if isinstance(answer, Refusal) else 'known'}")
        return answer

    def taken(self, offer: Offer) -> Held | MultipleResults[Held]:
        """What was claimed for a worker, if anything was."""
        return self.run.held(offer) if self.run.claimed_for(offer) else multiple()

    def somebody_does_what_is_due(self) -> None:
        """Lift the hold, else work, else answer, else send."""
        state = self.run.state
        if state.gates.hold is not None:
            self.run.resume()
            return
        for row in attempt_rows(state):
            if row.action is not None:
                free = row.visible_at if row.held_until is None else row.held_until
                self.run.time_passes(max(timedelta(0), free - self.run.now))
                offer = self.run.offer()
                self.run.ask(Claim(attempt_key=row.attempt_key, offer=offer))
                if self.run.claimed_for(offer):
                    self.run.complete(self.run.held(offer))
                return
        for gate in state.gates.open.values():
            command: Review | Resume = a_resume(gate.visit_key)
            if gate.kind == "approval":
                form = {"sure": True} if self.run.spec is SIDE_BY_SIDE else None
                command = a_review("approved", gate.visit_key, form=form)
            self.answer(command)
            return
        self.send(a_message("parcel", {"n": 1}))


def only_claimed_work_is_left(state: RunState) -> bool:
    """Whether a run that goes forward ends, or goes on, with what workers hold right now."""
    waits = state.gates.waiting or state.mail.awaited or state.saga.started is not None
    held = [attempt.status == "claimed" for attempt in state.live.values()]
    return bool(held) and all(held) and state.terminal is None and not waits


def elsewhere(spec: Spec) -> Spec:
    """The same workflow with every answer leading to its end, and under another name."""
    routes = tuple(
        evolve(taken, target=COMPLETE) if taken.source in {"ask", "look"} else taken
        for taken in spec.transitions
    )
    steps = tuple(
        evolve(node, output="elsewhere") if isinstance(node, PauseNode | ApprovalNode) else node
        for node in spec.steps
    )
    return evolve(spec, transitions=routes, steps=steps)


TestEveryAnswerCountsOnceAndNoMessageIsLost = EveryAnswerCountsOnceAndNoMessageIsLost.TestCase
TestEveryAnswerCountsOnceAndNoMessageIsLost.settings = settings(stateful_step_count=60)


@pytest.mark.parametrize(
    "plant",
    [
        bugs_waiting.gate_answered_twice,
        bugs_waiting.rejection_without_a_route_wedges,
        bugs_waiting.rejection_taken_for_a_yes,
        bugs_waiting.targets_read_again,
        bugs_waiting.answer_not_in_the_context,
        bugs_waiting.no_receipt,
        bugs_waiting.successor_claimed_under_a_hold,
        bugs_waiting.claimed_under_a_hold,
        bugs_waiting.hold_keeps_a_run_from_its_end,
        bugs_waiting.held_run_left_in_the_index,
        bugs_waiting.message_given_to_the_newest_visit,
        bugs_waiting.newest_message_taken_first,
        bugs_waiting.early_message_lost,
        bugs_waiting.message_kept_though_taken,
        bugs_waiting.messages_without_bound,
        bugs_waiting.timer_not_withdrawn,
        bugs_waiting.timer_counts_as_live,
        bugs_waiting.timer_keeps_a_run_from_its_end,
        bugs_waiting.time_out_goes_the_way_of_an_answer,
        bugs_waiting.time_out_counts_a_visit,
        bugs_waiting.deadline_acts,
        bugs_waiting.time_out_starts_when_it_is_over,
        bugs_waiting.repetition_done_again,
        bugs.output_lost,
    ],
)
def test_waiting_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(EveryAnswerCountsOnceAndNoMessageIsLost, plant)
