"""
The PostgreSQL adapter for event loops: what every step needs, by coroutines.

The scripts are those of the verbs that block.  Appends have one connection, so that
whatever is asked for while one is in flight can travel together in the next.  Hints
from other processes come by the thread that listens for them (listening.py).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Final

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from squidmesh_core.errors import StorageError
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_storage.api import Batch, Loaded, Outcome
from squidmesh_storage.postgres import appending, loading
from squidmesh_storage.postgres.connecting import Session, Target, connect_async, greet
from squidmesh_storage.postgres.driving import PAUSES, drive_async, jittered, may_repeat
from squidmesh_storage.postgres.errors import exhausted, not_connected
from squidmesh_storage.postgres.journal import PostgresJournal
from squidmesh_storage.postgres.listening import BRIEF, Ear
from squidmesh_storage.postgres.pool import PATIENCE
from squidmesh_storage.postgres.scripts import Script, T
from squidmesh_storage.problems import check_runs_differ, closed
from squidmesh_storage.wakeups import Listener

AsyncSession = Session[AsyncConnection[TupleRow]]

#: Connections of one event loop for reads; appends have one.
CONNECTIONS: Final = 4


class AsyncPool:
    """Up to so many connections of one event loop, opened when they are needed."""

    def __init__(self, target: Target, most: int, *, patience: float = PATIENCE) -> None:
        self._target = target
        self._most = most
        self._patience = patience
        self._free = asyncio.Semaphore(most)
        self._idle: list[AsyncSession] = []
        self._closed = False

    async def run(self, make: Callable[[], Script[T]], *, harmless: bool = False) -> T:
        """
        See `pool.Pool.run`.

        Raises:
            StorageError: What the last try came to.
        """
        for pause in PAUSES:
            try:
                async with self.session() as session:
                    return await drive_async(session, make())
            except StorageError as error:
                if not may_repeat(error, harmless=harmless):
                    raise
            await asyncio.sleep(jittered(pause))
        async with self.session() as session:
            return await drive_async(session, make())

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """
        A connection, for as long as the block lasts.

        Raises:
            StorageError: There is none to be had.
        """
        await self._acquire()
        try:
            session = await self._take()
            try:
                yield session
            finally:
                await self._give_back(session)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close those that are idle now, and the others when they come back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for session in idle:
            await _discard(session)

    async def _acquire(self) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once: waiting with a limit costs a task
            return
        try:
            await asyncio.wait_for(self._free.acquire(), self._patience)
        except TimeoutError as error:
            raise exhausted(self._target.url, self._most, self._patience) from error

    async def _take(self) -> AsyncSession:
        if self._closed:
            raise closed(self._target.url)
        while self._idle:
            session = self._idle.pop()
            if not session.stale:
                return session
            await _discard(session)
        return await _open_session(self._target)

    async def _give_back(self, session: AsyncSession) -> None:
        if session.lost or self._closed:
            await _discard(session)
        else:
            self._idle.append(session)


class AsyncPostgresJournal:
    """
    A PostgreSQL journal as an `AsyncJournal`, for the event loop it is used on.

    Args:
        journal: The same place for threads; closed with this.
    """

    def __init__(self, journal: PostgresJournal) -> None:
        self._journal = journal
        self._writer = AsyncPool(journal._target, 1)
        self._pool = AsyncPool(journal._target, CONNECTIONS)
        self._closed = False

    @property
    def blocking(self) -> PostgresJournal:
        """See `AsyncJournal.blocking`."""
        return self._journal

    async def load(
        self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False
    ) -> Loaded:
        """See `Journal.load`."""
        read = partial(loading.load, self._journal._sql, run_id, after, whole=whole)
        return await self._pool.run(read, harmless=True)

    async def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`; calls follow one another, so whoever merges them gains."""
        check_runs_differ(batches)
        if not batches:
            return ()
        return await _whole(self._append(batches))

    async def now(self) -> datetime:
        """See `Journal.now`: the clock given, by default the database's, carried forward."""
        journal = self._journal
        if journal._clock is None and journal._process.clock.now() is None:
            return await asyncio.to_thread(journal.now)
        return journal.now()

    def listen(self, queues: Sequence[str]) -> AbstractAsyncContextManager["AsyncHints"]:
        """See `Journal.listen`: hints from every process, as `PostgresJournal.listen`."""
        return self._listen(self._journal._process.ear, queues)

    async def close(self) -> None:
        """See `Journal.close`."""
        if self._closed:
            return
        self._closed = True
        for pool in (self._pool, self._writer):
            await pool.close()
        await asyncio.to_thread(self._journal.close)

    async def _append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        journal, process = self._journal, self._journal._process
        write = partial(appending.append, journal._sql, batches, process.name)
        appended = await self._writer.run(write)
        if appended.awaited:  # then others are told, which is a statement more
            await asyncio.to_thread(journal._tell, process, batches, awaited=True)
        else:
            journal._tell(process, batches, awaited=False)
        return appended.outcomes

    @asynccontextmanager
    async def _listen(self, ear: Ear, queues: Sequence[str]) -> AsyncIterator["AsyncHints"]:
        await asyncio.to_thread(ear.begin)
        with ear.bell.including(_LoopListener(queues)) as listener:
            yield AsyncHints(ear, listener)


class _LoopListener(Listener):
    """A subscription of an event loop; any thread may ring it."""

    def __init__(self, queues: Sequence[str]) -> None:
        super().__init__(queues)
        self.rung = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits on it any more
            self._loop.call_soon_threadsafe(self.rung.set)


class AsyncHints:
    """One subscription of an event loop, as its owner sees it."""

    def __init__(self, ear: Ear, listener: _LoopListener) -> None:
        self._ear = ear
        self._listener = listener

    @property
    def longest(self) -> float:
        """See `Wakeups.longest`."""
        return self._ear.longest

    async def wait(self, seconds: float) -> bool:
        """See `Hints.wait`."""
        queues, rung = self._listener.queues, self._listener.rung
        await asyncio.sleep(0)  # a ring of this very turn of the loop counts
        if seconds <= BRIEF:
            return await self._rung_within(seconds)
        with self._ear.waiting(queues):
            asks = not rung.is_set() and bool(self._ear.news(queues, seconds))
            if asks and await asyncio.to_thread(self._ear.expect, queues, seconds):
                return True
            return await self._rung_within(seconds)

    def ring(self) -> None:
        """See `Wakeups.ring`."""
        self._listener.ring()

    async def _rung_within(self, seconds: float) -> bool:
        rung = self._listener.rung
        with suppress(TimeoutError):
            await asyncio.wait_for(rung.wait(), seconds)
        heard = rung.is_set()
        rung.clear()
        return heard


async def _whole(work: Coroutine[object, object, T]) -> T:
    """
    Carry out to the end what changes something, even if whoever asked is cancelled.

    A connection that is cut off in the middle would leave everybody in doubt.
    """
    return await asyncio.shield(asyncio.ensure_future(work))


async def _open_session(target: Target) -> AsyncSession:
    try:
        connection = await connect_async(target)
    except psycopg.Error as error:
        raise not_connected(error, target.url) from error
    session = Session(connection=connection, target=target)
    try:
        await drive_async(session, greet(session))
    except BaseException:
        await connection.close()
        raise
    return session


async def _discard(session: AsyncSession) -> None:
    with suppress(psycopg.Error):
        await session.connection.close()
