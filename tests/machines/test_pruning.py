"""The pruning machine: runs go at any time, and no id ever begins twice."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pytest
from attrs import evolve
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from squidmesh import IdempotencyConflict, Mesh, Refused, Run, RunNotFound
from squidmesh.ports import Ports, Site
from squidmesh.starting import StartOptions
from squidmesh.upkeep import pruning
from squidmesh.workers.claim import Claim
from squidmesh_core.checker import check_run
from squidmesh_core.decide import Refusal
from squidmesh_core.decide.prune import Removal, prune
from squidmesh_core.definition.spec import Field, ManualTrigger
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import BEGINNING, AppendId, RunId, derived_run_id
from squidmesh_core.plan import retention
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import entries_of
from squidmesh_core.protocol.entries import Entry, RunPruned, RunStarted, RunTerminal
from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_core.state.fold import fold_run
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import rows_of
from squidmesh_storage.api import Batch, Conflict, Journal
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.faults import ProcessDied, counted_bytes
from support.planted import Plant, assert_machine_catches
from support.stage import Clock, does
from support.workflows import chain, step

PAYLOAD: Final = (Field(name="n", type="integer"),)
SPEC: Final = evolve(
    chain(step("a", output="a")), triggers=(ManualTrigger(name="placed", payload=PAYLOAD),)
)
ACTIONS: Final = does(a=lambda: 1)
HOUR: Final = timedelta(hours=1)
MONTH: Final = timedelta(days=30)
#: Ids that callers give; the first is of the version that is drawn otherwise.
GIVEN: Final = ("9f0c1e4a-53c9-7e9b-9d43-0d6b5c1ad001", "9f0c1e4a-53c9-4e9b-9d43-0d6b5c1ad002")

processes = st.sampled_from([0, 1])
numbers = st.sampled_from([1, 1, 2])
keys = st.sampled_from(["k", "l"])
ages = st.sampled_from([timedelta(0), HOUR, MONTH])
pauses = st.sampled_from([timedelta(seconds=61), HOUR - timedelta(seconds=1), HOUR, MONTH])


class NoIdEverBeginsTwice(RuleBasedStateMachine):
    """Runs are started, worked, cancelled and pruned, by processes that die and lag behind."""

    runs: Bundle[RunId] = Bundle("runs")
    claims: Bundle[tuple[int, Claim]] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.journal = self.kept()
        self.bytes = counted_bytes()
        self.strikes: list[tuple[Site, Exception | ProcessDied]] = []
        self.meshes = [self.opened(), self.opened()]
        #: The model: what each id began with, how it ended, and which are gone.
        self.begun: dict[RunId, int] = {}
        self.firsts: dict[RunId, AppendRecord] = {}
        self.ended: dict[RunId, tuple[str, datetime]] = {}
        self.gone: set[RunId] = set()
        self.named: set[RunId] = set()

    # -- what can happen

    @rule(target=runs, by=processes, key=keys, n=numbers)
    def somebody_starts_under_a_key(
        self, by: int, key: str, n: int
    ) -> RunId | MultipleResults[RunId]:
        run_id = derived_run_id(SPEC.workflow, "placed", key)
        return self.starts(by, run_id, n, {"key": key})

    @rule(target=runs, by=processes, given=st.sampled_from(GIVEN), n=numbers)
    def somebody_starts_under_an_id(
        self, by: int, given: str, n: int
    ) -> RunId | MultipleResults[RunId]:
        return self.starts(by, RunId(given), n, {"run_id": given})

    @rule(target=runs, by=processes)
    def somebody_starts(self, by: int) -> RunId | MultipleResults[RunId]:
        return self.starts(by, None, 1, {})

    @rule(target=claims, by=processes)
    def a_worker_claims(self, by: int) -> tuple[int, Claim] | MultipleResults[tuple[int, Claim]]:
        claim = self.meshes[by].claim(owner="ana")
        return multiple() if claim is None else (by, claim)

    @rule(held=consumes(claims))
    def that_worker_comes_back(self, held: tuple[int, Claim]) -> None:
        by, claim = held
        try:
            self.meshes[by].complete(claim, 1)
        except (Refused, RunNotFound) as error:
            event(f"complete refused, {error.code}")
            self.says_what_became_of(claim.run_id, error)
        self.look()

    @rule(by=processes)
    def a_worker_does_all_there_is(self, by: int) -> None:
        self.meshes[by].drain()
        self.look()

    @rule(by=processes, run_id=runs)
    def an_operator_cancels(self, by: int, run_id: RunId) -> None:
        try:
            self.meshes[by].cancel(run_id)
        except (Refused, RunNotFound) as error:
            self.says_what_became_of(run_id, error)
        self.look()

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.clock.advance(pause)

    @rule(by=processes, age=ages)
    def somebody_plans_to_prune(self, by: int, age: timedelta) -> None:
        before = self.stored()
        plan = self.meshes[by].prune(age, plan=True)

        assert len(self.old(age)) == plan.runs
        assert before == self.stored()

    @rule(by=processes, age=ages)
    def somebody_prunes_by_age(self, by: int, age: timedelta) -> None:
        expected = self.old(age)
        said = self.meshes[by].prune(age)
        self.find_out_what_is_gone()

        assert len(expected) == said.runs
        assert expected <= self.gone
        event(f"pruned by age, {min(said.runs, 2)} or more")

    @rule(by=processes, run_id=runs)
    def somebody_prunes_by_name(self, by: int, run_id: RunId) -> None:
        over = run_id in self.ended and run_id not in self.gone
        try:
            self.meshes[by].prune(run=run_id)
            pruned = True
        except (Refused, RunNotFound) as error:
            self.says_what_became_of(run_id, error)
            pruned = False
        self.find_out_what_is_gone()

        assert over is pruned
        assert not over or run_id in self.gone

    @rule(
        by=processes,
        age=ages,
        at=st.sampled_from(["remove.before", "remove.after"]),
        dies=st.booleans(),
    )
    def pruning_is_interrupted(self, by: int, age: timedelta, at: Site, dies: bool) -> None:
        may_go = self.old(age) | self.gone
        away = StorageUnavailable("away", "storage_unavailable", {})
        self.strikes.append((at, ProcessDied(at) if dies else away))
        try:
            self.meshes[by].prune(age)
        except ProcessDied:
            self.meshes[by] = self.opened()
        except StorageUnavailable:
            pass
        self.strikes.clear()
        self.find_out_what_is_gone()

        assert self.gone <= may_go

    @rule()
    def starts_arrive_a_second_time(self) -> None:
        for run_id, first in self.firsts.items():
            # After an hour nobody sends it any more, unless the id can be named again.
            if run_id in self.named or self.clock.now - first.at < HOUR:
                late = Batch(record=first, expected=BEGINNING, rows=RowChanges())
                assert isinstance(self.journal.append((late,))[0], Conflict)

    # -- what must always hold

    @invariant()
    def no_active_run_is_lost(self) -> None:
        for run_id in self.begun.keys() - self.ended.keys():
            assert RunStarted in map(type, self.entries(run_id)), run_id
            assert self.journal.rows_of(run_id).run is not None, run_id

    @invariant()
    def no_id_begins_twice(self) -> None:
        for run_id, first in self.firsts.items():
            records = self.records(run_id)
            if records and not isinstance(entries_of(records[0])[0], RunPruned):
                assert (first.append_id, False) == (records[0].append_id, run_id in self.gone)

    @invariant()
    def an_id_that_can_be_named_again_is_never_free(self) -> None:
        for run_id in self.named:
            assert self.records(run_id), run_id

    @invariant()
    def every_run_is_whole_or_gone(self) -> None:
        for run_id in self.begun:
            records, rows = self.records(run_id), self.journal.rows_of(run_id)
            if not records:
                assert rows == IndexRows(), run_id
                continue
            assert () == check_run(records, SPEC).violations
            assert rows_of(fold_run(run_id, self.entries(run_id)), SPEC) == rows, run_id

    # -- helpers

    def starts(
        self, by: int, run_id: RunId | None, n: int, options: StartOptions
    ) -> RunId | MultipleResults[RunId]:
        """A start, answered as the model says."""
        try:
            run = self.meshes[by].start_spec(SPEC, "placed", {"n": n}, actions=ACTIONS, **options)
        except IdempotencyConflict:
            other = {one: begun for one, begun in self.begun.items() if begun != n}
            assert run_id in other
            return multiple()
        found = RunId(run.id)
        assert n == self.begun.setdefault(found, n)
        assert (found in self.firsts) is run.duplicate
        self.ended_as_it_did(run)
        if found in self.firsts:
            return multiple()
        self.firsts[found] = self.records(found)[0]
        if options:
            self.named.add(found)
        return found

    def ended_as_it_did(self, run: Run) -> None:
        """What a start is told of a pruned run is what that run came to."""
        found = RunId(run.id)
        assert (found in self.gone) is (run.pruned_at is not None)
        if found in self.gone:
            assert self.ended[found] == (run.status, run.ended_at)
            event("a start finds a pruned run")

    def says_what_became_of(self, run_id: RunId, error: Refused | RunNotFound) -> None:
        """That a run is gone is said of those that are, and of no other."""
        told = isinstance(error, RunNotFound) or error.details.get("reason") == "pruned"
        assert told is (run_id in self.gone), (run_id, error)

    def old(self, age: timedelta) -> set[RunId]:
        """What goes at this age."""
        before = self.clock.now - age
        return {run_id for run_id, (_, at) in self.ended.items() if at < before} - self.gone

    def look(self) -> None:
        """See which runs have ended."""
        for run_id in self.begun.keys() - self.ended.keys():
            for entry in self.entries(run_id):
                if isinstance(entry, RunTerminal):
                    self.ended[run_id] = (entry.status, entry.at)

    def find_out_what_is_gone(self) -> None:
        """See which runs are pruned: only such as had ended, and for good."""
        gone = {
            run_id
            for run_id in self.begun
            if not any(isinstance(entry, RunStarted) for entry in self.entries(run_id))
        }
        assert self.gone <= gone <= self.ended.keys(), gone
        self.gone = gone

    def records(self, run_id: RunId) -> tuple[AppendRecord, ...]:
        """What is stored of a run."""
        return self.journal.stored(run_id, BEGINNING, 1_000)

    def entries(self, run_id: RunId) -> list[Entry]:
        """The same, decoded."""
        return [entry for record in self.records(run_id) for entry in entries_of(record)]

    def stored(self) -> dict[RunId, list[AppendId]]:
        """All that is stored."""
        return {
            run_id: [record.append_id for record in self.records(run_id)]
            for run_id in self.journal.run_ids(None, 1_000)
        }

    def kept(self) -> Journal:
        """Where the runs are kept."""
        return MemoryJournal(clock=self.clock)

    def opened(self) -> Mesh:
        """A process that knows nothing yet."""
        return Mesh(
            self.journal, actions=ACTIONS, ports=Ports(random_bytes=self.bytes, site=self.at)
        )

    def at(self, site: Site) -> None:
        """Where pruning is interrupted, if it is."""
        if self.strikes and self.strikes[0][0] == site:
            raise self.strikes.pop()[1]

    def teardown(self) -> None:
        """Close what is shared."""
        self.journal.close()


class NoIdEverBeginsTwiceOnSqlite(NoIdEverBeginsTwice):
    """The same, on the adapter that most begin with."""

    def kept(self) -> Journal:
        """Where the runs are kept."""
        return SqliteJournal(":memory:", clock=self.clock)


TestNoIdEverBeginsTwice = NoIdEverBeginsTwice.TestCase
TestNoIdEverBeginsTwiceOnSqlite = NoIdEverBeginsTwiceOnSqlite.TestCase


# --- planted bugs


def _decides(patch: pytest.MonkeyPatch, change: Callable[[RunState, object], object]) -> None:
    def careless(state: RunState, now: datetime) -> object:
        return change(state, prune(state, now))

    patch.setattr(pruning, "may_prune", careless)


def prunes_what_is_active(patch: pytest.MonkeyPatch) -> None:
    """Whoever names a run has it removed."""

    def removes(state: RunState, answer: object) -> object:
        active = isinstance(answer, Refusal) and state.pruned is None
        return Removal(revision=state.revision, tombstone=None) if active else answer

    _decides(patch, removes)


def forgets_the_tombstone(patch: pytest.MonkeyPatch) -> None:
    """Every run leaves nothing."""

    def forgets(_: RunState, answer: object) -> object:
        return evolve(answer, tombstone=None) if isinstance(answer, Removal) else answer

    _decides(patch, forgets)


def leaves_no_digest(patch: pytest.MonkeyPatch) -> None:
    """The same start is taken for another."""

    def blots(_: RunState, answer: object) -> object:
        if isinstance(answer, Removal) and answer.tombstone is not None:
            return evolve(answer, tombstone=evolve(answer.tombstone, digest=""))
        return answer

    _decides(patch, blots)


def tells_another_end(patch: pytest.MonkeyPatch) -> None:
    """Every pruned run is said to have completed."""

    def improves(_: RunState, answer: object) -> object:
        if isinstance(answer, Removal) and answer.tombstone is not None:
            return evolve(answer, tombstone=evolve(answer.tombstone, status="completed"))
        return answer

    _decides(patch, improves)


def forgets_that_starts_are_resent(patch: pytest.MonkeyPatch) -> None:
    """A young run with a drawn id leaves nothing."""
    patch.setattr(retention, "RESENT_WITHIN", timedelta(0))


def forgets_given_ids(patch: pytest.MonkeyPatch) -> None:
    """An id of the version that is drawn is taken for one."""
    patch.setattr(
        "squidmesh_core.decide.prune.can_come_again",
        lambda state, now: retention.can_come_again(evolve(state, receipts=()), now),
    )


def prunes_what_is_recent(patch: pytest.MonkeyPatch) -> None:
    """The age is forgotten."""
    patch.setattr(retention.Retention, "before", lambda _, now: now + timedelta(microseconds=1))


@pytest.mark.parametrize(
    "plant",
    [
        prunes_what_is_active,
        forgets_the_tombstone,
        leaves_no_digest,
        tells_another_end,
        forgets_that_starts_are_resent,
        forgets_given_ids,
        prunes_what_is_recent,
    ],
)
def test_pruning_machine_catches(plant: Plant) -> None:
    """A machine that misses a planted bug is the broken thing."""
    assert_machine_catches(NoIdEverBeginsTwice, plant)
