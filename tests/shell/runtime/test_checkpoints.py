"""Checkpoints: who works a long run leaves them, and nobody pays for them with a short one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final

import pytest

from squidmesh import Context, Mesh, Run, Snapshot, StorageError, Workflow, approval, manual, step
from squidmesh.door import checkpoints
from squidmesh.door.known import Known
from squidmesh.ports import Ports
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.state.run import RunState
from squidmesh_storage.api import Checkpoint, Journal, Wakeups
from support.aio import async_mesh
from support.stage import Stage, claimed

#: Entries of growth here; a visit is four.
GROWTH: Final = 40


@pytest.fixture(autouse=True)
def early_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of 40 entries is long here."""
    monkeypatch.setattr(checkpoints, "GROWTH", GROWTH)


@dataclass
class Far:
    """How often to go round."""

    last: int


def left(ctx: Context, last: int) -> int:
    """How often this step is to be entered yet."""
    return last - ctx.visit


class Rounds(Workflow):
    """One step goes round, as often as somebody says, and then a person is asked."""

    go = manual(Far)

    turn = step(left, max_visits=1_000)
    enough = approval("Is that enough?")

    turn.then(turn, when=turn.out > 0)
    turn.then(enough)
    enough.on_reject(turn)


class Kept:
    """What was stored of the states of one journal's runs, in order."""

    def __init__(self, journal: Journal, patch: pytest.MonkeyPatch) -> None:
        self.revisions: list[Revision] = []
        self._put = journal.put_checkpoint
        patch.setattr(journal, "put_checkpoint", self._keep)

    def _keep(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        self._put(run_id, checkpoint)
        self.revisions.append(checkpoint.revision)


class Tries:
    """A fault site that tells when a checkpoint is about to be stored."""

    def __init__(self, told: Callable[[], object]) -> None:
        self._told = told

    def __call__(self, site: str) -> None:
        """Pass, as every site does."""
        if site == "checkpoint.before":
            self._told()


def waiting(mesh: Mesh, last: int = 30) -> Snapshot:
    """A run of so many rounds that was worked until it waits for a person."""
    run = mesh.start(Rounds.go, Far(last))
    mesh.drain()
    return mesh.inspect(run)


def covered(stage: Stage, run: Run | Snapshot) -> Revision | None:
    """Up to where a stored checkpoint knows a run."""
    checkpoint = stage.journal().checkpoint(RunId(run.id))
    return checkpoint.revision if checkpoint else None


# -- who leaves one


def test_a_long_run_that_waits_has_a_checkpoint_of_all_of_it(stage: Stage) -> None:
    """A stranger's first look folds nothing, and writes nothing."""
    run = waiting(stage.mesh(Rounds))

    assert run.at_revision == covered(stage, run)
    cold = stage.mesh(Rounds)
    assert run == cold.inspect(run)
    assert run.at_revision == covered(stage, run)


def test_a_short_run_has_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written for it but its entries."""
    mesh = stage.mesh(Rounds)
    kept = Kept(mesh.door.journal, monkeypatch)

    run = waiting(mesh, last=8)

    assert (GROWTH > run.at_revision, []) == (True, kept.revisions)


def test_a_worker_leaves_one_when_it_lets_the_run_go(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the settlement, once for the whole way: not while the run goes on."""
    mesh = stage.mesh(Rounds)
    kept = Kept(mesh.door.journal, monkeypatch)

    with mesh.worker(concurrency=2):
        run = mesh.start(Rounds.go, Far(30))
        mesh.wait_for(run, status="paused", timeout="60s")

    assert [mesh.inspect(run).at_revision] == kept.revisions


@pytest.mark.asyncio
async def test_a_worker_on_an_event_loop_leaves_one_too(stage: Stage) -> None:
    """On a thread beside the loop."""
    threads = list[threading.Thread]()
    tries = Tries(lambda: threads.append(threading.current_thread()))

    async with async_mesh(stage, Rounds, ports=Ports(site=tries)) as mesh:
        async with mesh.worker():
            run = await mesh.start(Rounds.go, Far(30))
            await mesh.wait_for(run, status="paused", timeout="60s")
        assert (await mesh.inspect(run)).at_revision == covered(stage, run)

    assert (1, False) == (len(threads), threading.main_thread() in threads)


def test_an_executor_of_ones_own_leaves_them(stage: Stage) -> None:
    """With the settlement that makes the run long enough, after it."""
    mesh = stage.mesh(Rounds)
    run = mesh.start(Rounds.go, Far(30))
    for more in reversed(range(30)):
        mesh.complete(claimed(mesh), more)

        revision = mesh.inspect(run).at_revision
        reached = covered(stage, run) or BEGINNING
        assert max(GROWTH, reached // checkpoints.PARTS) > revision - reached


@pytest.mark.asyncio
async def test_an_async_executor_of_ones_own_leaves_them(stage: Stage) -> None:
    """The same, awaited."""
    async with async_mesh(stage, Rounds) as mesh:
        run = await mesh.start(Rounds.go, Far(12))
        for more in reversed(range(12)):
            claim = await mesh.claim(owner="ana")
            assert claim is not None
            await mesh.complete(claim, more)

        assert Revision(GROWTH) <= (covered(stage, run) or BEGINNING)


def test_a_finished_run_has_one_too(stage: Stage) -> None:
    """Whoever looks at how it went waits no longer than before its end."""
    mesh = stage.mesh(Rounds)
    run = waiting(mesh)
    stage.journal().delete_checkpoint(RunId(run.id))
    mesh.approve(run, by="ana")

    ended = stage.mesh(Rounds).inspect(run)

    assert ("completed", ended.at_revision) == (ended.status, covered(stage, run))


def test_pruning_leaves_none_of_what_it_takes_away(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a run in order to remove it is no look at it."""
    mesh = stage.mesh(Rounds)
    run = mesh.approve(waiting(mesh), by="ana")
    stage.journal().delete_checkpoint(RunId(run.id))
    other = stage.mesh(Rounds)
    kept = Kept(other.door.journal, monkeypatch)

    other.prune(run=run)

    assert [] == kept.revisions


# -- how often


def test_checkpoints_get_rarer_as_a_run_gets_longer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each but the first covers a third more than the one before, at least."""
    mesh = stage.mesh(Rounds)
    kept = Kept(mesh.door.journal, monkeypatch)
    run = mesh.start(Rounds.go, Far(200))
    for more in reversed(range(200)):
        mesh.complete(claimed(mesh), more)

    pairs = list(zip([BEGINNING, *kept.revisions], kept.revisions, strict=False))
    assert all(
        after - before >= max(GROWTH, before // checkpoints.PARTS) for before, after in pairs
    )
    assert (checkpoints.PARTS + 1) * mesh.inspect(run).at_revision >= sum(kept.revisions)
    assert 5 <= len(kept.revisions)


def test_a_process_that_read_a_checkpoint_knows_what_it_covers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves another only when the run has grown beyond that one."""
    run = stage.mesh(Rounds).start(Rounds.go, Far(200))
    for _ in range(20):
        stage.mesh(Rounds).complete(claimed(stage.mesh(Rounds)), 1)
    before = covered(stage, run)
    mesh = stage.mesh(Rounds)
    kept = Kept(mesh.door.journal, monkeypatch)

    for _ in range(5):
        mesh.complete(claimed(mesh), 1)

    assert before is not None
    assert [] == [one for one in kept.revisions if one - before < GROWTH]


def test_a_run_that_was_forgotten_is_covered_as_before(stage: Stage) -> None:
    """What is known of a checkpoint goes with what is known of its run, and comes back with it."""
    mesh = stage.mesh(Rounds)
    run = waiting(mesh)
    run_id, memory = RunId(run.id), mesh.door.memory

    assert run.at_revision == memory.covered(run_id)
    memory.forget(run_id)
    assert BEGINNING == memory.covered(run_id)
    mesh.inspect(run)
    assert run.at_revision == memory.covered(run_id)


def test_what_made_room_for_other_runs_is_not_covered(stage: Stage) -> None:
    """Nothing is kept of a run that is known no more."""
    mesh = stage.mesh(Rounds)
    run = waiting(mesh)
    memory = mesh.door.memory
    known = memory.get(RunId(run.id))
    assert known is not None

    for number in range(600):
        state = RunState(run_id=RunId(f"run-{number}"))
        memory.put(Known(state=state, hash=known.hash, spec=known.spec))

    assert (None, BEGINNING) == (memory.get(RunId(run.id)), memory.covered(RunId(run.id)))
    memory.cover(RunId(run.id), run.at_revision)
    assert BEGINNING == memory.covered(RunId(run.id))


# -- what goes wrong


def _refused(run_id: RunId, checkpoint: Checkpoint) -> None:
    raise StorageError("read-only", "storage_error", {})


def _unwritable(state: RunState) -> str:
    raise ValueError("a key without a run id")


WRONG: Final[dict[str, Callable[[Journal, pytest.MonkeyPatch], None]]] = {
    "the storage takes none": lambda journal, patch: patch.setattr(
        journal, "put_checkpoint", _refused
    ),
    "no text can hold it": lambda _, patch: patch.setattr(checkpoints, "freeze", _unwritable),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_run_without_a_checkpoint_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Whoever works it is not held up, and strangers read its journal."""
    journal = stage.journal()
    WRONG[how](journal, monkeypatch)
    mesh = stage.mesh(Rounds, journal=journal)

    run = waiting(mesh)
    mesh.start(Rounds.go, Far(12))
    for more in reversed(range(12)):
        mesh.complete(claimed(mesh), more)

    assert ("paused", None) == (run.status, covered(stage, run))
    assert run == stage.mesh(Rounds).inspect(run)


def test_what_failed_is_not_tried_again_at_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But when the run has grown by as much again: trying costs as much as storing."""
    counted = count(1)
    tries = Tries(lambda: next(counted))
    journal = stage.journal()
    mesh = stage.mesh(Rounds, journal=journal, ports=Ports(site=tries))
    monkeypatch.setattr(journal, "put_checkpoint", _refused)
    mesh.start(Rounds.go, Far(100))

    for _ in range(25):
        mesh.complete(claimed(mesh), 1)

    assert 3 == next(counted)


def test_a_worker_whose_storage_takes_no_checkpoint_works_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its slots are free for the next run."""
    journal = stage.journal()
    monkeypatch.setattr(journal, "put_checkpoint", _refused)
    mesh = stage.mesh(Rounds, journal=journal, ports=Ports(rest=_rest))

    with mesh.worker(concurrency=1):
        runs = [mesh.start(Rounds.go, Far(20)) for _ in range(3)]
        ended = [mesh.wait_for(run, status="paused", timeout="60s") for run in runs]

    assert ["paused"] * 3 == [run.status for run in ended]


def _rest(wakeups: Wakeups, _seconds: float) -> bool:
    return wakeups.wait(0.05)
