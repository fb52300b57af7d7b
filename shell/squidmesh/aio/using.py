"""
An async mesh inside the host's own transaction; see `squidmesh.using`.

    async with sessions() as db, db.begin():
        db.add(order)
        await mesh.using(db).start(OrderFulfilment.placed, order, key=…)

A connection that blocks belongs to the host's thread, so all of it happens there.  One
of an event loop is used on that loop, and whoever asks for that waits on a thread: it
has one of its own, since a verb may wait for a lock that another host's task holds.
Who is cancelled meanwhile is let go once the verb has ended: what it does after the
host's rollback would be in another transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from functools import partial
from typing import ParamSpec, Self, TypeVar

from squidmesh.aio.door import AsyncDoor
from squidmesh.aio.engine import AsyncEngine
from squidmesh.aio.mesh import AsyncMesh
from squidmesh.door.door import Door
from squidmesh.using import HostEngine
from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_storage.aio import AsyncWakeups
from squidmesh_storage.api import Batch, Joined, Loaded, Outcome
from squidmesh_storage.problems import not_joined

P = ParamSpec("P")
T = TypeVar("T")


class AsyncUsing(AsyncMesh):
    """
    The verbs of an async mesh, inside one transaction of the host's.

    Those that decide and those that read; claims, workers and upkeep stay outside.
    Leaving it as a block, or `close`, wakes the workers for what was begun here: do that
    after the commit where the library does not tell of it.
    """

    def __init__(self, outside: AsyncMesh, joined: Joined) -> None:
        threads = ThreadPoolExecutor(1, "squidmesh-using") if joined.beside else _AtOnce()
        within = _Within(joined, threads)
        super().__init__(within, ports=outside.engine.engine.door.ports)
        self.actions, self._catalogue = outside.actions, outside._catalogue
        self._decide, self._handlers = outside._decide, outside._handlers
        engine = HostEngine(joined, outside.engine.engine)
        self._engine = AsyncEngine(engine, _Door(within, engine.door, threads))

    async def __aenter__(self) -> Self:
        """It is open already: the host's transaction is."""
        return self


class _Door(AsyncDoor):
    """Where commands go through there."""

    def __init__(self, within: "_Within", threads: Door, executor: Executor) -> None:
        super().__init__(within, threads, executor)
        self._within = within

    async def append(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Append at once: nobody else does there, and a round that is shared goes on unheard."""
        return await self._within.append(batches)

    async def aside(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        """See `AsyncDoor.aside`; cancelled, it is waited for."""
        return await self._within.called(partial(call, *args, **options))


class _Within:
    """A journal inside the host's transaction, as an `AsyncJournal`."""

    def __init__(self, joined: Joined, threads: Executor) -> None:
        self.blocking = joined
        self._threads = threads

    async def load(
        self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False
    ) -> Loaded:
        return await self.called(partial(self.blocking.load, run_id, after, whole=whole))

    async def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        return await self.called(partial(self.blocking.append, batches))

    async def now(self) -> datetime:
        return await self.called(self.blocking.now)

    def listen(self, queues: Sequence[str]) -> AbstractAsyncContextManager[AsyncWakeups]:
        raise not_joined(f"nobody works for {', '.join(queues)} inside a transaction of the host's")

    async def close(self) -> None:
        await self.called(self.blocking.close)

    async def called(self, verb: Callable[[], T]) -> T:
        """
        What a verb returns that blocks.

        Raises:
            asyncio.CancelledError: Whoever asked was cancelled; the verb has ended.
        """
        calling = asyncio.get_running_loop().run_in_executor(self._threads, verb)
        try:
            await asyncio.wait([calling])
        except asyncio.CancelledError:
            self.blocking.interrupt()
            while not calling.done():
                with suppress(asyncio.CancelledError):  # anyio's scopes cancel again and again
                    await asyncio.wait([calling])
            if not calling.cancelled():
                calling.exception()  # nobody is left to hear of it
            raise
        return calling.result()


class _AtOnce(Executor):
    """Calls on the thread that asks, before it goes on."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done
