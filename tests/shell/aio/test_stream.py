"""Watching on an event loop: entries as they come, and nobody left waiting."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from squidmesh import RunNotFound, StorageError
from squidmesh.views.stream import Watched
from support.aio import async_mesh
from support.stage import Stage, does
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio
SPEC = chain(step("a", output="a"), step("b", output="b"))
ACTIONS = does(a=lambda: 1, b=lambda: 2)


async def test_entries_come_while_the_loop_works(stage: Stage) -> None:
    """One task watches what another moves; the end of the run ends it."""
    async with async_mesh(stage, SPEC, actions=ACTIONS) as mesh:
        run = await mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
        seen: list[Watched] = []

        async def watch() -> None:
            async for entry in mesh.watch(run):
                seen.append(entry)  # noqa: PERF401  # what came so far is looked at

        watching = asyncio.create_task(watch())
        await mesh.drain()
        async with asyncio.timeout(10):
            await watching

        kinds = [entry.type async for entry in mesh.journal(run)]
        end = seen[-1].snapshot()
        assert (kinds, "completed") == ([entry.type for entry in seen], end.status)


async def test_a_watcher_that_goes_is_forgotten(stage: Stage) -> None:
    """Closing the iterator, or cancelling who waits in it, leaves nothing behind."""
    async with async_mesh(stage, SPEC, actions=ACTIONS) as mesh:
        run = await mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
        watchers = mesh.engine.door.threads.watchers
        entries = mesh.watch(run)
        await anext(entries)
        assert watchers._by_run
        assert isinstance(entries, AsyncGenerator)
        await entries.aclose()
        assert {} == watchers._by_run

        async def watch() -> None:
            async for _ in mesh.watch(run, after=99):
                pass

        watching = asyncio.create_task(watch())
        while not watchers._by_run:
            await asyncio.sleep(0)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        assert {} == watchers._by_run


async def test_who_watches_hears_that_the_mesh_was_closed(stage: Stage) -> None:
    """In the words of every other verb."""
    async with async_mesh(stage, SPEC, actions=ACTIONS) as mesh:
        run = await mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
        entries = mesh.watch(run)
        await anext(entries)

    with pytest.raises(StorageError, match="is closed"):
        [entry async for entry in entries]


async def test_an_unknown_run_is_refused(stage: Stage) -> None:
    """With the first step."""
    async with async_mesh(stage, SPEC, actions=ACTIONS) as mesh:
        with pytest.raises(RunNotFound):
            await anext(mesh.watch("0193e2a0-7b3c-7d10-8f00-123456789abc"))
