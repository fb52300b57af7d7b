"""Commands on one run that meet on an event loop: what waited for its turn is carried out as said."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from squidmesh import AsyncMesh, Run
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.memory import MemoryJournal
from support.aio import async_mesh
from support.stage import EPOCH, Stage
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

ONE = chain(step("a", output="a"))
PATIENCE = 20.0


def at(seconds: float) -> datetime:
    """So long after the stage was set."""
    return EPOCH + timedelta(seconds=seconds)


async def begin(mesh: AsyncMesh, *, key: str | None = None, now: datetime | None = None) -> Run:
    """Start a run whose action the mesh performs."""
    return await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions, key=key, now=now)


async def test_each_is_decided_at_the_instant_that_it_names(stage: Stage) -> None:
    """Also those that wait, together or by themselves."""
    async with async_mesh(stage, a=lambda: 1) as mesh:
        run = await begin(mesh)
        before = (await mesh.inspect(run)).run.revision
        await asyncio.gather(
            mesh.pause(run, now=at(40)),
            mesh.resume(run, by="op", now=at(50)),
            mesh.pause(run, by="op", now=at(50)),
            mesh.resume(run, by="op", now=at(60)),
        )
        told = [one.at async for one in mesh.journal(run, after=before)]

    assert [at(40), at(50), at(60)] == sorted(set(told))


class AwayOnce(MemoryJournal):
    """A storage that is away for its first append."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(clock=stage.clock)
        self.away = True

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Say no, once."""
        if self.away:
            self.away = False
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        return super().append(batches)


async def test_a_start_that_waited_for_one_that_failed_begins_the_run() -> None:
    """At the instant that it names."""
    stage = Stage(None)
    async with async_mesh(stage, a=lambda: 1, journal=AwayOnce(stage)) as mesh:
        starts = (begin(mesh, key="k", now=at(40)) for _ in range(2))
        ended = await asyncio.gather(*starts, return_exceptions=True)

    runs = [one for one in ended if isinstance(one, Run)]
    assert [(at(40), False)] == [(run.created_at, run.duplicate) for run in runs]
    assert 1 == sum(isinstance(one, StorageUnavailable) for one in ended)


async def test_who_waits_for_a_run_is_woken_by_what_waited_for_its_turn(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to look again."""
    for look in ("FIRST_LOOK", "FIRST_LOOK_CLAIMED", "FIRST_LOOK_ELSEWHERE"):
        monkeypatch.setattr(f"squidmesh.views.waiting.{look}", 3600.0)
    async with async_mesh(stage, a=lambda: 1) as mesh:
        run = await begin(mesh)
        waiting = asyncio.create_task(mesh.wait_for(run, status="cancelled"))
        while not mesh.door.threads.watchers._by_run:
            await asyncio.sleep(0)
        await asyncio.gather(mesh.pause(run), mesh.cancel(run))

        async with asyncio.timeout(PATIENCE):
            assert "cancelled" == (await waiting).status


async def test_one_that_nobody_can_decide_takes_no_other_with_it(stage: Stage) -> None:
    """They share an append, and nothing else."""
    unheard_of: Any = object()
    async with async_mesh(stage, a=lambda: 1) as mesh:
        run = await begin(mesh)
        _, failed, resumed = await asyncio.gather(
            mesh.pause(run),
            mesh.door.handle(RunId(run.id), unheard_of),
            mesh.resume(run, by="op"),
            return_exceptions=True,
        )

        assert isinstance(failed, AssertionError)
        assert isinstance(resumed, Run)
        assert "running" == (await mesh.inspect(run)).status
