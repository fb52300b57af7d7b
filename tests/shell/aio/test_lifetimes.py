"""How meshes and workers of an event loop end: who may wait for it, and what they wait for."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing, suppress
from pathlib import Path

import pytest
from attrs import evolve

from squidmesh import AsyncMesh, Notice, Refused, Run, StorageError, Workflow, manual
from squidmesh import step as with_step
from squidmesh.aio import worker as workers
from squidmesh.aio.worker import AsyncWorker
from support.aio import async_mesh
from support.held import HeldStep
from support.stage import Stage
from support.workflows import chain, step

pytestmark = pytest.mark.asyncio

ONE = chain(step("a", output="a"))
PATIENCE = 20.0


async def one() -> int:
    """A step."""
    return 1


class Single(Workflow, name="aio.lifetimes.Single"):
    """One step."""

    go = manual()
    first = with_step(one)


#: A verb that waits for the steps of a worker.
Ending = Callable[[AsyncMesh, AsyncWorker], Awaitable[None]]
ENDINGS: dict[str, Ending] = {
    "AsyncWorker.stop": lambda mesh, worker: worker.stop(),
    "AsyncMesh.close": lambda mesh, worker: mesh.close(),
}


@pytest.fixture(params=ENDINGS)
def end(request: pytest.FixtureRequest) -> Ending:
    """Each of them."""
    return ENDINGS[request.param]


async def test_a_step_cannot_wait_for_its_own_end(stage: Stage, end: Ending) -> None:
    """It is told so at once, and nothing was done: the worker goes on."""

    async def a() -> None:
        await end(mesh, worker)

    async with async_mesh(stage, a=a) as mesh, mesh.worker() as worker:
        run = await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions)
        await mesh.wait_for(run, timeout="20s")

        error = (await mesh.inspect(run)).error
        assert error is not None
        assert "cannot wait for its own worker" in error.message
        assert (await mesh.workers())[0].takes_work


async def test_a_hook_cannot_wait_for_its_own_end(stage: Stage, end: Ending) -> None:
    """A worker lets the call that is on its way end, before it ends."""
    told, answers = asyncio.Event(), list[str]()
    mesh = async_mesh(stage, a=lambda: 1)

    @mesh.on("run_completed", name="end")
    async def stop(notice: Notice) -> None:
        try:
            await end(mesh, worker)
        except Refused as refused:
            answers.append(refused.code)
        told.set()

    async with mesh, mesh.worker() as worker:
        await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions)
        async with asyncio.timeout(PATIENCE):
            await told.wait()

    assert ["waits_for_itself"] == answers


async def test_a_step_may_have_the_mesh_closed_once_it_has_ended(tmp_path: Path) -> None:
    """By a task that it leaves behind: nobody waits for itself then."""
    stage = Stage(tmp_path)
    closing = list[asyncio.Task[None]]()

    async def a() -> int:
        closing.append(asyncio.create_task(mesh.close()))
        return 1

    mesh = async_mesh(stage, a=a)
    async with mesh:
        await mesh.worker().start()
        run = await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions)
        while not closing:
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE):
            await closing[0]

    assert "completed" == stage.mesh().inspect(run).status
    stage.close()


@pytest.mark.parametrize("limit_ms", [1, None])
async def test_a_step_that_does_not_stop_is_left_behind(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    limit_ms: int | None,
) -> None:
    """Its time is over, or the host has cancelled it: the mesh is closed all the same."""
    monkeypatch.setattr(workers, "GRACE", 0.01)
    spec = chain(evolve(step("a"), timeout_ms=limit_ms))
    inside, leave = asyncio.Event(), asyncio.Event()
    steps = list[asyncio.Task[object]]()

    async def a() -> None:
        task = asyncio.current_task()
        assert task is not None
        steps.append(task)
        inside.set()
        while not leave.is_set():
            with suppress(asyncio.CancelledError):
                await leave.wait()

    async with async_mesh(stage, a=a) as mesh, asyncio.timeout(PATIENCE):
        await mesh.worker().start()
        run = await mesh.start_spec(spec, "placed", {}, actions=mesh.actions)
        await inside.wait()
        if limit_ms is None:
            steps[0].cancel()
        await mesh.close()

    expected = f"'a' of run {run.id} was told to stop and goes on; it is left behind"
    assert expected in caplog.messages
    leave.set()
    await asyncio.wait(steps)


async def cancelled_again_and_again(task: "asyncio.Task[object]") -> None:
    """As a scope of anyio's does, until there is nobody left to cancel."""
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)


@pytest.mark.parametrize("verb", ["claim", "execute_next", "drain"])
async def test_a_verb_that_is_cancelled_again_and_again_leaves_no_claim_behind(
    tmp_path: Path, verb: str
) -> None:
    """What it held is given back beside it, and before the mesh is closed."""
    stage = Stage(tmp_path)
    reached = list[int]()

    async def a() -> int:
        reached.append(turns)
        await asyncio.sleep(0)
        return 1

    for turns in range(30):
        async with async_mesh(stage, a=a) as mesh:
            verbs: dict[str, Callable[[], Coroutine[object, object, object]]] = {
                "claim": lambda: mesh.claim(owner="ana"),
                "execute_next": mesh.execute_next,
                "drain": mesh.drain,
            }
            run = await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions)
            asked = asyncio.create_task(verbs[verb]())
            for _ in range(turns):
                await asyncio.sleep(0)
            if asked.done():
                break
            await cancelled_again_and_again(asked)
        async with async_mesh(stage, a=a) as mesh:
            await mesh.drain()

            assert "completed" == (await mesh.inspect(run)).status, turns
    stage.close()


async def test_a_sync_step_that_outlives_its_drain_is_recorded_before_the_mesh_is_closed(
    tmp_path: Path,
) -> None:
    """As where Ctrl-C ends the whole program: nobody performs the step again."""
    stage, held = Stage(tmp_path), HeldStep()
    async with async_mesh(stage, a=held.step) as mesh:
        run = await mesh.start_spec(ONE, "placed", {}, actions=mesh.actions)
        draining = asyncio.create_task(mesh.drain())
        await asyncio.to_thread(held.until_inside)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        closing = asyncio.create_task(mesh.close())
        for _ in range(1_000):  # turns in which it could get ahead of the step
            await asyncio.sleep(0)
        held.leave.set()
        await closing

    assert "completed" == stage.mesh().inspect(run).status
    stage.close()


async def test_what_a_transaction_claimed_for_a_cancelled_drain_is_given_back(
    tmp_path: Path,
) -> None:
    """The step's commit holds the claim of the next one, which nobody is there to perform."""
    stage, held = Stage(tmp_path), HeldStep()
    spec = chain(evolve(step("a", output="a"), transaction=True), step("b", output="b"))
    async with async_mesh(stage, a=held.step, b=lambda: 2) as mesh:
        run = await mesh.start_spec(spec, "placed", {}, actions=mesh.actions)
        draining = asyncio.create_task(mesh.drain())
        await asyncio.to_thread(held.until_inside)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        held.leave.set()

    async with async_mesh(stage, b=lambda: 2) as another:
        before = (await another.inspect(run)).context
        performed = await another.drain()
        after = (await another.inspect(run)).context
    stage.close()

    assert ({"a": 1}, 1, {"a": 1, "b": 2}) == (before, performed, after)


async def test_a_mesh_belongs_to_the_loop_that_it_was_entered_on(stage: Stage) -> None:
    """Another one is told so: what its tasks wait for would be set where they are not."""

    def elsewhere() -> None:
        asyncio.run(mesh.runs())

    async with async_mesh(stage) as mesh:
        with pytest.raises(StorageError, match="another event loop"):
            await asyncio.to_thread(elsewhere)

        assert () == (await mesh.runs()).items


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A journal of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    dsn: str = request.getfixturevalue("emptied_dsn")
    return dsn


def run_and_clean(coroutine: Coroutine[object, object, Run]) -> Run:
    """On a loop that is closed once its tasks have ended."""
    return asyncio.run(coroutine)


def run_and_drop(coroutine: Coroutine[object, object, Run]) -> Run:
    """On a loop that nobody tidies up."""
    with closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(coroutine)


@pytest.mark.parametrize(
    ("runs", "works"), [(run_and_clean, False), (run_and_clean, True), (run_and_drop, False)]
)
async def test_a_mesh_whose_loop_is_closed_is_entered_anew(
    url: str, runs: Callable[[Coroutine[object, object, Run]], Run], works: bool
) -> None:
    """Nobody can leave it there any more: verbs say what to do, and its threads end."""
    others = threading.enumerate()
    mesh = AsyncMesh.open(url, workflows=[Single])

    async def never_left() -> Run:
        await mesh.__aenter__()
        if works:
            await mesh.worker().start()
        return await mesh.start(Single.go)

    run = await asyncio.to_thread(runs, never_left())
    with pytest.raises(StorageError, match="is closed by now, enter it again"):
        await mesh.inspect(run)
    async with mesh:
        again = await mesh.start(Single.go)
        await mesh.drain()
        assert "completed" == (await mesh.inspect(again)).status

    left = [one.name for one in threading.enumerate() if one not in others]
    assert not [name for name in left if name.startswith("squidmesh")]


async def test_a_mesh_is_not_closed_under_the_loop_that_it_is_used_on(stage: Stage) -> None:
    """Whoever is at it there would meet a closed journal."""

    def elsewhere() -> None:
        asyncio.run(mesh.close())

    async with async_mesh(stage) as mesh:
        with pytest.raises(StorageError, match="another event loop"):
            await asyncio.to_thread(elsewhere)

        assert () == (await mesh.runs()).items
