"""The command machine: whatever is said twice under one key counts once, at any time later."""

from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from squidmesh_core.decide import Already, Answer, Decision, Refusal
from squidmesh_core.ids import Revision, derived_run_id
from squidmesh_core.protocol.commands import Operating
from squidmesh_core.protocol.entries import RunSignalReceived
from support import bugs_waiting
from support.checking import assert_run_clean
from support.planted import Plant, assert_machine_catches
from support.scenario import (
    LEASE,
    SECOND,
    Scenario,
    a_cancel,
    a_hold,
    a_message,
    a_resume,
    a_review,
    a_start,
    milliseconds,
)
from support.workflows import FORM, MESSAGE, approval, pause, receive, step, workflow

#: Something for every command, and no end before somebody says so.
SPEC = workflow(
    pause("look"),
    pause("count"),
    approval("ask", form=FORM, timeout_ms=milliseconds(LEASE)),
    receive("parcel", message=MESSAGE),
    receive("bill", message=MESSAGE),
    step("pack"),
    step("ship", after=("look", "ask", "parcel", "pack")),
)

actors = st.sampled_from(["ida", "olga"])
#: Few keys, so that they meet.
keys = st.sampled_from(["k1", "k2"])
commands: st.SearchStrategy[Operating] = st.one_of(
    st.builds(a_hold, actor=actors),
    st.builds(a_resume, st.sampled_from([None, "look", "count", "ask"]), actor=actors),
    st.builds(
        a_review,
        st.sampled_from(["approved", "rejected"]),
        st.sampled_from([None, "ask", "look"]),
        form=st.sampled_from([None, {"sure": True}, {"sure": False}, {"sure": 5}]),
        actor=actors,
    ),
    st.builds(
        a_message,
        st.sampled_from(["parcel", "bill", "pack"]),
        st.sampled_from([{"n": 1}, {"n": 2}, {"n": "x"}]),
        actor=actors,
    ),
)
pauses = st.sampled_from([SECOND, LEASE])


class ACommandUnderOneKeyCountsOnce(RuleBasedStateMachine):
    """Callers send commands again and again; runs move on and end in the meantime."""

    given: Bundle[Operating] = Bundle("given")
    runs = 0

    # -- what can happen --

    @initialize()
    def run_is_started(self) -> None:
        self.runs += 1
        self.run = Scenario(SPEC, run_id=derived_run_id("run", str(self.runs)))
        # The model: verb and key → what was asked under it, and where it stands.
        self.known: dict[tuple[str, str], tuple[str, Revision]] = {}
        self.run.decides(a_start(run_id=self.run.state.run_id, key="order"))

    @precondition(lambda self: self.run.state.terminal is not None)
    @rule()
    def next_run_is_started(self) -> None:
        assert_run_clean(self.run)
        self.run_is_started()

    @rule(target=given, command=commands, key=keys)
    def command_comes(self, command: Operating, key: str) -> Operating:
        command = evolve(command, said=evolve(command.said, key=key))
        self.give(command)
        return command

    @rule(command=given)
    def the_very_same_comes_again(self, command: Operating) -> None:
        self.give(command)

    @rule(command=given)
    def the_same_comes_with_other_metadata(self, command: Operating) -> None:
        """Neither metadata nor the instant it was given at is part of what was asked."""
        said = evolve(command.said, metadata={"try": 2}, occurred_at=self.run.now)
        self.give(evolve(command, said=said))

    @rule(command=given)
    def the_same_comes_without_its_key(self, command: Operating) -> None:
        """Nobody can know that it is the same."""
        answer = self.run.ask(evolve(command, said=evolve(command.said, key=None)))
        assert not isinstance(answer, Already), answer

    @rule(fed_up=st.sampled_from([False] * 9 + [True]), key=keys)
    def operator_looks_in(self, fed_up: bool, key: str) -> None:
        if fed_up:
            self.give(a_cancel(key=key))

    @rule(digest=st.sampled_from(["as ordered", "something else"]))
    def start_comes_again(self, digest: str) -> None:
        before = len(self.run.journal)
        answer = self.run.ask(a_start(run_id=self.run.state.run_id, key="order", digest=digest))
        assert before == len(self.run.journal)
        if digest == "as ordered":
            assert isinstance(answer, Already), answer
            assert Revision(1) == answer.revision
        else:
            assert isinstance(answer, Refusal), answer
            assert "idempotency_conflict" == answer.code

    @precondition(lambda self: "pack" in self.run.steps)
    @rule()
    def worker_works(self) -> None:
        if self.run.state.gates.hold is None:
            self.run.perform("pack")

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.run.time_passes(pause)

    @rule()
    def process_restarts(self) -> None:
        self.run.process_restarts()

    # -- what must always hold --

    @invariant()
    def each_key_has_one_receipt(self) -> None:
        receipts = [
            (entry.command, entry.idempotency_key)
            for entry in self.run.journal
            if isinstance(entry, RunSignalReceived) and entry.idempotency_key is not None
        ]
        assert sorted(set(receipts)) == sorted(receipts)
        assert sorted([("start", "order"), *self.known]) == sorted(receipts)

    @invariant()
    def every_receipt_has_its_effect_behind_it(self) -> None:
        ends = {state.revision for state in self.run.states}
        for entry in self.run.journal:
            if isinstance(entry, RunSignalReceived):
                assert entry.revision not in ends, entry

    # --

    def give(self, command: Operating) -> None:
        """Give a command under a key; the model says whether it is new."""
        verb, key = verb_of(command), command.said.key or ""
        known = self.known.get((verb, key))
        journal, state = list(self.run.journal), self.run.state
        answer = self.run.ask(command)
        if known is None:
            assert not isinstance(answer, Already), answer
            assert code(answer) != "idempotency_conflict", answer
            if isinstance(answer, Decision):
                self.known[verb, key] = command.digest, answer.entries[0].revision
        elif known[0] == command.digest:
            assert isinstance(answer, Already), answer
            assert known[1] == answer.revision
        else:
            assert "idempotency_conflict" == code(answer), answer
        if not isinstance(answer, Decision):
            assert (journal, state) == (self.run.journal, self.run.state)
        over = "an ended run" if state.terminal else "an open run"
        event(f"{type(answer).__name__} {code(answer)} of {over}")


def verb_of(command: Operating) -> str:
    """The word of the command, as people say it."""
    word = type(command).__name__.lower()
    decision: str = getattr(command, "decision", "")
    return {"approved": "approve", "rejected": "reject"}.get(decision, word)


def code(answer: Answer) -> str:
    """Why not; empty for a yes."""
    return answer.code if isinstance(answer, Refusal) else ""


TestACommandUnderOneKeyCountsOnce = ACommandUnderOneKeyCountsOnce.TestCase
TestACommandUnderOneKeyCountsOnce.settings = settings(stateful_step_count=40)


@pytest.mark.parametrize(
    "plant",
    [
        bugs_waiting.key_bound_to_the_run,
        bugs_waiting.key_forgotten_at_the_end,
        bugs_waiting.other_payload_under_the_key_passes,
        bugs_waiting.repetition_done_again,
        bugs_waiting.key_not_written,
        bugs_waiting.over_means_over_first,
    ],
)
def test_command_machine_catches(plant: Plant) -> None:
    """The machine fails on each of these bugs, so its silence means something."""
    assert_machine_catches(ACommandUnderOneKeyCountsOnce, plant)
