"""A slot lets go of its run for more urgent work, and sees it without asking too often."""

import threading
from collections.abc import Callable

import pytest

from squidmesh import Mesh, Run
from squidmesh.ports import Ports
from squidmesh.workers.loop import LONGEST_STRAND, LOOK, Settle
from squidmesh.workers.outlook import Outlook
from squidmesh.workers.perform import Succeeded
from squidmesh.workers.registry import Presence
from squidmesh.workers.settling import settle_all
from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.api import Wakeups
from support.stage import Stage, does
from support.urgency import KEPT, LET_GO, PATIENT, URGENT, Looks, settled_with
from support.workflows import chain, step

SPEC = chain(step("a"), step("b"), step("c"))
OTHER = chain(step("other"))
PATIENCE = 20.0


def nothing() -> None:
    """Do as little as a step can."""


class Busy:
    """A worker with one slot, in which a patient run waits until something was seen."""

    def __init__(self, stage: Stage, looks: Looks) -> None:
        self.order: list[str] = []
        self._looks = looks
        self._inside = threading.Event()
        self._stage = stage

    def play(self, priority: int) -> tuple[Mesh, Run, Run]:
        """Both runs to their ends; the other one comes while the first step is at work."""
        mesh = self._stage.mesh(
            actions=does(a=self._first, **{name: self._notes(name) for name in ("b", "c", "other")})
        )
        with mesh.worker(concurrency=1):
            run = mesh.start_spec(SPEC, "placed", {}, actions=mesh.actions, priority=PATIENT)
            assert self._inside.wait(PATIENCE)
            other = mesh.start_spec(OTHER, "placed", {}, actions=mesh.actions, priority=priority)
            for one in (run, other):
                assert "completed" == mesh.wait_for(one, timeout="60s").status
        return mesh, run, other

    def _first(self) -> None:
        self._inside.set()
        assert self._looks.seen.wait(PATIENCE)
        self.order.append("a")

    def _notes(self, name: str) -> Callable[[], None]:
        return lambda: self.order.append(name)


def test_urgent_work_is_performed_before_a_long_run_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run waits its turn, and keeps its next slot: what was seen is not believed for ever."""
    busy = Busy(stage, Looks(monkeypatch))
    mesh, run, _ = busy.play(URGENT)

    assert ["a", "other", "b", "c"] == busy.order
    assert LET_GO == settled_with(mesh.door.journal, run.id)


def test_work_that_is_no_more_urgent_waits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in its slot goes on before others of its priority, for as long as it may."""
    busy = Busy(stage, Looks(monkeypatch, PATIENT))
    mesh, run, _ = busy.play(PATIENT)

    assert ["a", "b", "c", "other"] == busy.order
    assert KEPT == settled_with(mesh.door.journal, run.id)


def test_a_run_that_let_go_is_explained_by_what_comes_before_it(stage: Stage) -> None:
    """It lies in its queue as any other, and nothing is lost."""
    mesh = stage.mesh(actions=does(a=nothing, b=nothing, c=nothing, other=nothing))
    run = mesh.start_spec(SPEC, "placed", {}, actions=mesh.actions, priority=PATIENT)
    crew = mesh.engine.crew(("default",), "60s")
    claim = mesh.engine.take_one(crew)
    assert claim is not None
    mesh.start_spec(OTHER, "placed", {}, actions=mesh.actions, priority=URGENT)
    crew.outlook.begun()
    crew.outlook.look()
    presence = Presence(
        mesh.door, owner="ana", queues=("default",), concurrency=1, actions=crew.actions.performable
    )
    presence.begin()

    followed = settle_all(crew, [Settle(claim=claim, outcome=Succeeded(), go_on=True)])
    explained = mesh.explain(run)

    assert ([None], "attempt_visible", "b") == (followed, explained.reason, explained.node)
    assert "1 other comes before it in queue 'default'" in explained.summary


def test_nobody_looks_into_queues_with_limits(stage: Stage) -> None:
    """There limits and turns decide, and the claim transaction knows them."""
    mesh = stage.mesh(actions=does(other=nothing))
    for queue in ("default", "mail"):
        mesh.start_spec(OTHER, "placed", {}, actions=mesh.actions, queue=queue)
    mesh.set_queue("mail", concurrency=5, by="olga")
    mesh.engine.lanes.reread()
    both, limited = (mesh.engine.crew(names, "60s") for names in (("default", "mail"), ("mail",)))
    for crew in (both, limited):
        crew.outlook.begun()
        crew.outlook.look()

    assert ({"default": 0}, {}) == (both.outlook.waiting, limited.outlook.waiting)


class Asked:
    """An outlook on a clock that a test moves, and how often it has asked."""

    def __init__(self) -> None:
        self.now, self.times = 100.0, 0
        self.away = False
        self.outlook = Outlook(self.answer, lambda: self.now)

    def answer(self) -> dict[str, int]:
        """What waits, or a storage that is away."""
        self.times += 1
        if self.away:
            raise StorageUnavailable("away", "storage_unavailable", {})
        return {"default": self.times}


def test_hints_make_nobody_look_more_often() -> None:
    """Four times a second at most, however often the worker is woken."""
    asked = Asked()
    asked.outlook.begun()
    for _ in range(3):
        asked.outlook.look()
    assert ({"default": 1}, 1) == (asked.outlook.waiting, asked.times)
    asked.now += LOOK

    asked.outlook.look()

    assert ({"default": 2}, 2) == (asked.outlook.waiting, asked.times)


def test_nobody_looks_while_every_slot_lets_go_anyway() -> None:
    """Steps that take long cost no looks: their runs never go on in the slot."""
    asked = Asked()
    asked.outlook.look()
    asked.outlook.begun()
    asked.now += LONGEST_STRAND
    asked.outlook.look()
    assert 0 == asked.times

    asked.outlook.begun()
    asked.outlook.look()

    assert 1 == asked.times


def test_a_storage_that_is_away_leaves_nothing_known() -> None:
    """Slots go on, as if nothing waited."""
    asked = Asked()
    asked.outlook.begun()
    asked.outlook.look()
    asked.now, asked.away = asked.now + LOOK, True

    asked.outlook.look()

    assert ({}, 2) == (asked.outlook.waiting, asked.times)


def test_what_was_seen_is_forgotten_when_somebody_claims() -> None:
    """Claiming finds out what there is."""
    asked = Asked()
    asked.outlook.begun()
    asked.outlook.look()

    asked.outlook.clear()

    assert {} == asked.outlook.waiting


def test_an_idle_worker_sees_nothing_but_what_it_can_claim(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a slot free there is nothing to look for."""
    rested, looked = threading.Event(), list[Outlook]()

    def rest(wakeups: Wakeups, _seconds: float) -> bool:
        rested.set()
        return wakeups.wait(PATIENCE)

    monkeypatch.setattr(Outlook, "look", looked.append)
    mesh = stage.mesh(ports=Ports(rest=rest))

    with mesh.worker(concurrency=1):
        assert rested.wait(PATIENCE)

    assert [] == looked
