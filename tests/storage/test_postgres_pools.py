"""Pools of connections, for threads and for an event loop: what they lend is as good as new."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import psycopg
import pytest

from squidmesh_core.errors import StorageError, StorageUnavailable
from squidmesh_storage.postgres import aio, pool
from squidmesh_storage.postgres.aio import AsyncPool
from squidmesh_storage.postgres.connecting import Target
from squidmesh_storage.postgres.pool import Pool
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, Call, Script, ask, ask_one
from support.postgres import execute

T = TypeVar("T")

PID = Call("select pg_backend_pid()")
IMPATIENT = Call("set local lock_timeout = '1ms'")


class Lending(Protocol):
    """A pool of one connection."""

    def run(self, make: Callable[[], Script[T]], *, harmless: bool = False) -> T: ...
    def run_beside(self, make: Callable[[], Script[T]]) -> T:
        """Run something while the connection is lent to somebody else."""
        ...

    def in_transaction(self) -> bool:
        """Whether whoever borrows the connection finds it in a transaction."""
        ...

    def close(self) -> None: ...


class ForThreads:
    """For threads."""

    def __init__(self, target: Target) -> None:
        self._pool = Pool(target, 1, patience=0.01)

    def run(self, make: Callable[[], Script[T]], *, harmless: bool = False) -> T:
        return self._pool.run(make, harmless=harmless)

    def run_beside(self, make: Callable[[], Script[T]]) -> T:
        with self._pool.session():
            return self.run(make)

    def in_transaction(self) -> bool:
        with self._pool.session() as session:
            return session.in_transaction

    def close(self) -> None:
        self._pool.close()


class ForALoop:
    """For an event loop, which is driven from outside."""

    def __init__(self, target: Target) -> None:
        self._runner = asyncio.Runner()
        self._pool = self._runner.run(self._made(target))

    async def _made(self, target: Target) -> AsyncPool:
        return AsyncPool(target, 1, patience=0.01)

    def run(self, make: Callable[[], Script[T]], *, harmless: bool = False) -> T:
        return self._runner.run(self._pool.run(make, harmless=harmless))

    def run_beside(self, make: Callable[[], Script[T]]) -> T:
        async def beside() -> T:
            async with self._pool.session():
                return await self._pool.run(make)

        return self._runner.run(beside())

    def in_transaction(self) -> bool:
        async def lent() -> bool:
            async with self._pool.session() as session:
                return session.in_transaction

        return self._runner.run(lent())

    def close(self) -> None:
        self._runner.run(self._pool.close())

    def end(self) -> None:
        self._runner.close()


@pytest.fixture(params=["threads", "loop"])
def lending(request: pytest.FixtureRequest, postgres_dsn: str) -> Iterator[Lending]:
    target = Target.of(postgres_dsn)
    if request.param == "threads":
        for_threads = ForThreads(target)
        yield for_threads
        for_threads.close()
        return
    for_a_loop = ForALoop(target)
    yield for_a_loop
    for_a_loop.close()
    for_a_loop.end()


def test_a_pool_that_is_exhausted_says_so(lending: Lending) -> None:
    """Instead of waiting for ever; afterwards it lends what came back."""
    with pytest.raises(StorageUnavailable, match="the pool is exhausted: all 1"):
        lending.run_beside(lambda: ask(PID))

    assert 1 == len(lending.run(lambda: ask(PID)))


def test_a_pool_that_is_closed_lends_nothing(lending: Lending) -> None:
    """Nor does it open anything anew."""
    lending.run(lambda: ask(PID))
    lending.close()

    with pytest.raises(StorageError, match="is closed; nothing was done"):
        lending.run(lambda: ask(PID))


def test_a_script_that_gives_up_halfway_leaves_no_transaction_open(lending: Lending) -> None:
    """The same connection serves the next one, outside of what was begun."""

    def gives_up() -> Script[None]:
        yield (BEGIN, Call("create table halfway ()"))
        raise LookupError("planted")

    before = lending.run(lambda: ask_one(PID))
    with pytest.raises(LookupError, match="planted"):
        lending.run(gives_up)

    assert not lending.in_transaction()
    assert before == lending.run(lambda: ask_one(PID))
    assert (None,) == lending.run(lambda: ask_one(Call("select to_regclass('halfway')")))


def test_a_script_may_go_on_after_a_statement_that_failed(lending: Lending) -> None:
    """On the same connection, out of the transaction that failed."""

    def goes_on() -> Script[object]:
        (_, before) = yield (BEGIN, PID)
        try:
            yield (Call("select 1/0"),)
        except StorageError:
            after = yield from ask(PID)
        return before == after

    assert lending.run(goes_on)


def test_what_others_were_at_is_tried_again(
    lending: Lending, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the beginning, after a pause; by then they may be through."""
    execute(postgres_dsn, "create table wanted ()")
    pauses: list[float] = []

    def locked() -> Script[bool]:
        yield (BEGIN, IMPATIENT, Call("lock table wanted"), COMMIT)
        return True

    with psycopg.connect(postgres_dsn) as other:
        other.execute("lock table wanted")

        def passes(pause: float) -> float:
            pauses.append(pause)
            other.rollback()
            return 0.0

        for module in (pool, aio):
            monkeypatch.setattr(module, "jittered", passes)
        assert lending.run(locked)

    assert 1 == len(pauses)


def test_what_is_wrong_in_itself_is_tried_once(lending: Lending) -> None:
    """It would be as wrong again."""
    tries: list[int] = []

    def wrong() -> Script[None]:
        tries.append(1)
        yield (Call("select 1/0"),)

    with pytest.raises(StorageError, match="division by zero"):
        lending.run(wrong)

    assert [1] == tries


def test_a_connection_that_the_server_closed_meanwhile_is_not_lent(
    lending: Lending, postgres_dsn: str
) -> None:
    """Whoever writes on it would not know what became of that."""
    (pid,) = lending.run(lambda: ask_one(PID)) or (0,)
    execute(postgres_dsn, f"select pg_terminate_backend({pid}, 5000)")

    lending.run(lambda: ask(Call("create table written ()", writes=True)))

    assert [("written",)] == execute(postgres_dsn, "select to_regclass('written')::text")


def test_a_read_whose_connection_is_lost_is_made_on_another(lending: Lending) -> None:
    """Its server process was ended while it ran."""
    ends = [Call("select pg_terminate_backend(pg_backend_pid())")]
    before = lending.run(lambda: ask_one(PID))

    after = lending.run(lambda: ask_one(ends.pop() if ends else PID), harmless=True)

    assert isinstance(after and after[0], int)
    assert before != after
