"""Slots: threads that perform steps and settle them together."""

import itertools
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import evolve

from squidmesh import ActionRegistry, Mesh, Run, Spec
from squidmesh.ports import Ports
from squidmesh.workers.calling import perform_claim
from squidmesh.workers.crew import Crew
from squidmesh.workers.loop import Settle
from squidmesh.workers.places import Places
from squidmesh.workers.settling import MOST_TOGETHER, settle_all
from squidmesh.workers.slots import IN_A_ROW, Slots
from squidmesh.workers.taking import take
from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.memory import MemoryJournal
from support.held import PATIENCE
from support.overlapping import Overlapping
from support.overtaken import Overtaken
from support.stage import Stage, does, types
from support.workflows import chain, diamond, step, workflow

ONE = chain(step("a", output="a"))
TWO = chain(step("a", output="a"), step("b", output="b"))


class Counting(MemoryJournal):
    """A journal that remembers how many batches travelled in each append."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(clock=stage.clock)
        self.sizes: list[int] = []
        self.away = False

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        if self.away:
            raise StorageUnavailable("the storage is away", "storage_unavailable")
        self.sizes.append(len(batches))
        return super().append(batches)


def started(mesh: Mesh, spec: Spec, actions: ActionRegistry, count: int) -> list[Run]:
    """So many runs of a spec."""
    return [mesh.start_spec(spec, "placed", {}, actions=actions) for _ in range(count)]


def crew_of(mesh: Mesh) -> Crew:
    return mesh.engine.crew(("default",), "60s", owner="ana", heartbeat=False)


def performed(mesh: Mesh, crew: Crew, limit: int) -> list[Settle]:
    """Claims of the queue, performed and not settled."""
    taken = take(mesh.door, ("default",), mesh.actions.performable(), limit, crew.offer)
    return [
        Settle(claim=claim, outcome=perform_claim(crew, claim), go_on=True)
        for claim in taken.claims
    ]


def test_what_several_runs_settle_is_one_append(stage: Stage) -> None:
    """Each run moves on by itself, and all of it travels together."""
    journal = Counting(stage)
    mesh = stage.mesh(journal=journal)
    runs = started(mesh, TWO, does(a=lambda: 1, b=lambda: 2), 3)
    crew = crew_of(mesh)
    wanted = performed(mesh, crew, 3)
    journal.sizes.clear()

    followed = settle_all(crew, wanted)

    assert [3] == journal.sizes
    assert ["b", "b", "b"] == [claim.node for claim in followed if claim is not None]
    assert {run.id for run in runs} == {claim.run_id for claim in followed if claim is not None}


def test_what_branches_of_one_run_settle_is_one_append(stage: Stage) -> None:
    """Each is decided on what the one before has left, so a join is scheduled once."""
    journal = Counting(stage)
    mesh = stage.mesh(journal=journal)
    names = [node.name for node in diamond().steps]
    (run,) = started(mesh, diamond(), does(**dict.fromkeys(names, lambda: 1)), 1)
    crew = crew_of(mesh)
    settle_all(crew, [evolve(one, go_on=False) for one in performed(mesh, crew, 1)])
    claims = performed(mesh, crew, 2)
    journal.sizes.clear()

    followed = settle_all(crew, claims)

    assert 2 == len(claims)
    assert [1] == journal.sizes
    assert [None, "ship"] == [claim and claim.node for claim in followed]
    assert mesh.inspect(run).anomalies == ()


def test_a_run_that_opens_out_wide_settles_in_few_appends(stage: Stage) -> None:
    """No append holds more than so many outputs, and the next one follows it."""
    journal = Counting(stage)
    mesh = stage.mesh(journal=journal)
    names = [f"s{place}" for place in range(MOST_TOGETHER + 1)]
    spec = workflow(step("first"), *(step(name, after=("first",)) for name in names))
    (run,) = started(mesh, spec, does(**dict.fromkeys(["first", *names], lambda: 1)), 1)
    crew = crew_of(mesh)
    settle_all(crew, [evolve(one, go_on=False) for one in performed(mesh, crew, 1)])
    claims = performed(mesh, crew, len(names))
    journal.sizes.clear()

    settle_all(crew, claims)

    assert [1, 1] == journal.sizes
    assert "completed" == mesh.inspect(run).status


def test_slots_are_left_before_what_ends_there_is_durable(stage: Stage) -> None:
    """Whoever claims meanwhile need not wait for the commit; what goes on keeps its slot."""
    journal = Counting(stage)
    mesh = stage.mesh(journal=journal)
    actions = does(a=lambda: 1, b=lambda: 2)
    started(mesh, ONE, actions, 1)
    started(mesh, TWO, actions, 1)
    crew = crew_of(mesh)
    wanted = performed(mesh, crew, 2)
    journal.sizes.clear()
    left: list[tuple[int, int]] = []

    followed = settle_all(crew, wanted, lambda place: left.append((place, len(journal.sizes))))

    assert [(place, 0) for place, claim in enumerate(followed) if claim is None] == left
    assert 1 == len(left)


def test_of_branches_that_settle_together_those_leave_that_bring_no_claim(stage: Stage) -> None:
    """The join is claimed by one of them; the other's slot is free."""
    mesh = stage.mesh()
    names = [node.name for node in diamond().steps]
    started(mesh, diamond(), does(**dict.fromkeys(names, lambda: 1)), 1)
    crew = crew_of(mesh)
    settle_all(crew, [evolve(one, go_on=False) for one in performed(mesh, crew, 1)])
    left: list[int] = []

    followed = settle_all(crew, performed(mesh, crew, 2), left.append)

    assert 1 == len(left) == sum(claim is not None for claim in followed)


def test_the_next_run_is_claimed_while_the_last_one_is_being_settled() -> None:
    """One slot, two runs: the commit of the first end is not waited for."""
    journal = Overlapping()

    with Mesh(journal) as mesh:
        runs = started(mesh, ONE, does(a=lambda: 1), 2)
        with mesh.worker(concurrency=1):
            ended = {mesh.wait_for(run, timeout="60s").status for run in runs}

    assert {"completed"} == ended
    assert [True, True] == journal.overlapped


def test_a_slot_that_was_left_too_early_is_taken_back() -> None:
    """A settlement that claims nothing leaves it, and claims after all when decided afresh."""
    journal, stage, seen = Overtaken(), Stage(), list[int]()
    places = Places(lambda: None)
    places.open(1)
    places.seize(1)
    places.give_back(0)
    mesh, other = stage.mesh(journal=journal), stage.mesh(journal=journal)

    def resume() -> None:
        seen.append(places.free())
        other.resume(run, by="op")

    actions = does(a=lambda: 1, b=lambda: seen.append(places.free()))
    (run,) = started(mesh, TWO, actions, 1)
    crew = crew_of(mesh)
    (claim,) = mesh.engine.take(crew, 1).claims
    mesh.pause(run, by="op")
    journal.before = resume
    slots = Slots(crew, 1, lambda: False, places)
    slots.begin(claim)
    slots.close()

    assert ("completed", [1, 0], 1) == (mesh.inspect(run).status, seen, places.free())
    stage.close()


def test_a_settlement_that_fails_leaves_the_others_alone(stage: Stage) -> None:
    """A refused one gives no successor; its neighbour in the same append moves on."""
    mesh = stage.mesh()
    kept, ended = started(mesh, TWO, does(a=lambda: 1, b=lambda: 2), 2)
    crew = crew_of(mesh)
    wanted = performed(mesh, crew, 2)
    mesh.cancel(ended)

    followed = {
        one.claim.run_id: claim for one, claim in zip(wanted, settle_all(crew, wanted), strict=True)
    }

    assert followed[ended.id] is None
    assert (claim := followed[kept.id]) is not None
    assert "b" == claim.node


def test_a_settlement_outlasts_a_storage_that_is_away(stage: Stage) -> None:
    """What a step gave is recorded once the storage is back, if the lease could still live."""
    journal = Counting(stage)

    def come_back(_: float) -> None:
        journal.away = False

    mesh = stage.mesh(journal=journal, ports=Ports(pause=come_back))
    started(mesh, TWO, does(a=lambda: 1, b=lambda: 2), 1)
    crew = crew_of(mesh)
    wanted = performed(mesh, crew, 1)
    journal.away = True

    (claim,) = settle_all(crew, wanted)

    assert claim is not None
    assert "b" == claim.node


def test_a_storage_that_stays_away_costs_the_lease_and_no_worker(stage: Stage) -> None:
    """Once the lease is past nobody insists; the run is as it was."""
    journal = Counting(stage)
    ticks = itertools.count(step=25)
    mesh = stage.mesh(
        journal=journal,
        ports=Ports(pause=lambda _: None, monotonic=lambda: float(next(ticks))),
    )
    (run,) = started(mesh, TWO, does(a=lambda: 1, b=lambda: 2), 1)
    crew = crew_of(mesh)
    wanted = performed(mesh, crew, 1)
    before = types(mesh, run)
    journal.away = True

    assert [None] == settle_all(crew, wanted)

    journal.away = False
    assert before == types(mesh, run)


def test_every_slot_has_a_thread_when_steps_block() -> None:
    """Four steps that wait for each other meet in four slots."""
    together = threading.Barrier(4, timeout=PATIENCE)

    with Mesh.open("memory://") as mesh, mesh.worker(concurrency=4):
        runs = started(mesh, ONE, does(a=together.wait), 4)

        assert {"completed"} == {mesh.wait_for(run, timeout="60s").status for run in runs}


@pytest.mark.parametrize("stuck", [1, 3])
def test_a_stuck_step_holds_up_nobody_even_after_many_quick_ones(stuck: int) -> None:
    """While steps are quick one thread does them all; one that blocks is noticed."""
    leave = threading.Event()
    blocked = chain(step("slow", output="slow"))
    actions = does(a=lambda: 1, slow=lambda: leave.wait(PATIENCE))

    with Mesh.open("memory://") as mesh, mesh.worker(concurrency=4):
        for _ in range(2 * IN_A_ROW):
            mesh.wait_for(*started(mesh, ONE, actions, 1), timeout="60s")
        slow = started(mesh, blocked, actions, stuck)
        quick = started(mesh, ONE, actions, 8)
        ended = {mesh.wait_for(run, timeout="60s").status for run in quick}
        waiting = {mesh.inspect(run).status for run in slow}
        leave.set()
        done = {mesh.wait_for(run, timeout="60s").status for run in slow}

    assert {"completed"} == ended
    assert {"running"} == waiting
    assert {"completed"} == done


def test_a_worker_that_stops_settles_everything_it_performed(tmp_path: Path) -> None:
    """However many were under way: what was performed is recorded, nothing stays claimed."""
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    with Mesh.open(url) as mesh:
        with mesh.worker(concurrency=8):
            runs = started(mesh, TWO, does(a=lambda: 1, b=lambda: 2), 200)
        attempts = [one for run in runs for one in mesh.inspect(run).attempts]

        assert {"claimed"}.isdisjoint(one.status for one in attempts)
        mesh.drain()
        assert {"completed"} == {mesh.inspect(run).status for run in runs}
