"""The adapter for event loops keeps the same promises: the suite drives it from outside its loop."""

import asyncio
import threading
from collections.abc import Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar, cast

import pytest

from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_storage.aio import AsyncJournal, AsyncWakeups
from squidmesh_storage.api import Batch, Claimed, DecideClaims, Journal, Loaded, Outcome, Wakeups
from squidmesh_storage.conformance import Clock, JournalConformance
from squidmesh_storage.conformance.joining import Host
from squidmesh_storage.conformance.kit import attempt, commit, first, puts, run_id
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.postgres.aio import AsyncPostgresJournal
from squidmesh_storage.problems import writing_inside_decide
from support.hosts import PostgresHost
from support.postgres import rewrite_rows

T = TypeVar("T")


class Blocking:
    """An event loop's journal for threads: what it has as coroutines runs on a loop elsewhere."""

    def __init__(self, journal: PostgresJournal) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._deciding = threading.local()
        self.journal = self._call(_made(journal))

    def __getattr__(self, verb: str) -> object:
        return getattr(self.journal.blocking, verb)

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        return self._call(self.journal.load(run_id, after, whole=whole))

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        if getattr(self._deciding, "now", False):
            raise writing_inside_decide()
        return self._call(self.journal.append(batches))

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        self._deciding.now = True
        try:
            return self.journal.blocking.claimable(queues, actions, limit, decide, at=at)
        finally:
            self._deciding.now = False

    def now(self) -> datetime:
        return self._call(self.journal.now())

    @contextmanager
    def listen(self, queues: Sequence[str]) -> Iterator[Wakeups]:
        context = self.journal.listen(queues)
        hints = self._call(context.__aenter__())
        try:
            yield _BlockingHints(self, hints)
        finally:
            self._call(context.__aexit__(None, None, None))

    def close(self) -> None:
        self._call(self.journal.close())

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


async def _made(journal: PostgresJournal) -> AsyncPostgresJournal:
    return AsyncPostgresJournal(journal)


class _BlockingHints:
    def __init__(self, owner: Blocking, hints: AsyncWakeups) -> None:
        self._owner = owner
        self._hints = hints

    @property
    def longest(self) -> float:
        return self._hints.longest

    def wait(self, seconds: float) -> bool:
        return self._owner._call(self._hints.wait(seconds))

    def ring(self) -> None:
        self._hints.ring()


class TestAsyncPostgres(JournalConformance):
    """The verbs as coroutines, on a real server."""

    url: str

    @pytest.fixture(autouse=True)
    def _in_an_empty_database(self, emptied_dsn: str) -> Iterator[None]:
        self.url = emptied_dsn
        self.opened: list[Blocking] = []
        yield
        for one in self.opened:
            one.end()

    def open_journal(self, clock: Clock, tmp_path: Path) -> Journal:
        opened = Blocking(PostgresJournal(self.url, clock=clock))
        self.opened.append(opened)
        return cast("Journal", opened)

    def open_host(self, journal: Journal) -> Host | None:
        return PostgresHost(self.url)

    def rewrite(self, journal: Journal, run_id: RunId, records: Sequence[AppendRecord]) -> None:
        rewrite_rows(self.url, run_id, records)


@pytest.mark.asyncio
async def test_a_cancelled_append_is_written_whole(postgres_dsn: str) -> None:
    """Whoever was cancelled does not know; whoever looks finds all of it, and goes on."""
    journal: AsyncJournal = AsyncPostgresJournal(PostgresJournal(postgres_dsn))
    begun = first(run_id(1), rows=puts(attempt(run_id(1))))
    append = asyncio.ensure_future(journal.append((begun,)))
    await asyncio.sleep(0)
    append.cancel()
    with pytest.raises(asyncio.CancelledError):
        await append

    again = await journal.append((first(run_id(2)),))

    assert len(again) == 1
    assert (begun.record,) == (await journal.load(run_id(1))).records
    await journal.close()


@pytest.mark.asyncio
async def test_work_of_another_process_is_heard_of(postgres_dsn: str) -> None:
    """By a hint, long before the next look: the other journal has no bell of this one's."""
    journal = AsyncPostgresJournal(PostgresJournal(postgres_dsn))
    other = PostgresJournal(postgres_dsn)
    async with journal.listen(("default",)) as hints:
        assert await hints.wait(20)  # others have come to know
        waiting = asyncio.ensure_future(hints.wait(20))

        await asyncio.to_thread(commit, other, first(run_id(1), rows=puts(attempt(run_id(1)))))

        assert await asyncio.wait_for(waiting, 10)
    other.close()
    await journal.close()


@pytest.mark.asyncio
async def test_what_is_stored_on_a_loop_is_heard_of_in_another_process(postgres_dsn: str) -> None:
    """Who listens there knows of no loop."""
    journal = AsyncPostgresJournal(PostgresJournal(postgres_dsn))
    other = PostgresJournal(postgres_dsn)
    with other.listen(("default",)) as hints:
        assert await asyncio.to_thread(hints.wait, 20)  # others have come to know
        waiting = asyncio.ensure_future(asyncio.to_thread(hints.wait, 20))

        await journal.append((first(run_id(1), rows=puts(attempt(run_id(1)))),))

        assert await asyncio.wait_for(waiting, 10)
    other.close()
    await journal.close()
