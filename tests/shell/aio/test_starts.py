"""Starts on an event loop that fill a worker's slot: what they heed, and what becomes of both."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from squidmesh import AsyncMesh, Run
from squidmesh.aio.worker import AsyncWorker
from squidmesh.ports import Ports
from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.lanes import SETTINGS
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.aio import async_mesh
from support.stage import Stage
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

ONE = chain(step("a", output="a"))
PATIENCE = 20.0


async def begin(mesh: AsyncMesh) -> Run:
    """Start a run whose action the mesh performs."""
    return await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions)


async def until_idle(worker: AsyncWorker) -> None:
    """Wait until a start would find a free slot."""
    async with asyncio.timeout(PATIENCE):
        while worker.reserve("default") is None:
            await asyncio.sleep(0)  # it is looking for work itself just now
    await worker.fill(None)


class Hands:
    """Hands of a clock, moved by tests."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Held(MemoryJournal):
    """A journal that is slow to say how queues are set up."""

    def __init__(self, tell: Callable[[], object]) -> None:
        super().__init__()
        self._tell = tell
        self.holds = False
        self.readings = 0
        self.go = threading.Event()

    def records(self, kind: str, **options: Any) -> Any:
        """Read, once it may."""
        if self.holds and kind == SETTINGS:
            self.readings += 1
            self._tell()
            self.go.wait(PATIENCE)
        return super().records(kind, **options)


class Slow(SqliteJournal):
    """A journal that may be slow to append."""

    def __init__(self, file: Path, tell: Callable[[], object]) -> None:
        super().__init__(file)
        self._tell = tell
        self.holds = False
        self.go = threading.Event()

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append, once it may."""
        if self.holds:
            self._tell()
            self.go.wait(PATIENCE)
        return super().append(batches)


async def test_a_start_heeds_what_others_have_set_up(stage: Stage) -> None:
    """A queue that was paused in another process: the free slot is left alone."""
    clock = Hands()
    ports = Ports(monotonic=clock)
    async with async_mesh(stage, a=lambda: 1, ports=ports) as mesh, mesh.worker() as worker:
        await until_idle(worker)
        stage.mesh().pause_queue("default")
        clock.seconds += 3600
        run = await begin(mesh)

        assert "queue_paused" == (await mesh.explain(run)).reason
        assert "attempt_claimed" not in [one.type async for one in mesh.journal(run)]


async def test_a_start_that_is_cancelled_takes_no_other_with_it() -> None:
    """Both wait for one reading of how queues are set up."""
    reading, clock = asyncio.Event(), Hands()
    loop = asyncio.get_running_loop()
    journal = Held(lambda: loop.call_soon_threadsafe(reading.set))
    mesh = async_mesh(Stage(None), a=lambda: 1, journal=journal, ports=Ports(monotonic=clock))
    async with mesh, mesh.worker() as worker:
        await begin(mesh)  # the definition is stored
        await until_idle(worker)
        clock.seconds += 3600
        journal.holds = True
        starts = [asyncio.create_task(begin(mesh)) for _ in range(2)]
        async with asyncio.timeout(PATIENCE):
            await reading.wait()
        for _ in range(10):  # turns in which the second comes as far
            await asyncio.sleep(0)
        starts[0].cancel()
        await asyncio.gather(starts[0], return_exceptions=True)
        journal.go.set()
        run = await starts[1]

        assert (True, 1) == (starts[0].cancelled(), journal.readings)
        assert "completed" == (await mesh.wait_for(run, timeout="60s")).status


async def test_a_start_whose_caller_has_gone_ends_before_the_mesh_is_closed(tmp_path: Path) -> None:
    """Its claim is given back: the worker whose slot it was to fill has ended meanwhile."""
    stage, under_way = Stage(tmp_path), asyncio.Event()
    loop = asyncio.get_running_loop()
    journal = Slow(stage.file, lambda: loop.call_soon_threadsafe(under_way.set))
    async with async_mesh(stage, a=lambda: 1, journal=journal) as mesh:
        worker = await mesh.worker().start()
        await mesh.wait_for(await begin(mesh), timeout="60s")
        await until_idle(worker)
        journal.holds = True
        starting = asyncio.create_task(begin(mesh))
        async with asyncio.timeout(PATIENCE):
            await under_way.wait()
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            closing = asyncio.create_task(mesh.close())
            await worker.stop()
            for _ in range(1_000):  # turns in which it could get ahead of the start
                await asyncio.sleep(0)
        journal.go.set()
        await closing

    seen = stage.mesh()
    (run,) = seen.runs(status="running").items
    assert "attempt_visible" == seen.inspect(run).reason
    stage.close()


async def test_a_worker_that_has_ended_is_let_go_of(stage: Stage) -> None:
    """A mesh may have many, one after the other."""
    async with async_mesh(stage, a=lambda: 1) as mesh:
        worker = mesh.worker()
        gone = weakref.ref(worker)
        async with worker:
            await begin(mesh)
        del worker
        gc.collect()

        assert gone() is None
