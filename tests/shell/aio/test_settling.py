"""What a settlement on an event loop takes along: the claim of the next step, or none."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from squidmesh import AsyncMesh, Run
from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.memory import MemoryJournal
from support.aio import async_mesh
from support.held import HeldStep
from support.stage import Stage
from support.urgency import END, GO_ON, START, settled_with
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

PATIENCE = 20.0
SPEC = chain(step("a", output="a"), step("b", output="b"))


async def begin(mesh: AsyncMesh) -> Run:
    """Start a run whose actions the mesh performs."""
    return await mesh.start_spec(SPEC, "placed", {}, actions=mesh.actions)


async def test_on_a_queue_with_a_limit_the_run_keeps_its_place(stage: Stage) -> None:
    """The next step takes the place of the one before it, in the same append."""
    async with async_mesh(stage, a=lambda: 1, b=lambda: 2) as mesh:
        await mesh.set_queue("default", concurrency=1)
        run = await begin(mesh)

        assert 2 == await mesh.drain()
        journal = mesh.engine.journal.blocking
        settled = await asyncio.to_thread(settled_with, journal, run.id)

    assert [START, GO_ON, END] == settled


async def test_a_settlement_heeds_what_others_have_set_up(stage: Stage) -> None:
    """A queue that was paused in another process while the step ran: nothing follows."""

    async def a() -> int:
        stage.mesh().pause_queue("default")
        return 1

    async with async_mesh(stage, a=a, b=lambda: 2) as mesh:
        run = await begin(mesh)

        assert 1 == await mesh.drain()
        assert "queue_paused" == (await mesh.explain(run)).reason


async def test_nothing_follows_a_step_that_nobody_waits_for(stage: Stage) -> None:
    """A sync step whose drain was cancelled is recorded on its thread, and that is all."""
    held = HeldStep()
    async with async_mesh(stage, a=held.step, b=lambda: 2) as mesh:
        run = await begin(mesh)
        draining = asyncio.create_task(mesh.drain())
        await asyncio.to_thread(held.until_inside)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        held.leave.set()
        async with asyncio.timeout(PATIENCE):
            while "attempt_visible" != (await mesh.inspect(run)).reason:
                await asyncio.sleep(0)
        kinds = [one.type async for one in mesh.journal(run)]

    assert 1 == kinds.count("attempt_claimed")


class Buggy(MemoryJournal):
    """A journal that trips over the first settlement."""

    def __init__(self) -> None:
        super().__init__()
        self.trips = True

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Raise what nobody expects, once."""
        if self.trips and "attempt_completed" in batches[0].record.body:
            self.trips = False
            raise ZeroDivisionError("a bug")
        return super().append(batches)


async def test_a_settlement_that_trips_over_a_bug_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its lease runs out; whoever drains goes on with the other runs."""
    async with async_mesh(Stage(None), a=lambda: 1, b=lambda: 2, journal=Buggy()) as mesh:
        runs = [await begin(mesh) for _ in range(2)]

        assert 3 == await mesh.drain()
        statuses = sorted([(await mesh.inspect(run)).status for run in runs])

    assert ["completed", "running"] == statuses
    assert 1 == sum("could not be settled: a bug" in message for message in caplog.messages)


async def test_who_was_cancelled_once_may_go_on(stage: Stage) -> None:
    """A host that tidies up after its cancellation: the steps that it performs are no part of that."""
    waits = asyncio.Event()

    async def one() -> int:
        return 1

    async def tidies_up() -> int:
        try:
            waits.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await mesh.drain()
        return 0

    async with async_mesh(stage, a=one, b=one) as mesh:
        run = await begin(mesh)
        host = asyncio.create_task(tidies_up())
        await waits.wait()
        host.cancel()

        assert 2 == await host
        assert "completed" == (await mesh.inspect(run)).status


ONE_STEP: dict[str, Callable[[AsyncMesh], Awaitable[object]]] = {
    "execute_next": lambda mesh: mesh.execute_next(),
    "drain": lambda mesh: mesh.drain(limit=1),
}


@pytest.mark.parametrize("verb", ONE_STEP)
async def test_who_asks_for_one_step_leaves_the_next(stage: Stage, verb: str) -> None:
    """To whoever comes: it is not claimed on the way."""
    async with async_mesh(stage, a=lambda: 1, b=lambda: 2) as mesh:
        run = await begin(mesh)
        await ONE_STEP[verb](mesh)
        seen = await mesh.inspect(run)

    assert ({"a": 1}, "attempt_visible") == (seen.context, seen.reason)
