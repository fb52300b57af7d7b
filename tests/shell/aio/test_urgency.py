"""On an event loop, too, a slot lets go of its run for more urgent work."""

import asyncio
from collections.abc import Iterator

import pytest

from squidmesh import ActionRegistry, AsyncMesh
from squidmesh_storage.aio import Threaded
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.postgres.aio import AsyncPostgresJournal
from support.stage import Stage, does, stage_on
from support.urgency import KEPT, LET_GO, PATIENT, URGENT, Looks, settled_with
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

SPEC = chain(step("a"), step("b"), step("c"))
OTHER = chain(step("other"))
PATIENCE = 20.0


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A journal on every adapter: this is also about what they answer."""
    made = stage_on(request)
    yield made
    made.close()


def mesh_on(stage: Stage, actions: ActionRegistry) -> AsyncMesh:
    """A mesh on the adapter's own coroutines."""
    journal = stage.journal()
    if isinstance(journal, PostgresJournal):
        return AsyncMesh(AsyncPostgresJournal(journal), actions=actions)
    return AsyncMesh(Threaded(journal, clock=stage.clock), actions=actions)


@pytest.mark.parametrize(
    ("priority", "order", "appends"),
    [(URGENT, ["a", "other", "b", "c"], LET_GO), (PATIENT, ["a", "b", "c", "other"], KEPT)],
)
async def test_only_more_urgent_work_is_performed_before_a_long_run_goes_on(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    priority: int,
    order: list[str],
    appends: list[tuple[bool, bool]],
) -> None:
    """The run waits its turn, and keeps its next slot: what was seen is not believed for ever."""
    looks = Looks(monkeypatch, priority)
    inside, performed = asyncio.Event(), list[str]()

    async def a() -> None:
        inside.set()
        assert await asyncio.to_thread(looks.seen.wait, PATIENCE)
        performed.append("a")

    async def b() -> None:
        performed.append("b")

    async def c() -> None:
        performed.append("c")

    async def other() -> None:
        performed.append("other")

    actions = does(a=a, b=b, c=c, other=other)
    async with mesh_on(stage, actions) as mesh, mesh.worker(concurrency=1):
        run = await mesh.start_spec(SPEC, "placed", {}, actions=actions, priority=PATIENT)
        async with asyncio.timeout(PATIENCE):
            await inside.wait()
        late = await mesh.start_spec(OTHER, "placed", {}, actions=actions, priority=priority)
        for one in (run, late):
            assert "completed" == (await mesh.wait_for(one, timeout="60s")).status
        journal = mesh.engine.journal.blocking
        settled = await asyncio.to_thread(settled_with, journal, run.id)

    assert (order, appends) == (performed, settled)
