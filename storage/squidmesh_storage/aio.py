"""
The journal contract for event loops, and any journal driven from one.

`AsyncJournal` has as coroutines the few verbs of `api.Journal` that every step needs,
each with the promise of its namesake; the others are for threads, on `blocking`.
`Threaded` makes one of any journal: its verbs run on threads of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_storage.api import Batch, Journal, Loaded, Outcome, Wakeups

T = TypeVar("T")

#: Reads of one journal that run at once.
READERS: Final = 4


class AsyncJournal(Protocol):
    """
    A place that keeps journals, for the event loop that it was first used on.

    A call that is cancelled was carried out as a whole or not at all, and nobody
    knows which: of an append, that is what `Unknown` says.
    """

    @property
    def blocking(self) -> Journal:
        """The same place for threads, with all its verbs; closed together with this."""
        ...

    async def load(
        self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False
    ) -> Loaded:
        """See `Journal.load`."""
        ...

    async def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`."""
        ...

    async def now(self) -> datetime:
        """See `Journal.now`."""
        ...

    def listen(self, queues: Sequence[str]) -> AbstractAsyncContextManager["AsyncWakeups"]:
        """See `Journal.listen`."""
        ...

    async def close(self) -> None:
        """See `Journal.close`."""
        ...


class AsyncWakeups(Protocol):
    """A subscription to hints of new work."""

    @property
    def longest(self) -> float:
        """See `Wakeups.longest`."""
        ...

    async def wait(self, seconds: float) -> bool:
        """Wait for a hint, at most so long; whether there was one."""
        ...

    def ring(self) -> None:
        """See `Wakeups.ring`; any thread may."""
        ...


class Threaded:
    """
    A journal whose verbs block, as an `AsyncJournal`.

    Writes run on one thread, in the order they were asked for; reads on a few others.

    Args:
        journal: Where everything is kept; closed with this.
        clock: What `now` reads on the loop itself, for journals whose clock is the
            machine's; null: the journal is asked, on a thread.
    """

    def __init__(self, journal: Journal, *, clock: Callable[[], datetime] | None = None) -> None:
        self._journal = journal
        self._clock = clock
        self._writer = ThreadPoolExecutor(1, "squidmesh-journal")
        self._readers = ThreadPoolExecutor(READERS, "squidmesh-journal-reader")
        self._closed = False

    @property
    def blocking(self) -> Journal:
        """See `AsyncJournal.blocking`."""
        return self._journal

    async def load(
        self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False
    ) -> Loaded:
        """See `Journal.load`."""
        return await self._read(partial(self._journal.load, run_id, after, whole=whole))

    async def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`."""
        return await self._write(partial(self._journal.append, batches))

    async def now(self) -> datetime:
        """See `Journal.now`."""
        if self._clock is not None and not self._closed:
            return self._clock()
        return await self._read(self._journal.now)

    @asynccontextmanager
    async def listen(self, queues: Sequence[str]) -> AsyncIterator[AsyncWakeups]:
        """See `Journal.listen`; a thread of its own waits for the hints."""
        listening = self._journal.listen(queues)
        ears = _Ears(await self._read(listening.__enter__))
        try:
            yield ears
        finally:
            ears.close()
            listening.__exit__(None, None, None)

    async def close(self) -> None:
        """See `Journal.close`; writes that were asked for before are done first."""
        if self._closed:
            return
        await self._write(self._journal.close)
        self._closed = True
        self._writer.shutdown()
        self._readers.shutdown()

    async def _read(self, call: Callable[[], T]) -> T:
        return await self._on(self._readers, call)

    async def _write(self, call: Callable[[], T]) -> T:
        return await self._on(self._writer, call)

    async def _on(self, threads: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        if self._closed:
            return call()  # the journal itself says that it is closed
        # Whoever is cancelled here leaves a call alone that has begun, and takes
        # back one that has not: neither is ever half done.
        return await asyncio.get_running_loop().run_in_executor(threads, call)


class _Ears:
    """Waits for hints on a thread of its own, so that nothing else waits behind it."""

    def __init__(self, wakeups: Wakeups) -> None:
        self._wakeups = wakeups
        self._thread = ThreadPoolExecutor(1, "squidmesh-wakeups")

    @property
    def longest(self) -> float:
        return self._wakeups.longest

    async def wait(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._wakeups.wait, seconds)
        except asyncio.CancelledError:
            self._wakeups.ring()  # nobody waits any more; the thread must not either
            raise

    def ring(self) -> None:
        self._wakeups.ring()

    def close(self) -> None:
        self._wakeups.ring()
        self._thread.shutdown()


__all__ = ["AsyncJournal", "AsyncWakeups", "Threaded"]
