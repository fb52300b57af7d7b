"""An async mesh in its host: when it opens, when it closes, and what cancelling its tasks means."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import create_engine

from squidmesh import (
    AsyncMesh,
    ConfigError,
    Context,
    Mesh,
    Run,
    RunNotFound,
    StorageError,
    WaitTimeout,
    Workflow,
    manual,
    step,
)
from squidmesh.aio.waiting import Moved
from squidmesh.ports import Ports
from squidmesh.steering import asking
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.values.scope import Scope
from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.aio import async_mesh
from support.faults import ASTRAY, Fault, Faults, FaultyJournal, ProcessDied
from support.stage import LEASE, Stage, does
from support.workflows import chain, log
from support.workflows import step as node

pytestmark = pytest.mark.asyncio

SPEC = chain(node("a", output="a"), node("b", output="b"))


async def one() -> int:
    """Return a number, on the host's loop."""
    return 1


class Single(Workflow, name="aio.Single"):
    """One step."""

    go = manual()
    first = step(one)


async def begin(mesh: AsyncMesh) -> Run:
    """Start a run whose actions the mesh performs."""
    return await mesh.start_spec(SPEC, "placed", {}, actions=mesh.actions)


# -- opening and closing


async def test_nothing_is_opened_before_the_mesh_is_entered(tmp_path: Path) -> None:
    """A module may make it; whoever imports that touches no file."""
    file = tmp_path / "journal.db"
    mesh = AsyncMesh.open(f"sqlite:///{file}", workflows=[Single])
    worker = mesh.worker()

    assert ({"aio.Single"}, False) == (set(mesh.workflows), file.exists())
    async with mesh, worker:
        run = await mesh.start(Single.go)
        assert "completed" == (await mesh.wait_for(run, timeout="60s")).status


async def test_a_mesh_can_be_entered_again(tmp_path: Path) -> None:
    """Hosts are started several times in one process, by their tests at least."""
    mesh = AsyncMesh.open(f"sqlite:///{tmp_path / 'journal.db'}", workflows=[Single])
    async with mesh:
        run = await mesh.start(Single.go)
    async with mesh:
        assert 1 == await mesh.drain()
        assert "completed" == (await mesh.inspect(run)).status


async def test_a_mesh_that_is_left_lets_go_of_all_it_had(tmp_path: Path) -> None:
    """Its journal is closed, and none of its threads goes on."""
    journal, others = SqliteJournal(tmp_path / "journal.db"), threading.enumerate()
    async with async_mesh(Stage(None), Single, journal=journal) as mesh, mesh.worker():
        run = await mesh.start(Single.go)
        await mesh.wait_for(run, timeout="60s")

    with pytest.raises(StorageError, match="closed"):
        journal.load(RunId(run.id))
    left = [one.name for one in threading.enumerate() if one not in others]
    assert not [name for name in left if name.startswith("squidmesh")]


async def test_verbs_outside_of_the_block_are_a_mistake() -> None:
    """Before it and after it, and so is a second entry."""
    mesh = AsyncMesh.open("memory://", workflows=[Single])
    with pytest.raises(StorageError, match="within `async with mesh:`") as refused:
        await mesh.start(Single.go)
    assert "storage_error" == refused.value.code
    async with mesh:
        with pytest.raises(RuntimeError, match="entered already"):
            await mesh.__aenter__()
    with pytest.raises(StorageError, match="within `async with mesh:`"):
        await mesh.health()
    await mesh.close()


async def test_of_two_tasks_that_enter_one_mesh_at_once_one_is_refused(tmp_path: Path) -> None:
    """Each would open the journal, and one would never be closed; and it can be entered again."""
    mesh = AsyncMesh.open(f"sqlite:///{tmp_path / 'mesh.db'}", workflows=[Single])

    entered = await asyncio.gather(mesh.__aenter__(), mesh.__aenter__(), return_exceptions=True)

    assert mesh is entered[0]
    assert "RuntimeError: this mesh is entered already; leave it first" == (
        f"{type(entered[1]).__name__}: {entered[1]}"
    )
    await mesh.close()
    async with mesh:
        assert (await mesh.health()).ok


async def test_a_mesh_that_could_not_be_entered_can_be_entered_later(tmp_path: Path) -> None:
    """Somebody made the folder meanwhile."""
    mesh = AsyncMesh.open(f"sqlite:///{tmp_path / 'later' / 'mesh.db'}", workflows=[Single])
    with pytest.raises(StorageError):
        await mesh.__aenter__()

    (tmp_path / "later").mkdir()

    async with mesh:
        assert (await mesh.health()).ok


async def test_a_url_is_judged_when_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing one at once."""
    monkeypatch.delenv("SQUIDMESH_URL", raising=False)
    with pytest.raises(ConfigError, match="no URL was given"):
        AsyncMesh.open()
    with pytest.raises(ConfigError, match="no journal URL"):
        await AsyncMesh.open("nowhere").__aenter__()
    monkeypatch.setenv("SQUIDMESH_URL", "memory://")
    async with AsyncMesh.open() as mesh:
        assert "memory://" == (await mesh.health()).url


@pytest.mark.parametrize("by_engine", [False, True])
async def test_whatever_a_mesh_is_opened_with_it_has(tmp_path: Path, by_engine: bool) -> None:
    """By its URL, and by the host's engine."""
    asked, actions = list[object](), does(more=one)

    def policy(actor: object, view: object) -> Scope:
        asked.append(actor)
        return "auditor"

    url = f"sqlite:///{tmp_path / 'journal.db'}"
    make: Any = AsyncMesh.from_engine if by_engine else AsyncMesh.open
    where = create_engine(url) if by_engine else url
    with pytest.raises(ConfigError, match="migrate"):
        make(where, migrate="no")
    async with make(where, workflows=[Single], actions=actions, policy=policy) as mesh:
        run = await mesh.start(Single.go)
        mesh.redact(await mesh.inspect(run), "ana")

        assert {"do.more"} <= set(mesh.actions.performable())
    assert 1 == len(asked)


# -- tasks of the host that are cancelled


class Telling(MemoryJournal):
    """A journal that tells when an append is under way."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(clock=stage.clock)
        self._loop = asyncio.get_running_loop()
        self.under_way = asyncio.Event()

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append, once it was told."""
        self._loop.call_soon_threadsafe(self.under_way.set)
        return super().append(batches)


async def test_a_cancelled_start_is_begun_and_performed() -> None:
    """Its caller may go away: what is durable is carried on, in the slot it was given."""
    stage = Stage(None)
    journal = Telling(stage)
    async with async_mesh(stage, Single, journal=journal) as mesh, mesh.worker():
        starting = asyncio.create_task(mesh.start(Single.go, key="k"))
        await journal.under_way.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        run = await mesh.start(Single.go, key="k")

        assert run.duplicate
        assert "completed" == (await mesh.wait_for(run, timeout="60s")).status


async def test_a_verb_whose_caller_was_cancelled_can_be_asked_again(stage: Stage) -> None:
    """Wherever the cancellation struck, the same key finds one run, whole or not begun."""
    for turns in range(12):
        async with async_mesh(stage, Single, journal=MemoryJournal(clock=stage.clock)) as mesh:
            starting = asyncio.create_task(mesh.start(Single.go, key="k"))
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            run = await mesh.start(Single.go, key="k")

            assert (1, 1) == (len((await mesh.runs()).items), await mesh.drain())
            assert (await mesh.verify(run, checker=True)).clean


async def test_who_waits_for_a_run_rests_until_it_moves() -> None:
    """And once more after that: a loop that never rests leaves its host no time."""
    moved = Moved()
    async with asyncio.timeout(20):
        moved.set()
        await moved.wait(0)
        again = asyncio.create_task(moved.wait(3600))
        for _ in range(10):
            await asyncio.sleep(0)
        rests = not again.done()
        await asyncio.to_thread(moved.set)
        await again
        await moved.wait(0)

    assert rests


async def test_a_claim_takes_one_attempt_and_leaves_the_others(stage: Stage) -> None:
    """What needs nobody is done on the way to it."""
    async with async_mesh(stage, a=one, b=lambda: 2) as mesh:
        first = await mesh.start_spec(
            chain(log("said")), "placed", {}, actions=mesh.actions, priority=-1
        )
        runs = {(await begin(mesh)).id for _ in range(2)}
        claims = [await mesh.claim(owner="ana") for _ in range(3)]

        assert runs == {claim.run_id for claim in claims[:2] if claim is not None}
        assert (None, "completed") == (claims[2], (await mesh.inspect(first)).status)


async def test_a_cancelled_drain_fails_no_step(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """The host went away, not the step: it ends, is given back, and anybody begins it again."""
    caplog.set_level(logging.INFO, "squidmesh")
    begun, ends = asyncio.Event(), list[str]()

    async def held() -> int:
        if not ends:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ends.append("cancelled")
        return 1

    class Held(Workflow, name="aio.Held"):
        go = manual()
        first = step(held)

    async with async_mesh(stage, Held) as mesh:
        run = await mesh.start(Held.go)
        draining = asyncio.create_task(mesh.drain())
        await begun.wait()
        draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining

        assert (["cancelled"], "running") == (ends, (await mesh.inspect(run)).status)
        assert [] == caplog.messages  # it has not raised anything
        assert 1 == await mesh.drain()
        snapshot = await mesh.inspect(run)
        numbers = [one.number for one in snapshot.attempts]  # to be given back costs no attempt
        assert ("completed", [1, 1]) == (snapshot.status, numbers)


@pytest.mark.parametrize("verb", ["claim", "execute_next", "drain"])
async def test_a_cancelled_verb_leaves_no_claim_behind(stage: Stage, verb: str) -> None:
    """Wherever the cancellation struck: what is left can be claimed at once, or ends by itself."""
    async with async_mesh(stage, a=one, b=lambda: 2) as mesh:
        verbs: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "claim": lambda: mesh.claim(owner="ana"),
            "execute_next": mesh.execute_next,
            "drain": mesh.drain,
        }
        for turns in range(40):
            run = await begin(mesh)
            asked = asyncio.ensure_future(verbs[verb]())
            for _ in range(turns):
                await asyncio.sleep(0)
            if asked.done():
                break
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            await mesh.drain()

            assert asked.cancelled(), turns
            assert "completed" == (await mesh.wait_for(run, timeout="20s")).status, turns


@pytest.mark.parametrize("drains_already", [False, True])
async def test_steps_that_run_may_use_a_mesh_that_is_being_closed(
    stage: Stage, drains_already: bool
) -> None:
    """It drains first: what they ask of it is done, and all of them are settled."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def starts(ctx: Context) -> str:
        inside.set()
        await leave.wait()
        return (await mesh.start(Single.go, key=ctx.run_id)).id

    class Starting(Workflow, name="aio.Starting"):
        go = manual()
        first = step(starts)

    mesh = async_mesh(stage, Single, Starting)
    async with mesh:
        runs = [await mesh.start(Starting.go) for _ in range(3)]
        worker = await mesh.worker(concurrency=2).start()
        await inside.wait()
        if drains_already:
            worker.drain_soon()
            while (await mesh.workers())[0].takes_work:
                pass
        closing = asyncio.create_task(mesh.close())
        while worker.reserve("default") is not None or not worker._stopping:
            await asyncio.sleep(0)
        leave.set()
        await closing

        if stage.folder is not None:
            seen = stage.mesh()
            ended = sorted(seen.inspect(run).status for run in runs)
            assert ["completed", "completed", "running"] == ended
            assert 2 == len(seen.runs(workflow="aio.Single").items)


# -- waiting


@pytest.mark.parametrize("by_thread", [False, True])
async def test_who_waits_is_woken_by_each_move_of_its_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, by_thread: bool
) -> None:
    """By other tasks, and by threads beside the loop; nobody has to look again."""
    monkeypatch.setattr("squidmesh.views.waiting.FIRST_LOOK", 3600.0)
    monkeypatch.setattr("squidmesh.views.waiting.FIRST_LOOK_CLAIMED", 3600.0)
    monkeypatch.setattr("squidmesh.views.waiting.FIRST_LOOK_ELSEWHERE", 3600.0)
    async with async_mesh(stage, a=one, b=one) as mesh:
        run = await begin(mesh)
        waiting = asyncio.create_task(mesh.wait_for(run, status="paused"))
        while not mesh.door.threads.watchers._by_run:
            await asyncio.sleep(0)
        if by_thread:
            asked = asking.pause(run, {"by": "op"})
            await mesh.engine.aside(mesh.door.threads.handle, asked.run_id, asked.command)
        else:
            await mesh.pause(run, by="op")
        async with asyncio.timeout(20):
            assert "paused" == (await waiting).status


async def test_waiting_ends_when_it_takes_too_long(stage: Stage) -> None:
    """The run goes on; one that is over and never was so is told at once."""
    async with async_mesh(stage, a=one, b=one) as mesh:
        run = await begin(mesh)
        with pytest.raises(WaitTimeout, match="after 0 ms"):
            await mesh.wait_for(run, timeout="0s")
        await mesh.drain()
        with pytest.raises(WaitTimeout, match="not be paused any more"):
            await mesh.wait_for(run, status="paused")
        with pytest.raises(RunNotFound):
            await mesh.wait_for("00000000-0000-7000-8000-000000000000")


# -- in a transaction of the host's


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A database with a table of the host's, and a journal in it."""
    file = tmp_path / "shop.db"
    with Mesh.open(f"sqlite:///{file}"), closing(sqlite3.connect(file)) as db, db:
        db.execute("create table orders (id integer)")
    return file


async def test_what_is_decided_in_a_transaction_stands_or_falls_with_it(shop: Path) -> None:
    """The rows of the host and the start are there together, or neither is."""
    async with AsyncMesh.open(f"sqlite:///{shop}", workflows=[Single]) as mesh:
        with closing(sqlite3.connect(shop)) as db:
            for number, ends in enumerate((db.commit, db.rollback)):
                db.execute("insert into orders values (?)", (number,))
                run = await mesh.using(db).start(Single.go, key=str(number))
                await mesh.using(db).cancel(run, by="op")
                ends()
            rows = db.execute("select id from orders").fetchall()
        statuses = [one.status for one in (await mesh.runs()).items]

    assert ([(0,)], ["cancelled"]) == (rows, statuses)


async def test_workers_hear_of_a_transaction_when_its_block_is_left(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver does not tell of its commit: the host does, by leaving the block after it."""
    for rest in ("squidmesh.workers.loop.SHORTEST_REST", "squidmesh_storage.wakeups.LONGEST"):
        monkeypatch.setattr(rest, 3600.0)
    async with AsyncMesh.open(f"sqlite:///{shop}", workflows=[Single]) as mesh, mesh.worker():
        with closing(sqlite3.connect(shop)) as db:
            db.execute("insert into orders values (1)")
            async with mesh.using(db) as joined:
                run = await joined.start(Single.go)
                db.commit()

        assert "completed" == (await mesh.wait_for(run, timeout="60s")).status


async def test_nobody_works_inside_a_transaction(shop: Path) -> None:
    """Workers would hold claims that others cannot see."""
    async with AsyncMesh.open(f"sqlite:///{shop}", workflows=[Single]) as mesh:
        with closing(sqlite3.connect(shop, isolation_level=None)) as db:
            db.execute("begin immediate")
            joined = mesh.using(db)
            with pytest.raises(StorageError):
                await joined.claim(owner="ana")
            with pytest.raises(StorageError):
                await joined.worker().run()
            db.rollback()


# -- a process that dies, and a storage whose answers go astray


class Kept(FaultyJournal):
    """A journal behind a bad line, which outlives who used it."""

    def close(self) -> None:
        """Others go on with it."""


#: Those that a mesh without a worker comes by, started once and drained.
FAULTS: Final[tuple[Fault, ...]] = (
    *ASTRAY,
    *("define.before", "define.after", "append.before", "append.after", "claim.before"),
    *("claim.after", "perform.before", "perform.after", "settle.before", "settle.after"),
)


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_goes_wrong_another_finishes(stage: Stage, fault: Fault) -> None:
    """A run is begun or not, and whoever comes next ends it; nothing is done twice to it."""
    faults = Faults()
    faults.armed = fault
    journal = Kept(stage.journal(), faults)
    ports = Ports(site=faults.at)
    async with async_mesh(stage, journal=journal, ports=ports, a=one, b=one) as mesh:
        with suppress(ProcessDied, StorageUnavailable):
            await mesh.start_spec(SPEC, "placed", {}, actions=mesh.actions, key="k")
            await mesh.drain()
    journal.late_ones_land()
    stage.clock.advance(LEASE)
    rescuer = stage.mesh(actions=does(a=lambda: 1, b=lambda: 1))
    run = rescuer.start_spec(SPEC, "placed", {}, actions=rescuer.actions, key="k")
    rescuer.drain()

    assert [fault] == faults.met
    assert ["completed"] == [one.status for one in rescuer.runs().items]
    assert rescuer.verify(run, checker=True).clean
