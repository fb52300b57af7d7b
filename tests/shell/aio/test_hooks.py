"""Hooks of an async mesh: the same as those of threads, on the host's loop."""

import asyncio
import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from squidmesh import AsyncMesh, Mesh, Notice
from squidmesh.aio.notifier import _LoopListener
from squidmesh.workers.hooks.telling import LOOK
from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.aio import Threaded
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.aio import async_mesh
from support.stage import Stage
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

WORK = chain(step("a"))
PATIENCE = 20.0


async def happens(event: asyncio.Event) -> None:
    """Wait for something that must happen."""
    async with asyncio.timeout(PATIENCE):
        await event.wait()


async def test_functions_are_called_on_the_loop_or_beside_it(stage: Stage) -> None:
    """Async ones on the host's own, sync ones on a thread; each once."""
    here, there = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    places: dict[str, object] = {}
    mesh = async_mesh(stage, a=lambda: 1)

    @mesh.on("run_completed", name="here")
    async def told(notice: Notice) -> None:
        places["here"] = asyncio.get_running_loop()
        here.set()

    @mesh.on("run_completed", name="there")
    def told_beside(notice: Notice) -> None:
        places["there"] = threading.current_thread()
        loop.call_soon_threadsafe(there.set)

    async with mesh:
        async with mesh.worker():
            run = await mesh.start_spec(WORK, "placed", {}, actions=mesh.actions)
            await happens(here)
            await happens(there)
        hooks = await mesh.hooks()

    assert loop is places["here"]
    assert threading.main_thread() is not places["there"]
    assert ["here", "there"] == [hook.name for hook in hooks]
    assert [0, 0] == [hook.pending for hook in hooks]
    assert "running" == run.status


async def test_a_function_that_fails_is_called_again(stage: Stage) -> None:
    """By this worker or the next one; it can be forgotten instead."""
    called = asyncio.Event()
    journal = stage.journal()
    mesh = async_mesh(stage, journal=journal, a=lambda: 1)

    @mesh.on("run_completed", name="page")
    async def told(notice: Notice) -> None:
        called.set()
        raise ValueError("no")

    async with mesh:
        async with mesh.worker():
            await mesh.start_spec(WORK, "placed", {}, actions=mesh.actions)
            await happens(called)
        (hook,) = await mesh.hooks()
        (failing,) = hook.failing
        assert (1, "ValueError: no") == (failing.attempts, failing.problem)

        called.clear()
        stage.clock.advance(1)
        async with mesh.worker():
            await happens(called)
        assert ["page"] == [one.name for one in await mesh.forget_hook("page")]
        assert () == await mesh.hooks()


async def test_a_function_that_is_cancelled_is_one_that_failed(stage: Stage) -> None:
    """The notifier goes on with the others."""
    told = asyncio.Event()
    mesh = async_mesh(stage, a=lambda: 1)

    @mesh.on("run_completed", name="a")
    async def gives_up(notice: Notice) -> None:
        raise asyncio.CancelledError

    @mesh.on("run_completed", name="b")
    async def listens(notice: Notice) -> None:
        told.set()

    async with mesh:
        async with mesh.worker():
            await mesh.start_spec(WORK, "placed", {}, actions=mesh.actions)
            await happens(told)
        (failing, fine) = await mesh.hooks()

    assert ["CancelledError: "] == [one.problem for one in failing.failing]
    assert 0 == fine.pending


async def test_a_storage_that_is_away_is_waited_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The worker begins, and says that its hooks are not subscribed yet."""
    journal = MemoryJournal(clock=stage.clock)
    mesh = async_mesh(stage, journal=journal, a=lambda: 1)
    mesh.on("run_completed", print, name="page")

    def records(kind: str, **options: object) -> object:
        raise StorageUnavailable("away", "storage_unavailable", {})

    with caplog.at_level(logging.WARNING, "squidmesh.hooks"):
        async with mesh:
            monkeypatch.setattr(journal, "records", records)
            async with mesh.worker():
                pass

    assert "hooks are not subscribed yet, trying again: away" in caplog.messages


async def test_a_mesh_inside_a_transaction_has_the_hooks_of_the_one_outside(tmp_path: Path) -> None:
    """What is registered there is called by the workers outside."""
    file = tmp_path / "journal.db"
    async with AsyncMesh(Threaded(SqliteJournal(file))) as mesh:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("begin immediate")
            mesh.using(connection).on("run_completed", print, name="page")

        assert ["run_completed page"] == [one.key for one in mesh.engine.engine.hooks.all]
    with Mesh(SqliteJournal(file)) as blocking, closing(sqlite3.connect(file)) as connection:
        connection.execute("begin immediate")
        blocking.using(connection).on("run_failed", print, name="page")

        assert ["run_failed page"] == [one.key for one in blocking.engine.hooks.all]


async def test_a_notifier_rests_until_it_is_rung() -> None:
    """And once more after that: a loop that never rests leaves its host no time."""
    listener = _LoopListener(["run_completed"])
    async with asyncio.timeout(PATIENCE):
        listener.ring()
        await listener.rest(3600)
        again = asyncio.create_task(listener.rest(3600))
        for _ in range(10):
            await asyncio.sleep(0)
        rests = not again.done()
        listener.ring()
        await again
        await listener.rest(0)

    assert rests


async def test_a_notifier_rests_between_its_looks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the policy says, unless something happens."""
    rests = list[float]()
    resting = asyncio.Event()

    async def rest(listener: _LoopListener, seconds: float) -> None:
        rests.append(seconds)
        resting.set()
        await rest_of(listener, seconds)

    rest_of = _LoopListener.rest
    monkeypatch.setattr(_LoopListener, "rest", rest)
    mesh = async_mesh(stage, a=lambda: 1)
    mesh.on("run_completed", print, name="told")
    async with mesh, mesh.worker():
        await happens(resting)

    assert LOOK == rests[0]


async def test_a_worker_lets_the_call_that_is_on_its_way_end(stage: Stage) -> None:
    """It has not ended before that: nothing of it goes on beside whoever has left it."""
    inside, leave = asyncio.Event(), asyncio.Event()
    ended = list[str]()
    mesh = async_mesh(stage, a=lambda: 1)

    @mesh.on("run_completed", name="slow")
    async def told(notice: Notice) -> None:
        inside.set()
        await leave.wait()
        ended.append(notice.event)

    async with mesh:
        worker = await mesh.worker().start()
        await mesh.start_spec(WORK, "placed", {}, actions=mesh.actions)
        await happens(inside)
        stopping = asyncio.create_task(worker.stop())
        for _ in range(10_000):  # turns in which it could get ahead of the call
            await asyncio.sleep(0)
        waits = not stopping.done()
        leave.set()
        await stopping

    assert (True, ["run_completed"]) == (waits, ended)
