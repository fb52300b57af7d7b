"""Claims of runs that this process has not read: read together, and each on its own."""

from collections.abc import Mapping

import pytest
from attrs import evolve

from squidmesh import Mesh
from squidmesh.workers.settling import hand_back
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_storage.api import Loaded
from squidmesh_storage.memory import MemoryJournal
from support.damage import rewrite
from support.stage import Stage, does
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
