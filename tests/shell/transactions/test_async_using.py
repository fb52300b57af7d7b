"""`AsyncMesh.using`: the host's transaction on an event loop."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count

import psycopg
import pytest
from attrs import frozen
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from squidmesh import Mesh, Workflow, manual, step
from squidmesh.aio.mesh import AsyncMesh
from squidmesh_core.errors import RevisionConflict, RunNotFound, StorageError
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.postgres import joined as postgres_joined
from squidmesh_storage.postgres.scripts import Round, Rows
from support.books import Books
from support.hosts import PostgresShop
from support.ledger import Async, Ledger, Posting

pytestmark = pytest.mark.asyncio


@frozen
class Order:
    """The payload of a run."""

    number: str


def pack(number: str) -> str:
    """A step."""
    return f"{number} packed"


class Packing(Workflow):
    """One step."""

    placed = manual(Order)
    packed = step(pack).takes(placed.payload.number)


class RolledBack(Exception):
    """The host changes its mind."""


#: A connection in a transaction, and how to write a row of the host's in it.
Given = tuple[object, Callable[[str], Awaitable[object]]]


@asynccontextmanager
async def by_driver(url: str) -> AsyncIterator[Given]:
    """psycopg."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection, lambda row: connection.execute("insert into shop values (%s)", (row,))


@asynccontextmanager
async def by_core(url: str) -> AsyncIterator[Given]:
    """SQLAlchemy Core."""
    async with disposed(engine_for(url)) as engine, engine.begin() as connection:
        yield connection, lambda row: connection.execute(INSERT, {"row": row})


@asynccontextmanager
async def by_session(url: str) -> AsyncIterator[Given]:
    """SQLAlchemy's sessions."""
    async with (
        disposed(engine_for(url)) as engine,
        AsyncSession(engine) as session,
        session.begin(),
    ):
        yield session, lambda row: session.execute(INSERT, {"row": row})


INSERT = text("insert into shop values (:row)")
HOSTS: list[Callable[[str], AbstractAsyncContextManager[Given]]] = [by_driver, by_core, by_session]


@asynccontextmanager
async def disposed(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """An engine that leaves no connection open."""
    try:
        yield engine
    finally:
        await engine.dispose()


def engine_for(url: str) -> AsyncEngine:
    """An engine for event loops."""
    return create_async_engine(url.replace("postgresql://", "postgresql+psycopg://"))


@pytest.fixture
def shop(postgres_dsn: str) -> PostgresShop:
    """The host's table, and a look at it from outside."""
    made = PostgresShop(postgres_dsn)
    made.close()
    return made


@pytest.mark.parametrize("host", HOSTS)
async def test_what_is_begun_stands_or_falls_with_the_hosts_rows(
    postgres_dsn: str,
    shop: PostgresShop,
    host: Callable[[str], AbstractAsyncContextManager[Given]],
) -> None:
    """Committed with them, and rolled back with them."""
    async with AsyncMesh.open(postgres_dsn, workflows=[Packing]) as mesh:
        async with host(postgres_dsn) as (connection, write):
            await write("A-1")
            inside = mesh.using(connection)
            run = await inside.start(Packing.placed, Order("A-1"), key="A-1")
            again = await inside.start(Packing.placed, Order("A-1"), key="A-1")
            assert (run.id, True) == (again.id, again.duplicate)
            assert run.id == (await inside.inspect(run)).id
            assert [run.id] == [one.id for one in (await inside.runs()).items]
            with pytest.raises(RunNotFound):
                await mesh.inspect(run)
        assert ["A-1"] == shop.rows()
        await mesh.drain()
        assert "completed" == (await mesh.inspect(run)).status

        async def change_of_mind() -> None:
            async with host(postgres_dsn) as (connection, write):
                await write("A-2")
                await mesh.using(connection).start(Packing.placed, Order("A-2"))
                raise RolledBack

        with pytest.raises(RolledBack):
            await change_of_mind()
        assert ["A-1"] == shop.rows()
        assert 1 == len((await mesh.runs()).items)


async def test_the_loop_goes_on_while_a_verb_waits_for_a_lock(
    postgres_dsn: str, shop: PostgresShop
) -> None:
    """Two requests for one key: the second waits for the first, whose task must go on."""
    async with (
        disposed(engine_for(postgres_dsn)) as engine,
        AsyncMesh.open(postgres_dsn, workflows=[Packing]) as mesh,
    ):
        waits = asyncio.Event()

        async def second() -> str:
            async with engine.begin() as connection:
                waits.set()
                started = mesh.using(connection).start(Packing.placed, Order("A-1"), key="A-1")
                try:
                    return (await started).id
                except RevisionConflict:
                    return "conflict"

        async with engine.begin() as connection:
            run = await mesh.using(connection).start(Packing.placed, Order("A-1"), key="A-1")
            other = asyncio.create_task(second())
            await waits.wait()

        assert await other in {run.id, "conflict"}


async def test_a_core_connection_of_a_loop_without_a_transaction_is_refused(
    postgres_dsn: str,
) -> None:
    """SQLAlchemy would roll it back without a word."""
    async with (
        AsyncMesh.open(postgres_dsn, workflows=[Packing]) as mesh,
        disposed(engine_for(postgres_dsn)) as engine,
        engine.connect() as connection,
    ):
        with pytest.raises(StorageError, match=r"use engine\.begin"):
            await mesh.using(connection).start(Packing.placed, Order("A-1"))
        assert () == (await mesh.runs()).items


async def test_a_connection_of_a_loop_is_not_for_a_mesh_that_blocks(postgres_dsn: str) -> None:
    """Its verbs would hold up the loop that they wait for."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn) as connection:
        await connection.execute("select 1")
        with (
            Mesh(PostgresJournal(postgres_dsn), workflows=[Packing]) as mesh,
            pytest.raises(StorageError, match="AsyncMesh"),
        ):
            mesh.using(connection).start(Packing.placed, Order("A-1"))


@pytest.mark.parametrize("last", [1, 2, 3])
async def test_who_is_cancelled_leaves_the_connection_to_the_host(
    postgres_dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    last: int,
) -> None:
    """What came after its rollback would be committed with whatever the host does next."""
    reached, free, rounds = asyncio.Event(), asyncio.Event(), count(1)
    interrupted = list[int]()
    send = postgres_joined._sent_async

    async def held(connection: AsyncConnection[TupleRow], calls: Round) -> Sequence[Rows]:
        if (number := next(rounds)) == last:
            reached.set()
            try:
                await free.wait()
            except asyncio.CancelledError:
                interrupted.append(number)
                raise
        return await send(connection, calls)

    monkeypatch.setattr(postgres_joined, "_sent_async", held)
    async with (
        AsyncMesh.open(postgres_dsn, workflows=[Packing]) as mesh,
        await AsyncConnection.connect(postgres_dsn) as connection,
    ):
        await connection.execute("select 1")
        inside = mesh.using(connection)
        starting = asyncio.create_task(inside.start(Packing.placed, Order("A-1")))
        await reached.wait()
        starting.cancel()
        for _ in range(100):  # turns in which what it waits for is to be ended
            await asyncio.sleep(0)
        free.set()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert [last] == interrupted
        await connection.rollback()
        with pytest.raises(StorageError, match="call `using` again"):
            await inside.start(Packing.placed, Order("A-1"))
        await inside.close()

        assert TransactionStatus.IDLE == connection.info.transaction_status
        assert last + 1 == next(rounds)
        gc.collect()
        assert [] == caplog.records
        assert () == (await mesh.runs()).items


class OfAnotherMake:
    """A loop like uvloop's, which tells nobody on what thread it runs."""

    def call_soon_threadsafe(self, call: Callable[[], object]) -> object:
        """Nothing would come of it while its thread waits."""
        raise AssertionError(f"{call} was to end before the loop goes on")


async def test_a_mesh_that_blocks_holds_up_no_loop_of_another_make(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused there too: a server would stand still for good."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn) as connection:
        await connection.execute("select 1")
        with (
            Mesh(PostgresJournal(postgres_dsn), workflows=[Packing]) as mesh,
            monkeypatch.context() as patched,
        ):
            patched.setattr(asyncio, "get_running_loop", OfAnotherMake)
            joined = mesh.using(connection)
            with pytest.raises(StorageError, match="AsyncMesh"):
                joined.start(Packing.placed, Order("A-1"))


@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
async def test_transactional_steps_are_performed_beside_the_loop(books: Books, url: str) -> None:
    """Sync or async: their connection blocks whoever uses it."""
    async with AsyncMesh.open(url, workflows=[Ledger, Async]) as mesh, mesh.worker(concurrency=2):
        runs = [
            await mesh.start(Ledger.due, Posting("A-1")),
            await mesh.start(Async.due, Posting("A-2")),
        ]
        ended = [(await mesh.wait_for(run, timeout="60s")).status for run in runs]

    assert (["completed", "completed"], ["A-1", "A-2"]) == (ended, books.lines())
