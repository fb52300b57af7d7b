"""Workers on an event loop: slots, drains, leases, time limits, and whatever steps raise."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Coroutine
from contextlib import AbstractContextManager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen

from squidmesh import (
    AsyncMesh,
    Context,
    Fail,
    Run,
    Spec,
    StorageError,
    TxContext,
    Workflow,
    manual,
)
from squidmesh import step as with_step
from squidmesh.aio.carry import carry
from squidmesh.aio.door import ASIDE
from squidmesh.workers.places import Place, Places
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Wakeups
from squidmesh_storage.memory import MemoryJournal
from support.aio import async_mesh
from support.overlapping import Overlapping
from support.overtaken import Overtaken
from support.stage import Stage, does
from support.workflows import chain, step, workflow

pytestmark = pytest.mark.asyncio

SPEC = chain(step("a", output="a"), step("b", output="b"))
ONE = chain(step("a", output="a"))
PATIENCE = 20.0


async def one() -> int:
    """Return a number, on the host's loop."""
    return 1


def two() -> int:
    """Return a number, on a thread."""
    return 2


async def begin(mesh: AsyncMesh, spec: Spec = SPEC) -> Run:
    """Start a run of a spec whose actions the mesh performs."""
    return await mesh.start_spec(spec, "placed", {}, actions=mesh.actions)


async def happens(event: asyncio.Event) -> None:
    """Wait for something that must happen."""
    async with asyncio.timeout(PATIENCE):
        await event.wait()


# -- slots


async def test_steps_of_both_kinds_run_side_by_side(stage: Stage) -> None:
    """Async steps share the host's loop, sync steps have threads of their own."""
    at_once = ASIDE + 1  # more than blocking verbs
    on_loop = asyncio.Barrier(at_once)
    on_threads = threading.Barrier(at_once, timeout=PATIENCE)
    seen = set()

    async def a() -> int:
        await on_loop.wait()
        seen.add(threading.current_thread())
        return 1

    mesh = async_mesh(stage, a=a, b=on_threads.wait)
    async with mesh, mesh.worker(concurrency=at_once):
        runs = [await begin(mesh) for _ in range(at_once)]
        ended = {(await mesh.wait_for(run, timeout="60s")).status for run in runs}

    assert ({"completed"}, {threading.main_thread()}) == (ended, seen)


async def test_a_worker_takes_what_others_started(stage: Stage) -> None:
    """Also what was there before it, begun by a process without a loop."""
    run = stage.mesh().start_spec(SPEC, "placed", {}, actions=does(a=two, b=two))

    async with async_mesh(stage, a=one, b=two) as mesh, mesh.worker():
        assert "completed" == (await mesh.wait_for(run, timeout="60s")).status


async def test_no_more_steps_run_at_once_than_there_are_slots(stage: Stage) -> None:
    """Starts that find no free slot leave their runs to whoever has one."""
    running, most = 0, 0
    in_pairs = asyncio.Barrier(2)

    async def a() -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await in_pairs.wait()
        running -= 1
        return 1

    async with async_mesh(stage, a=a) as mesh, mesh.worker(concurrency=2):
        runs = [await begin(mesh, ONE) for _ in range(6)]
        ended = {(await mesh.wait_for(run, timeout="60s")).status for run in runs}

    assert ({"completed"}, 2) == (ended, most)


async def test_a_start_fills_a_free_slot_of_its_own_worker(stage: Stage) -> None:
    """The first attempt is claimed in the append that begins the run: nobody looks for it."""
    async with async_mesh(stage, a=one) as mesh, mesh.worker() as worker:
        while worker.reserve("default") is None:
            await asyncio.sleep(0)  # it is looking for work itself just now
        await worker.fill(None)
        run = await begin(mesh, ONE)
        await mesh.wait_for(run, timeout="60s")
        entries = [(one.type, one.revision) async for one in mesh.journal(run)]
        first = mesh.door.threads.journal.load(RunId(run.id), whole=True).records[0]

    assert "attempt_claimed" in {kind for kind, revision in entries if revision <= first.last}


async def test_a_start_that_claims_nothing_gives_its_slot_back(stage: Stage) -> None:
    """The run was there already, and whoever began it performs it."""
    async with async_mesh(stage, a=one) as mesh:
        run = await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions, key="once")
        async with mesh.worker(concurrency=1) as worker:
            await mesh.wait_for(run, timeout="60s")
            again = await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions, key="once")
            async with asyncio.timeout(PATIENCE):
                while worker.reserve("default") is None:
                    await asyncio.sleep(0)  # it is looking for work itself just now
                await worker.fill(None)
                while worker.reserve("default") is None:
                    await asyncio.sleep(0)

    assert (run.id, True) == (again.id, again.duplicate)


async def test_a_worker_keeps_nothing_of_what_it_has_performed(stage: Stage) -> None:
    """Neither of its steps nor of the starts that filled a slot: it may work for months."""
    async with async_mesh(stage, a=one, b=two) as mesh, mesh.worker() as worker:
        for run in [await begin(mesh) for _ in range(3)]:
            await mesh.wait_for(run, timeout="60s")
        hands = worker._hands

        assert hands is not None
        assert ({}, set()) == (hands.calls, hands.unheard)


async def test_steps_side_by_side_of_one_run_join(stage: Stage) -> None:
    """Settlements of one run take turns: none of them is decided on a state that has passed."""
    names = [f"s{number}" for number in range(9)]
    spec = workflow(*map(step, names), step("join", after=tuple(names)))
    actions = does(**dict.fromkeys([*names, "join"], one))
    async with async_mesh(stage, actions=actions) as mesh, mesh.worker(concurrency=9):
        run = await begin(mesh, spec)
        ended = await mesh.wait_for(run, timeout="60s")

    assert "completed" == ended.status


async def test_a_worker_is_known_while_it_works(stage: Stage) -> None:
    """Its record names what it serves, and goes with it."""
    async with async_mesh(stage, a=one) as mesh:
        async with mesh.worker(concurrency=3, queues=["slow", "default"]):
            known = await mesh.workers()
        gone = await mesh.workers()

    assert ([(3, ("do.a",))], ()) == ([(it.concurrency, it.actions) for it in known], gone)
    assert {"slow", "default"} == set(known[0].queues)


async def test_a_worker_gives_signs_of_life(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while there is nothing to do."""
    monkeypatch.setattr("squidmesh.workers.registry.REFRESH", 0.0)
    monkeypatch.setattr("squidmesh.workers.loop.SHORTEST_REST", 0.001)
    async with async_mesh(stage) as mesh, mesh.worker():
        later = stage.clock.advance(60)
        async with asyncio.timeout(PATIENCE):
            while [later] != [known.seen_at for known in await mesh.workers()]:
                await asyncio.sleep(0)


async def test_limits_of_a_queue_hold_on_a_loop_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starts leave such runs to claims, and who lets go of a slot wakes the loop."""
    for rest in ("squidmesh.workers.loop.SHORTEST_REST", "squidmesh_storage.wakeups.LONGEST"):
        monkeypatch.setattr(rest, 3600.0)
    monkeypatch.setattr(
        "squidmesh_core.plan.admission.admitting.LOOK_AGAIN", timedelta(seconds=3600)
    )
    running, most = 0, 0

    async def a() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    async with async_mesh(stage, a=a) as mesh:
        await mesh.set_queue("default", concurrency=1)
        async with mesh.worker(concurrency=4):
            runs = [await begin(mesh, ONE) for _ in range(5)]
            ended = [(await mesh.wait_for(run, timeout="60s")).status for run in runs]

    assert (["completed"] * 5, 1) == (ended, most)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_transactional_step_writes_with_its_completion(
    tmp_path: Path, is_async: bool
) -> None:
    """Its connection blocks, so it runs on a thread; what is async in it, on the host's loop."""
    loops = []

    def write(tx: TxContext) -> None:
        assert isinstance(tx.connection, sqlite3.Connection)
        tx.connection.execute("create table if not exists ledger (node text)")
        tx.connection.execute("insert into ledger values (?)", (tx.node,))

    async def write_too(tx: TxContext) -> None:
        assert isinstance(tx.connection, sqlite3.Connection)
        loops.append(asyncio.get_running_loop())

    fn = write_too if is_async else write
    stage = Stage(tmp_path)
    spec = chain(evolve(step("a"), transaction=True), step("b", output="b"))
    async with async_mesh(stage, a=fn, b=one) as mesh, mesh.worker():
        run = await begin(mesh, spec)
        ended = await mesh.wait_for(run, timeout="60s")
    with closing(sqlite3.connect(stage.file)) as db:
        rows = [] if is_async else db.execute("select node from ledger").fetchall()
    stage.close()

    assert ("completed", [] if is_async else [("a",)]) == (ended.status, rows)
    assert [asyncio.get_running_loop()] * is_async == loops


# -- drains


async def test_a_draining_worker_settles_what_runs_and_takes_nothing_more(stage: Stage) -> None:
    """The step ends and is recorded; its successor is left to others, unclaimed."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def a() -> int:
        inside.set()
        await leave.wait()
        return 1

    async with async_mesh(stage, a=a, b=two) as mesh:
        worker = await mesh.worker(concurrency=1).start()
        run = await begin(mesh)
        await happens(inside)
        waiting = await begin(mesh, ONE)
        worker.drain_soon()
        leave.set()
        await worker.stop()
        drained, untouched = await mesh.inspect(run), await mesh.inspect(waiting)

    assert ({"a": 1}, "attempt_visible") == (drained.context, drained.reason)
    assert ({}, "attempt_visible") == (untouched.context, untouched.reason)


async def test_a_drain_goes_on_although_whoever_asked_was_cancelled(stage: Stage) -> None:
    """The running step has a right to end, and somebody else may wait for it."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def a() -> int:
        inside.set()
        await leave.wait()
        return 1

    async with async_mesh(stage, a=a, b=two) as mesh:
        worker = await mesh.worker(concurrency=1).start()
        run = await begin(mesh)
        await happens(inside)
        stopping = asyncio.create_task(worker.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        leave.set()
        await worker.stop()

        assert {"a": 1} == (await mesh.inspect(run)).context


async def test_a_start_that_meets_a_closing_worker_gives_its_claim_back(stage: Stage) -> None:
    """The run is there, and somebody else takes its first attempt at once."""
    async with async_mesh(stage, a=one, b=two) as mesh:
        worker = await mesh.worker(concurrency=1).start()
        while worker.reserve("default") is None:
            await asyncio.sleep(0)  # it is looking for work itself just now
        await worker.stop()
        run = await begin(mesh)
        claim = await mesh.claim(owner="ana")

        await worker.fill(claim)

        assert "attempt_visible" == (await mesh.inspect(run)).reason
        assert 2 == await mesh.drain()


async def test_leaving_a_mesh_drains_its_workers(stage: Stage) -> None:
    """Also one that nobody has left."""
    async with async_mesh(stage, a=one, b=two) as mesh:
        worker = await mesh.worker().start()
        run = await begin(mesh)
        await mesh.wait_for(run, timeout="60s")

    assert worker.reserve("default") is None


async def test_a_worker_works_once(stage: Stage) -> None:
    """A second start would share the slots of the first."""
    async with async_mesh(stage) as mesh:
        worker = mesh.worker()
        async with worker:
            with pytest.raises(RuntimeError, match="works once"):
                await worker.start()
        with pytest.raises(RuntimeError, match="works once"):
            await worker.run()
        await worker.stop()


async def test_a_worker_whose_start_is_cancelled_does_not_work(stage: Stage) -> None:
    """Nobody has it who could stop it."""
    async with async_mesh(stage) as mesh:
        others = asyncio.all_tasks()
        for turns in range(12):
            starting = asyncio.create_task(mesh.worker().start())
            for _ in range(turns):
                await asyncio.sleep(0)
            if starting.done():
                await (await starting).stop()
                break
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)

            assert starting.cancelled()
            assert others == asyncio.all_tasks()
            assert () == await mesh.workers()


async def test_a_worker_that_never_began_is_stopped_at_once(stage: Stage) -> None:
    """There is nothing to wait for."""
    async with async_mesh(stage) as mesh:
        await mesh.worker().stop()


async def test_a_worker_in_the_foreground_works_until_it_is_cancelled(stage: Stage) -> None:
    """It drains before the cancellation is felt: what runs is recorded."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def a() -> int:
        inside.set()
        await leave.wait()
        return 1

    async with async_mesh(stage, a=a, b=two) as mesh:
        run = await begin(mesh)
        working = asyncio.create_task(mesh.worker(concurrency=1).run())
        await happens(inside)
        working.cancel()
        leave.set()
        with pytest.raises(asyncio.CancelledError):
            await working

        assert {"a": 1} == (await mesh.inspect(run)).context


# -- a storage that says no


class Away(MemoryJournal):
    """A storage that is away for its first claims, and for its first settlement."""

    def __init__(self) -> None:
        super().__init__()
        self.claims, self.settlements = 2, 1

    def claimable(self, *arguments: Any, **options: Any) -> Any:
        """Say no, twice."""
        if self.claims:
            self.claims -= 1
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        return super().claimable(*arguments, **options)

    def append(self, batches: Any) -> Any:
        """Say no to the first settlement."""
        if self.settlements and "attempt_completed" in batches[0].record.body:
            self.settlements -= 1
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        return super().append(batches)


async def test_a_worker_outlives_a_storage_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, tries again, and works on; no step is performed twice."""
    monkeypatch.setattr("squidmesh.workers.worker.AFTER_ERROR", 0.0)
    monkeypatch.setattr("squidmesh.workers.settling.BETWEEN_TRIES", 0.0)
    monkeypatch.setattr("squidmesh.workers.loop.SHORTEST_REST", 0.001)
    stage, performed = Stage(None), 0

    async def a() -> int:
        nonlocal performed
        performed += 1
        return performed

    async with async_mesh(stage, journal=Away(), a=a) as mesh:
        run = await begin(mesh, ONE)
        with caplog.at_level(logging.ERROR):
            async with mesh.worker():
                assert "completed" == (await mesh.wait_for(run, timeout="60s")).status

    assert 1 == performed
    assert 2 == sum("nothing could be claimed" in one.message for one in caplog.records)


async def test_the_next_run_is_claimed_while_the_last_one_is_being_settled() -> None:
    """One slot, two runs: the commit of the first end is not waited for."""
    journal = Overlapping()

    async with async_mesh(Stage(None), journal=journal, a=one) as mesh:
        runs = [await begin(mesh, ONE) for _ in range(2)]
        async with mesh.worker(concurrency=1):
            ended = {(await mesh.wait_for(run, timeout="60s")).status for run in runs}

    assert {"completed"} == ended
    assert [True, True] == journal.overlapped


async def test_a_slot_that_was_left_too_early_is_taken_back() -> None:
    """A settlement that claims nothing leaves it, and claims after all when decided afresh."""
    journal, seen = Overtaken(), list[int]()
    stage = Stage(None)
    places = Places(lambda: None)
    places.open(1)
    places.seize(1)
    places.give_back(0)

    def resume() -> None:
        seen.append(places.free())
        stage.mesh(journal=journal).resume(run, by="op")

    async def b() -> None:
        seen.append(places.free())

    async with async_mesh(stage, journal=journal, a=one, b=b) as mesh:
        run = await begin(mesh)
        crew = mesh.engine.engine.crew(("default",), "60s", heartbeat=False)
        claim = await mesh.engine.take_one(crew)
        assert claim is not None
        await mesh.pause(run, by="op")
        journal.before = resume
        place = Place(places)
        performed = await carry(mesh.engine.hands(crew), claim, lambda: False, place)
        place.end()

    assert (2, [1, 0], 1) == (performed, seen, places.free())


class Deaf(MemoryJournal):
    """A storage that cannot be listened to."""

    def listen(self, queues: object) -> AbstractContextManager[Wakeups]:
        """Say no."""
        raise StorageError("the journal is closed", "storage_error", {})


async def test_a_worker_that_cannot_begin_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """To whoever began it, in the foreground and in the background, and to nobody else."""
    async with async_mesh(Stage(None), journal=Deaf()) as mesh:
        with pytest.raises(StorageError, match="closed"):
            await mesh.worker().run()
        with pytest.raises(StorageError, match="closed"):
            await mesh.worker().start()

    assert [] == caplog.records


# -- callbacks


@frozen
class Reference:
    """What every payment has."""

    key: str


@frozen
class Paid(Reference):
    """What a payment has besides."""

    cents: int


REFUNDED: list[Reference] = []


def pay() -> Paid:
    """Charge somebody."""
    return Paid("p-1", 300)


def ship() -> None:
    """Refuse to."""
    raise Fail("no van goes there")


async def refund(done: Reference) -> None:
    """Whatever was charged."""
    REFUNDED.append(done)


class Shop(Workflow, name="aio.Shop"):
    """What was charged is paid back, because the next step fails."""

    placed = manual()
    paid = with_step(pay).undo(refund)
    shipped = with_step(ship)
    paid.then(shipped)


async def test_an_async_callback_gets_what_its_step_returned(stage: Stage) -> None:
    """In the step's own type, also where the callback asks for no more than its base."""
    REFUNDED.clear()
    async with async_mesh(stage, Shop) as mesh, mesh.worker():
        run = await mesh.start(Shop.placed)
        ended = await mesh.wait_for(run, timeout="60s")

    assert ("failed", [Paid("p-1", 300)]) == (ended.status, REFUNDED)


# -- what steps raise


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), asyncio.CancelledError(), GeneratorExit()], ids=repr
)
async def test_whatever_a_step_raises_is_its_failure(
    stage: Stage, error: BaseException, is_async: bool
) -> None:
    """Nothing a step does ends the worker, or the host's loop."""

    async def raises() -> None:
        raise error

    def raises_too() -> None:
        raise error

    async with async_mesh(stage, a=raises if is_async else raises_too) as mesh:
        async with mesh.worker():
            run = await begin(mesh, ONE)
            ended = await mesh.wait_for(run, timeout="60s")
        snapshot = await mesh.inspect(run, history=True)

    assert "failed" == ended.status
    assert [type(error).__name__] == [one.error.kind for one in snapshot.attempts if one.error]


async def test_a_step_that_cancels_its_own_task_harms_nobody(stage: Stage) -> None:
    """It has failed; the slot goes on with other runs."""

    async def a() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    async with async_mesh(stage, a=a) as mesh, mesh.worker(concurrency=1):
        runs = [await begin(mesh, ONE) for _ in range(2)]
        ended = [(await mesh.wait_for(run, timeout="60s")).status for run in runs]

    assert ["failed", "failed"] == ended


async def test_a_function_that_returns_a_coroutine_is_awaited_on_the_host_s_loop(
    stage: Stage,
) -> None:
    """It looks like a sync step, and is begun on a thread."""
    loop = asyncio.get_running_loop()

    async def later() -> bool:
        return asyncio.get_running_loop() is loop

    def a() -> Coroutine[None, None, bool]:
        return later()

    async with async_mesh(stage, a=a) as mesh, mesh.worker():
        run = await begin(mesh, ONE)
        await mesh.wait_for(run, timeout="60s")

        assert {"a": True} == (await mesh.inspect(run)).context


# -- leases and limits


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_lost_lease_reaches_the_step_and_its_result_is_refused(
    stage: Stage, is_async: bool
) -> None:
    """An async step is cancelled; a sync one is told, and what it returns counts for nothing."""
    inside = asyncio.Event()
    loop = asyncio.get_running_loop()
    told = []

    async def a(ctx: Context) -> int:
        inside.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            told.append(ctx.lost)
            raise
        return 1

    def sync_a(ctx: Context) -> int:
        loop.call_soon_threadsafe(inside.set)
        while not ctx.lost:
            threading.Event().wait(0.001)
        told.append(ctx.lost)
        return 1

    async with async_mesh(stage, a=a if is_async else sync_a) as mesh:
        async with mesh.worker(lease="30ms"):
            run = await begin(mesh, ONE)
            await happens(inside)
            await mesh.cancel(run, by="op")
        ended = await mesh.inspect(run)

    assert ([True], "cancelled", {}) == (told, ended.status, ended.context)


async def test_a_long_step_keeps_its_lease_even_if_it_blocks_the_loop(stage: Stage) -> None:
    """Heartbeats come from a thread: they need no turn of the loop."""
    beaten: list[str] = []

    async def a(ctx: Context) -> None:
        memory = mesh.door.threads.memory
        first = memory.get(RunId(ctx.run_id))
        while memory.get(RunId(ctx.run_id)) is first:
            threading.Event().wait(0.001)  # the loop stands still
        beaten.append(ctx.node)

    async with async_mesh(stage, a=a) as mesh, mesh.worker(lease="30ms"):
        run = await begin(mesh, ONE)
        ended = await mesh.wait_for(run, timeout="60s")

    assert (["a"], "completed") == (beaten, ended.status)


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_step_that_takes_too_long_has_failed(stage: Stage, is_async: bool) -> None:
    """An async step is cancelled, a sync one told; either way the attempt has timed out."""
    told = []

    async def a(ctx: Context) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            told.append(ctx.cancelled)

    def sync_a(ctx: Context) -> None:
        while not ctx.cancelled:
            threading.Event().wait(0.001)
        told.append(ctx.cancelled)

    spec = chain(evolve(step("a", output="a"), timeout_ms=1))
    async with async_mesh(stage, a=a if is_async else sync_a) as mesh:
        async with mesh.worker():
            run = await begin(mesh, spec)
            await mesh.wait_for(run, timeout="60s")
        ended = await mesh.inspect(run, history=True)

    assert ([True], "failed") == (told, ended.status)
    assert ["timed_out"] == [one.error.kind for one in ended.attempts if one.error]
