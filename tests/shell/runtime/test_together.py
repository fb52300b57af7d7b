"""Commands on one run that share an append: each is decided as if it had come alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pytest
from attrs import evolve
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from squidmesh.door import handle as handle_module
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.known import Known
from squidmesh.ports import Ports
from squidmesh_core.decide import Answer, Refusal, decide
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import AttemptKey, Fingerprint, NodeName, attempt_key, visit_key
from squidmesh_core.protocol.commands import Claim, Command, Complete, Defer, Fail, Held, Offer
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.fold import fold_run
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import rows_of
from squidmesh_storage.memory import MemoryJournal
from support.planted import Plant
from support.scenario import BOOM, RUN, Scenario, a_hold, a_start
from support.stage import Clock, entries
from support.workflows import step, workflow

BESIDE: Final = ("pack", "bill", "tell", "weigh")
SPEC: Final = workflow(
    step("pick"),
    *(step(name, after=("pick",), output=name) for name in BESIDE),
    step("ship", after=BESIDE),
)
OFFERS: Final = Scenario(SPEC)
HONEST: Final = handle_module._decided

Decided = tuple[list[Answer | Exception], RunState, list[Entry]]

#: What somebody says, of which of the steps, and whether the slot would go on.
Said = tuple[str, str, bool]
SAID: Final = st.tuples(
    st.sampled_from(["complete", "complete", "other output", "fail", "defer", "stranger", "hold"]),
    st.sampled_from(BESIDE),
    st.booleans(),
)
#: What goes together, and whether another process moves the run just before.
ROUNDS: Final = st.lists(
    st.tuples(st.lists(SAID, min_size=1, max_size=5), st.booleans()), min_size=1, max_size=3
)


class Pair:
    """A run whose commands share appends, and its twin, whose commands come one by one."""

    def __init__(self) -> None:
        clock = Clock()
        self.journal = MemoryJournal(clock=clock)
        self.door, self.rival = (Door(self.journal, Ports()) for _ in range(2))
        self.twin = Scenario(SPEC, now=clock.now)
        self.held: dict[str, Held] = {}
        self.door.define(SPEC)
        start = evolve(a_start(), definition=Fingerprint(SPEC.fingerprint))
        self.door.handle(RUN, start, begin=self.door.beginning(RUN, SPEC))
        self.twin.ask(start)
        self.claims("pick")
        self.alone(self.door, Complete(held=self.held["pick"]))
        for name in BESIDE:
            self.claims(name)

    def claims(self, name: str) -> None:
        """A worker takes a step."""
        offer = OFFERS.offer()
        self.alone(self.door, Claim(attempt_key=_key(name), offer=offer))
        self.held[name] = _held(name, offer)

    def alone(self, door: Door, command: Command) -> None:
        """One command, which nobody shares an append with."""
        door.handle(RUN, command)
        self.twin.ask(command)

    def together(self, commands: Sequence[Command]) -> None:
        """Commands in one append, if they write at all; their answers are the twin's."""
        before = len(self.journal.load(RUN).records)
        answers = self.door.handle_all([(RUN, command) for command in commands])
        expected = [_word(self.twin.ask(command)) for command in commands]

        assert expected == [_word(_answered(one)) for one in answers]
        written = len(self.journal.load(RUN).records) - before
        assert ("Decision" in expected) == written

    def agree(self) -> None:
        """Both journals say the same, and the index says what they imply."""
        there = entries(self.journal, RUN)
        state = fold_run(RUN, there)

        assert self.twin.journal == there
        assert () == state.anomalies
        assert state == self.door.fresh(RUN).state
        assert rows_of(state, SPEC) == self.journal.rows_of(RUN)

    def command(self, said: Said) -> Command:
        """What somebody says, as a command."""
        word, name, go_on = said
        held, offer = self.held[name], OFFERS.offer() if go_on else None
        match word:
            case "fail":
                return Fail(held=held, error=BOOM, offer=offer)
            case "defer":
                return Defer(held=held, reason="not yet", offer=offer)
            case "hold":
                return a_hold()
            case "stranger":
                other = _held(name, OFFERS.offer())
                return Complete(held=other, output=1, offer=offer)
            case _:
                return Complete(held=held, output=word, offer=offer)


def _key(name: str) -> AttemptKey:
    return attempt_key(visit_key(RUN, NodeName(name)), 1)


def _held(name: str, offer: Offer) -> Held:
    return Held(
        attempt_key=_key(name),
        claim_id=offer.claim_id,
        claim_token_hash=offer.claim_token_hash,
    )


def _answered(one: Handled | Exception) -> Answer:
    if isinstance(one, Exception):
        raise one
    return one.answer


def _word(answer: Answer) -> str:
    return answer.code if isinstance(answer, Refusal) else type(answer).__name__


def play(rounds: Sequence[tuple[Sequence[Said], bool]]) -> None:
    """Say it together on one side, and one by one on the other."""
    pair = Pair()
    for said, overtaken in rounds:
        if overtaken:
            pair.alone(pair.rival, pair.command(("complete", "weigh", False)))
        pair.together([pair.command(one) for one in said])
        pair.agree()


@given(ROUNDS)
def test_sharing_an_append_changes_no_answer_and_no_entry(
    rounds: list[tuple[list[Said], bool]],
) -> None:
    """Refusals, repetitions and rivals or not: only the number of appends differs."""
    play(rounds)


def test_what_one_command_trips_over_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours on the same run are carried out, in the one append."""
    pair = Pair()

    def tripping(state: RunState, spec: Spec, command: Command, now: datetime) -> Answer:
        if isinstance(command, Fail):
            raise RuntimeError("a decider wrote an entry that does not fit")
        return decide(state, spec, command, now)

    monkeypatch.setattr(handle_module, "decide", tripping)
    said = [("complete", "pack", False), ("fail", "bill", False), ("complete", "tell", False)]
    commands = [pair.command(one) for one in said]

    packed, bug, told = pair.door.handle_all([(RUN, command) for command in commands])

    assert isinstance(bug, RuntimeError)
    assert isinstance(packed, Handled)
    assert isinstance(told, Handled)
    assert packed.state == told.state == pair.door.fresh(RUN).state
    assert (packed.entries[-1].revision, told.entries[-1].revision) == (
        told.entries[0].revision - 1,
        told.state.revision,
    )


# --- bugs that this must find


def decided_on_what_was_known(patch: pytest.MonkeyPatch) -> None:
    """Each command is decided on the run as it was before any of them."""

    def decided(known: Known, commands: Sequence[Command], at: datetime) -> Decided:
        alone = [HONEST(known, (command,), at) for command in commands]
        answers = [answer for answers, _, _ in alone for answer in answers]
        return answers, alone[-1][1], [entry for _, _, written in alone for entry in written]

    patch.setattr(handle_module, "_decided", decided)


def one_refused_spoils_the_others(patch: pytest.MonkeyPatch) -> None:
    """All of them are written, or none."""

    def decided(known: Known, commands: Sequence[Command], at: datetime) -> Decided:
        answers, state, written = HONEST(known, commands, at)
        if any(isinstance(answer, Refusal) for answer in answers):
            return answers, known.state, []
        return answers, state, written

    patch.setattr(handle_module, "_decided", decided)


def refused_is_the_last_word(patch: pytest.MonkeyPatch) -> None:
    """Whatever comes after a refusal is left out."""

    def decided(known: Known, commands: Sequence[Command], at: datetime) -> Decided:
        answers, state, written = HONEST(known, commands, at)
        codes = [isinstance(answer, Refusal) for answer in answers]
        if True not in codes:
            return answers, state, written
        through = codes.index(True) + 1
        _, state, written = HONEST(known, commands[:through], at)
        return answers, state, written

    patch.setattr(handle_module, "_decided", decided)


@pytest.mark.parametrize(
    "plant", [decided_on_what_was_known, one_refused_spoils_the_others, refused_is_the_last_word]
)
def test_sharing_that_goes_wrong_is_noticed(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property above is worth something."""
    plant(monkeypatch)
    canary = settings(derandomize=True, database=None, phases=[Phase.generate], deadline=None)

    with pytest.raises((AssertionError, StorageError, ValueError)):
        canary(given(ROUNDS)(play))()
