"""Claims of runs that this process has not read: read together, and each on its own."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import pytest
from attrs import evolve

from squidmesh import Mesh
from squidmesh.door import recall
from squidmesh.door.door import Door
from squidmesh.workers.settling import hand_back
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.state.contradiction import Named
from squidmesh_core.state.run import RunState
from squidmesh_storage.api import Choice, Claimed, DecideClaims, Loaded, Offered
from squidmesh_storage.memory import MemoryJournal
from support.damage import rewrite
from support.stage import EPOCH, Stage, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"))
ACTIONS = does(a=lambda: 1)
RUNS = 5


class Reading(MemoryJournal):
    """A journal that notes of how many runs each read was."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(clock=stage.clock)
        self.reads: list[int] = []
        self.away = False

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        self.reads.append(1)
        return super().load(run_id, after, whole=whole)

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        if self.away:
            raise StorageUnavailable("the storage is away", "storage_unavailable")
        before = [*self.reads]
        loaded = super().load_many(wanted)
        self.reads = [*before, len(wanted)]
        return loaded


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def journal(stage: Stage) -> Reading:
    """With runs that nobody has claimed from."""
    journal = Reading(stage)
    mesh = stage.mesh(journal=journal)
    for _ in range(RUNS):
        mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    journal.reads.clear()
    return journal


def hand_back_all(mesh: Mesh) -> None:
    """Claim every run and give it back: its journal is longer than one append then."""
    crew = mesh.engine.crew(("default",), "60s", owner="bob", heartbeat=False)
    for claim in mesh.engine.take(crew, RUNS).claims:
        hand_back(crew, claim)


def newcomer(stage: Stage, journal: Reading) -> Mesh:
    """A process that knows nothing of these runs."""
    return stage.mesh(journal=journal, actions=ACTIONS)


def taken(mesh: Mesh, limit: int) -> set[str]:
    """The runs that so many free slots got."""
    crew = mesh.engine.crew(("default",), "60s", owner="ana", heartbeat=False)
    return {claim.run_id for claim in mesh.engine.take(crew, limit).claims}


def test_fresh_runs_are_not_read(stage: Stage, journal: Reading) -> None:
    """The one append of each comes with the claim."""
    assert set(journal.run_ids(None, 9)) == taken(newcomer(stage, journal), RUNS)
    assert [] == journal.reads


def test_a_fresh_run_is_known_from_its_claim_on(stage: Stage, journal: Reading) -> None:
    """As it stands with the claim, so that settling it reads nothing either."""
    mesh = newcomer(stage, journal)
    crew = mesh.engine.crew(("default",), "60s", owner="ana", heartbeat=False)

    (claim,) = mesh.engine.take(crew, 1).claims

    known = mesh.door.memory.get(claim.run_id)
    assert known is not None
    assert journal.load(claim.run_id).head == known.head


def test_the_runs_of_one_claim_are_read_together(stage: Stage, journal: Reading) -> None:
    """However many slots are free, the journals are one read."""
    hand_back_all(newcomer(stage, journal))
    journal.reads.clear()

    assert set(journal.run_ids(None, 9)) == taken(newcomer(stage, journal), RUNS)
    assert [RUNS] == journal.reads


def test_a_claim_of_one_run_reads_that_run(stage: Stage, journal: Reading) -> None:
    """By the plain verb."""
    hand_back_all(newcomer(stage, journal))
    journal.reads.clear()

    assert 1 == len(taken(newcomer(stage, journal), 1))
    assert [1] == journal.reads


def test_runs_whose_leases_are_lost_are_read_together(stage: Stage, journal: Reading) -> None:
    """Before they are decided on, and so once."""
    taken(newcomer(stage, journal), RUNS)
    stage.clock.advance(90)
    journal.reads.clear()

    assert set(journal.run_ids(None, 9)) == taken(newcomer(stage, journal), RUNS)
    assert [RUNS] == journal.reads


def test_a_storage_that_goes_away_after_the_claim_loses_no_run(
    stage: Stage, journal: Reading
) -> None:
    """What cannot be read is not performed; the leases run out, and others take over."""
    hand_back_all(newcomer(stage, journal))
    journal.away = True
    assert set() == taken(newcomer(stage, journal), RUNS)
    journal.away = False
    stage.clock.advance(90)

    assert set(journal.run_ids(None, 9)) == taken(newcomer(stage, journal), RUNS)


def test_a_storage_that_is_away_before_the_claim_is_told_of(stage: Stage, journal: Reading) -> None:
    """The worker hears of it, and tries again."""
    taken(newcomer(stage, journal), RUNS)
    stage.clock.advance(90)
    journal.away = True

    with pytest.raises(StorageUnavailable):
        taken(newcomer(stage, journal), RUNS)


@pytest.mark.parametrize("pause", [0, 90], ids=["unclaimed", "lost"])
def test_a_damaged_run_keeps_no_other_from_being_claimed(
    stage: Stage, journal: Reading, pause: int
) -> None:
    """It is marked, with what is wrong; the others begin."""
    damaged, *others = journal.run_ids(None, 9)
    if pause:
        taken(newcomer(stage, journal), RUNS)
        stage.clock.advance(pause)
    records = journal.stored(damaged, BEGINNING, 9)
    torn = evolve(records[0], body=records[0].body.replace("placed", "plaxed"))
    rewrite(stage, journal, damaged, (torn, *records[1:]))

    assert set(others) == taken(newcomer(stage, journal), RUNS)
    assert journal.load(others[0]).quarantined is None
    ((marked, mark),) = journal.survey().quarantined.items()
    assert (damaged, Revision(1)) == (marked, mark.revision)


def test_a_run_that_reading_trips_over_keeps_no_other_from_being_claimed(
    stage: Stage, journal: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours stops that run, which says so; not the worker, nor whoever waits behind it."""
    strange, *others = journal.run_ids(None, 9)
    taken(newcomer(stage, journal), RUNS)
    stage.clock.advance(90)
    mesh = newcomer(stage, journal)

    def breaks(state: RunState, loaded: Loaded, named: Named) -> RunState:
        if state.run_id == strange:
            raise RuntimeError("an entry that nobody thought of")
        return folded(state, loaded, named)

    folded = recall._folded
    monkeypatch.setattr(recall, "_folded", breaks)

    assert set(others) == taken(mesh, RUNS)
    ((marked, mark),) = journal.survey().quarantined.items()
    assert (strange, "RuntimeError: an entry that nobody thought of") == (marked, mark.reason)


def test_a_run_that_mending_trips_over_keeps_no_other_from_being_claimed(
    stage: Stage, journal: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its index row promises an attempt that is settled, and cannot be made right."""
    mesh = newcomer(stage, journal)
    crew = mesh.engine.crew(("default",), "60s", owner="ana", heartbeat=False)
    (claim,) = mesh.engine.take(crew, 1).claims
    strange = claim.run_id
    held = [evolve(row, held_until=EPOCH) for row in journal.rows_of(strange).attempts]
    mesh.complete(claim)
    head, rows = journal.load(strange).head, journal.rows_of(strange)
    assert journal.index(strange, head.revision, evolve(rows, attempts=tuple(held)))

    def breaks(door: Door, run_id: RunId) -> None:
        raise RuntimeError("a row that nobody thought of")

    monkeypatch.setattr("squidmesh.workers.taking.reindex_run", breaks)

    another = newcomer(stage, journal)
    assert [RUNS - 1, 0] == [len(taken(another, RUNS)) for _ in range(2)]
    assert {strange} == set(journal.survey().quarantined)


class Twice(MemoryJournal):
    """A storage whose claim transactions fail at first, and are tried again."""

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        def again(offered: Offered) -> Choice:
            decide(offered)
            return decide(offered)

        return super().claimable(queues, actions, limit, again, at=at)


def test_what_a_claim_transaction_decided_before_it_failed_counts_for_nothing(
    stage: Stage,
) -> None:
    """It is decided once more, and what that brings is performed."""
    mesh = stage.mesh(journal=Twice(clock=stage.clock))
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)

    assert {run.id} == taken(mesh, RUNS)
