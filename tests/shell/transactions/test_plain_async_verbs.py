"""A verb of an `AsyncMesh` itself in a transactional step; see `test_plain_verbs.py`."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from squidmesh import AsyncMesh, Fail, Run, StorageError, TxContext, Workflow, manual, pause, step
from support.stage import EPOCH

pytestmark = pytest.mark.asyncio

#: What the steps do: it belongs to the host's loop.
ACTS: list[Callable[[TxContext], Awaitable[object]]] = []
#: The host's loop.
LOOPS: list[asyncio.AbstractEventLoop] = []


async def act(tx: TxContext) -> None:
    """Do it in a task."""

    async def do() -> None:
        await ACTS[0](tx)

    await asyncio.create_task(do())


def act_beside_the_loop(tx: TxContext) -> None:
    """Have it done there, and wait."""

    async def do() -> None:
        await ACTS[0](tx)

    asyncio.run_coroutine_threadsafe(do(), LOOPS[0]).result()


class OnLoop(Workflow, name="tests.async.OnLoop"):
    """An async step."""

    asked = manual()
    acting = step(act, transaction=True)


class Beside(Workflow, name="tests.async.Beside"):
    """A sync one."""

    asked = manual()
    acting = step(act_beside_the_loop, transaction=True)


class Other(Workflow, name="tests.async.Other"):
    """What is begun and waits."""

    asked = manual()
    waits = pause("Go on?")


def mesh_on(url: str) -> AsyncMesh:
    """A mesh that performs them, on this loop."""
    LOOPS[:] = [asyncio.get_running_loop()]
    return AsyncMesh.open(url, workflows=[OnLoop, Beside, Other])


#: Of those that decide, that claim, and that write beside the journals.
VERBS: dict[str, Callable[[AsyncMesh, str], Awaitable[object]]] = {
    "start": lambda mesh, other: mesh.start(Other.asked),
    "cancel": lambda mesh, other: mesh.cancel(other),
    "drain": lambda mesh, other: mesh.drain(),
    "pause_queue": lambda mesh, other: mesh.pause_queue("default"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("workflow", [OnLoop, Beside])
async def test_what_would_wait_for_the_step_itself_is_told_so(
    sqlite_url: str, workflow: type[OnLoop] | type[Beside], verb: str
) -> None:
    """At once; nothing was done, and the text names the way."""
    async with mesh_on(sqlite_url) as mesh:
        other = await mesh.start(Other.asked)
        ACTS[:] = [lambda tx: VERBS[verb](mesh, other.id)]
        run = await mesh.start(workflow.asked)
        await mesh.start(OnLoop.asked)
        await mesh.drain(limit=1)
        error = (await mesh.inspect(run)).error

    assert error is not None
    assert "StorageError" == error.kind
    assert "mesh.using(tx.connection)" in error.message


@pytest.mark.parametrize("workflow", [OnLoop, Beside])
async def test_what_others_ask_meanwhile_is_done_when_the_step_has_ended(
    sqlite_url: str, workflow: type[OnLoop] | type[Beside]
) -> None:
    """Also of the run that the step asks about: whoever is outside is not told to stay away."""
    asked, told = list[asyncio.Task[Run]](), list[str]()

    async def ask(tx: TxContext) -> None:
        with pytest.raises(StorageError, match=r"mesh\.using"):
            await mesh.pause(other)
        begins.set()
        while not asked:
            await asyncio.sleep(0)
        with pytest.raises(StorageError, match=r"mesh\.using"):
            await mesh.pause(other)
        told.append("twice")

    async with mesh_on(sqlite_url) as mesh:
        begins = asyncio.Event()
        ACTS[:] = [ask]
        other = await mesh.start(Other.asked)
        run = await mesh.start(workflow.asked)
        draining = asyncio.create_task(mesh.drain())
        await begins.wait()
        asked.append(asyncio.create_task(mesh.cancel(other)))
        await draining

        assert (["twice"], "cancelled") == (told, (await asked[0]).status)
        assert "completed" == (await mesh.inspect(run)).status


async def test_what_a_step_leaves_behind_may_write_when_it_has_ended(sqlite_url: str) -> None:
    """The transaction is over then, and in nobody's way."""
    left = list[asyncio.Task[Run]]()

    async def starts_later() -> Run:
        await over.wait()
        return await mesh.start(Other.asked)

    async def leave_behind(tx: TxContext) -> None:
        left.append(asyncio.create_task(starts_later()))

    async with mesh_on(sqlite_url) as mesh:
        over = asyncio.Event()
        ACTS[:] = [leave_behind]
        await mesh.start(OnLoop.asked)
        await mesh.drain()
        over.set()

        assert "paused" == (await left[0]).status


@pytest.mark.parametrize("workflow", [OnLoop, Beside])
async def test_a_step_may_start_runs_in_its_transaction(
    url: str, workflow: type[OnLoop] | type[Beside]
) -> None:
    """By the way that the text names: they are there when it has ended, and not before."""
    begun, before = list[Run](), list[int]()

    async def start(tx: TxContext) -> None:
        begun.append(await mesh.using(tx.connection).start(Other.asked, now=EPOCH))
        before.append(len((await mesh.runs(workflow="tests.async.Other")).items))

    async with mesh_on(url) as mesh:
        ACTS[:] = [start]
        run = await mesh.start(workflow.asked)
        await mesh.drain()

        assert "completed" == (await mesh.inspect(run)).status
        seen = await mesh.inspect(begun[0])
        assert ([0], "paused", EPOCH) == (before, seen.status, seen.run.created_at)


async def test_where_others_write_meanwhile_so_may_the_step(postgres_dsn: str) -> None:
    """What it asks of the mesh itself is no part of its transaction, and stays."""

    async def start(tx: TxContext) -> None:
        run = await mesh.start(Other.asked)
        await mesh.cancel(run)
        raise Fail(run.id)

    async with mesh_on(postgres_dsn) as mesh:
        ACTS[:] = [start]
        failed = await mesh.start(OnLoop.asked)
        await mesh.drain()
        error = (await mesh.inspect(failed)).error

        assert error is not None
        assert "cancelled" == (await mesh.inspect(error.message)).status
