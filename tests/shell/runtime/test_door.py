"""The door alone: a scripted journal answers, and nothing is ever guessed."""

from collections.abc import Callable, Iterable
from datetime import datetime

import pytest
from attrs import evolve

from squidmesh.door import handle as handle_module
from squidmesh.door.door import Door
from squidmesh.door.handle import MOST_RESENDS, MOST_TRIES, Handled
from squidmesh.ports import Ports, Site
from squidmesh_core import decide as core
from squidmesh_core.decide import Already, Answer, Decision, Refusal
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import OutcomeUnknown, RevisionConflict, StorageUnavailable
from squidmesh_core.ids import AppendId, AttemptKey, Fingerprint, Revision, RunId
from squidmesh_core.protocol.commands import Cancel, Claim, Command, Defer, Held
from squidmesh_core.state.run import RunState
from squidmesh_storage.api import Batch, Conflict, Outcome, Unknown
from squidmesh_storage.memory import MemoryJournal
from support.scenario import Scenario, a_cancel, a_start
from support.stage import Clock, entries
from support.workflows import chain, step

SPEC = chain(step("charge"), step("ship"))
START = a_start()
RUN = START.run_id
OTHER = RunId("0193e2a0-7b3c-7d10-8f00-000000000002")

#: What one append meets.
Fate = Callable[["Scripted", Batch], Outcome]


class Scripted(MemoryJournal):
    """A journal whose appends meet prepared fates; then it is honest."""

    def __init__(self) -> None:
        super().__init__(clock=Clock())
        self.fates: list[Fate] = []
        self.sent: list[Batch] = []
        self.finds = 0
        #: Whether looking for an append fails, so often.
        self.unreachable = 0

    def append(self, batches: Iterable[Batch]) -> tuple[Outcome, ...]:
        """Let the first batch meet its fate."""
        (batch,) = batches
        self.sent.append(batch)
        if self.fates:
            return (self.fates.pop(0)(self, batch),)
        return self.honest(batch)

    def honest(self, batch: Batch) -> tuple[Outcome, ...]:
        """What an honest journal does."""
        return super().append((batch,))

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """Count, and fail as told."""
        self.finds += 1
        if self.unreachable:
            self.unreachable -= 1
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        return super().find(run_id, append_id)


def unknown(batch: Batch) -> Unknown:
    """Nobody knows."""
    return Unknown(run_id=batch.record.run_id, append_id=batch.record.append_id)


def committed_unheard(journal: Scripted, batch: Batch) -> Outcome:
    """It is durable, and the answer is lost."""
    journal.honest(batch)
    return unknown(batch)


def lost(journal: Scripted, batch: Batch) -> Outcome:
    """It never arrived."""
    return unknown(batch)


def commits_late(journal: Scripted, batch: Batch) -> Outcome:
    """It arrives just before the next append does."""

    def later(journal: Scripted, resent: Batch) -> Outcome:
        journal.honest(batch)
        return journal.honest(resent)[0]

    journal.fates.insert(0, later)
    return unknown(batch)


def lost_to_a_rival(journal: Scripted, batch: Batch) -> Outcome:
    """It never arrived, and somebody else appended meanwhile."""
    rival(journal)
    return unknown(batch)


def unavailable(journal: Scripted, batch: Batch) -> Outcome:
    """The storage is away for this try."""
    raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})


def overtaken(journal: Scripted, batch: Batch) -> Outcome:
    """Somebody else was first."""
    rival(journal)
    return journal.honest(batch)[0]


def rival(journal: Scripted) -> None:
    """Another process claims and lets go: the run moves on."""
    other = Door(journal, Ports())
    fates, journal.fates, sent = journal.fates, [], list(journal.sent)
    state = other.fresh(RUN).state
    live = [one for one in state.live.values() if one.status != "claimed"]
    scenario = Scenario(SPEC)
    other.handle(RUN, Claim(attempt_key=live[0].key, offer=scenario.offer("rival")))
    journal.fates, journal.sent = fates, sent


def opened() -> tuple[Scripted, Door]:
    """A door on a scripted journal, with one started run."""
    journal = Scripted()
    door = Door(journal, Ports())
    door.define(SPEC)
    started(door)
    journal.sent.clear()
    return journal, door


def started(door: Door) -> Handled:
    """The start of the run."""
    command = evolve(START, definition=Fingerprint(SPEC.fingerprint))
    return door.handle(RUN, command, begin=door.beginning(RUN, SPEC))


def claim_of(door: Door, owner: str = "ana") -> Command:
    """A claim of the run's first attempt."""
    key = next(iter(door.fresh(RUN).state.live))
    return Claim(attempt_key=key, offer=Scenario(SPEC).offer(owner))


@pytest.mark.parametrize(
    ("fates", "sends"),
    [
        ([committed_unheard], 1),
        ([lost], 2),
        ([commits_late], 2),
        ([lost, committed_unheard], 2),
        ([lost, lost, lost], 4),
        ([lost, commits_late], 3),
        ([lost, unavailable, lost, unavailable], 5),
        ([lost] * MOST_RESENDS, MOST_RESENDS + 1),
    ],
)
def test_an_unknown_outcome_is_resolved_by_its_append_id(fates: list[Fate], sends: int) -> None:
    """The identical append is sent again until it is known; it is there once."""
    journal, door = opened()
    journal.fates = list(fates)

    handled = door.handle(RUN, claim_of(door))

    assert isinstance(handled.answer, Decision)
    assert sends == len(journal.sent)
    assert [journal.sent[0]] * sends == journal.sent
    assert len(entries(journal, RUN)) == handled.state.revision
    assert 2 == len(journal.load(RUN).records)


def test_a_storage_that_is_away_while_looking_does_not_make_it_known() -> None:
    """ "Nothing was written" of the look says nothing of the append."""
    journal, door = opened()
    journal.fates, journal.unreachable = [committed_unheard], 2

    handled = door.handle(RUN, claim_of(door))

    assert isinstance(handled.answer, Decision)
    assert (1, 3) == (len(journal.sent), journal.finds)


@pytest.mark.parametrize("away", [True, False])
def test_an_outcome_that_stays_unknown_is_said_to_be(away: bool) -> None:
    """Neither success nor failure; what is remembered does not move."""
    journal, door = opened()
    before = door.memory.get(RUN)
    command = claim_of(door)
    journal.fates = [committed_unheard if away else lost, *[lost] * MOST_RESENDS]
    journal.unreachable = 99 if away else 0

    with pytest.raises(OutcomeUnknown) as caught:
        door.handle(RUN, command)

    assert ("outcome_unknown", journal.sent[0].record.append_id) == (
        caught.value.code,
        caught.value.details["append_id"],
    )
    assert before == door.memory.get(RUN)
    journal.unreachable, journal.fates = 0, []
    assert away == isinstance(door.handle(RUN, command).answer, Refusal)


def test_a_lost_append_that_a_rival_overtook_is_decided_afresh() -> None:
    """The conflict is believed because the append is nowhere; the rival holds the claim."""
    journal, door = opened()
    command = claim_of(door)
    journal.fates = [lost_to_a_rival]

    handled = door.handle(RUN, command)

    assert isinstance(handled.answer, Refusal)
    assert "stale_claim" == handled.answer.code
    assert 1 == len({batch.record.append_id for batch in journal.sent})


def test_a_conflict_is_decided_afresh_under_a_new_append_id() -> None:
    """On the state as it is now, and what is remembered is that state."""
    journal, door = opened()
    journal.fates = [overtaken]

    handled = door.handle(RUN, a_cancel())

    assert isinstance(handled.answer, Decision)
    first, second = journal.sent
    assert first.record.append_id != second.record.append_id
    assert (Revision(3), Revision(4)) == (first.expected, second.expected)
    known = door.memory.get(RUN)
    assert known is not None
    assert (handled.state, journal.load(RUN).head.hash) == (known.state, known.hash)


def test_too_many_conflicts_are_given_up_and_nothing_was_written() -> None:
    """After so many, whoever asks may ask again."""
    journal, door = opened()

    def conflict(journal: Scripted, batch: Batch) -> Outcome:
        return Conflict(run_id=RUN, expected=batch.expected, actual=Revision(9))

    journal.fates = [conflict] * MOST_TRIES

    with pytest.raises(RevisionConflict) as caught:
        door.handle(RUN, a_cancel())

    assert {"run_id": RUN, "expected": 3, "actual": 9} == caught.value.details
    assert MOST_TRIES == len(journal.sent)
    assert 1 == len(journal.load(RUN).records)


def test_a_refusal_on_an_old_state_is_looked_at_once_more() -> None:
    """This process remembers a claimed attempt; another one has let it go since."""
    journal, door = opened()
    offer = Scenario(SPEC).offer("ana")
    key = next(iter(door.fresh(RUN).state.live))
    door.handle(RUN, Claim(attempt_key=key, offer=offer))
    held = Scenario(SPEC).offer("ana")
    other = Door(journal, Ports())
    proof = Held(attempt_key=key, claim_id=offer.claim_id, claim_token_hash=offer.claim_token_hash)
    other.handle(RUN, Defer(held=proof, reason="later"))
    following = next(iter(other.fresh(RUN).state.live))

    handled = door.handle(RUN, Claim(attempt_key=following, offer=held))

    assert isinstance(handled.answer, Decision)


def test_a_refusal_of_the_newest_state_is_final_and_writes_nothing() -> None:
    """One look, one answer."""
    journal, _ = opened()
    command = Claim(attempt_key=AttemptKey(f"{RUN}:nothing:1"), offer=Scenario(SPEC).offer())

    handled = Door(journal, Ports()).handle(RUN, command)

    assert isinstance(handled.answer, Refusal)
    assert "unknown_attempt" == handled.answer.code
    assert (0, ()) == (len(journal.sent), handled.entries)


def test_state_moves_only_after_committed() -> None:
    """While the append is on its way, this process knows the old state."""
    journal, door = opened()
    seen: list[int] = []

    def look(journal: Scripted, batch: Batch) -> Outcome:
        known = door.memory.get(RUN)
        assert known is not None
        seen.append(known.state.revision)
        return journal.honest(batch)[0]

    journal.fates = [look]
    handled = door.handle(RUN, claim_of(door))

    assert [3] == seen
    assert 4 == handled.state.revision


def test_the_same_start_again_writes_nothing_even_if_it_was_never_heard() -> None:
    """A start whose answer was lost is found by its id."""
    journal = Scripted()
    door = Door(journal, Ports())
    door.define(SPEC)
    journal.fates = [committed_unheard]

    first, again = started(door), started(Door(journal, Ports()))

    assert isinstance(first.answer, Decision)
    assert isinstance(again.answer, Already)
    assert 1 == len(journal.load(RUN).records)


@pytest.mark.parametrize("site", ["append.before", "append.after"])
def test_a_crash_around_the_append_leaves_all_of_it_or_nothing(site: Site) -> None:
    """What this process remembers is not ahead of the journal."""

    def crash(reached: Site) -> None:
        if reached == site:
            raise SystemExit(9)

    journal, _ = opened()
    door = Door(journal, Ports(site=crash))
    before = len(entries(journal, RUN))

    with pytest.raises(SystemExit):
        door.handle(RUN, a_cancel())

    assert before + (2 if site == "append.after" else 0) == len(entries(journal, RUN))
    known = door.memory.get(RUN)
    assert known is not None
    assert before == known.state.revision


def test_a_run_that_trips_over_a_bug_does_not_take_others_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What travels together fails apart: the other command is carried out."""
    journal, door = opened()
    honest = core.decide

    def decide(state: RunState, spec: Spec, command: Command, now: datetime) -> Answer:
        if isinstance(command, Cancel):
            raise RuntimeError("a decider wrote an entry that does not fit")
        return honest(state, spec, command, now)

    monkeypatch.setattr(handle_module, "decide", decide)
    other = evolve(START, run_id=OTHER, definition=Fingerprint(SPEC.fingerprint))
    door.handle(OTHER, other, begin=door.beginning(OTHER, SPEC))

    bug, handled = door.handle_all([(OTHER, a_cancel()), (RUN, claim_of(door))])

    assert isinstance(bug, RuntimeError)
    assert isinstance(handled, Handled)
    assert 2 == len(journal.load(RUN).records)
