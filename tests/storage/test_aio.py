"""Any journal on an event loop: in order, never half cancelled, closed when it is closed."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_storage.aio import Threaded
from squidmesh_storage.api import Batch, Committed, Journal, Outcome
from squidmesh_storage.conformance.kit import EPOCH, first, run_id, then
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal

pytestmark = pytest.mark.asyncio

PATIENCE = 20.0
ONE, TWO = first(run_id(1)), first(run_id(2))


class Held(MemoryJournal):
    """A journal whose appends wait to be let through."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = threading.Event(), threading.Event()

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append when told to."""
        self.begun.set()
        assert self.let.wait(PATIENCE)
        return super().append(batches)


@pytest.fixture(params=["memory", "sqlite"])
def blocking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """A journal of each embedded kind."""
    journal: Journal = (
        MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "journal.db")
    )
    yield journal
    journal.close()


def knows(journal: Journal, batch: Batch) -> bool:
    """Whether a batch is in a journal."""
    with suppress(RunNotFound):
        return batch.record in journal.load(batch.record.run_id).records
    return False


async def begins(journal: Held) -> None:
    """Wait until an append is under way."""
    assert await asyncio.to_thread(journal.begun.wait, PATIENCE)


async def test_what_is_appended_is_read(blocking: Journal) -> None:
    """The verbs do what their namesakes do, and the same place is there for threads."""
    journal = Threaded(blocking)

    outcomes = await journal.append([ONE, TWO])
    loaded = await journal.load(run_id(1))

    assert outcomes == tuple(
        Committed(run_id=one.record.run_id, revision=one.record.last) for one in (ONE, TWO)
    )
    assert (ONE.record,) == loaded.records == journal.blocking.load(run_id(1)).records
    with pytest.raises(RunNotFound):
        await journal.load(run_id(3))
    await journal.close()


async def test_writes_happen_in_the_order_they_were_asked_for(blocking: Journal) -> None:
    """Each follows the one before it, though nobody waits for that one's outcome."""
    journal, batches = Threaded(blocking), [ONE]
    for _ in range(30):
        batches.append(then(batches[-1]))

    outcomes = await asyncio.gather(*(journal.append([batch]) for batch in batches))

    assert {Committed} == {type(outcome) for (outcome,) in outcomes}
    await journal.close()


async def test_a_cancelled_append_that_has_begun_is_carried_out() -> None:
    """Whole: who was cancelled cannot know, and it is there all the same."""
    held = Held()
    journal = Threaded(held)
    appending = asyncio.create_task(journal.append([ONE, TWO]))
    await begins(held)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    held.let.set()
    await journal.append([first(run_id(3))])

    assert (True, True) == (knows(held, ONE), knows(held, TWO))
    await journal.close()


async def test_a_cancelled_append_that_has_not_begun_never_happens() -> None:
    """Nor does it hold up those behind it."""
    held = Held()
    journal = Threaded(held)
    running = asyncio.create_task(journal.append([ONE]))
    await begins(held)
    waiting = asyncio.create_task(journal.append([TWO]))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    held.let.set()
    await running

    assert (True, False) == (knows(held, ONE), knows(held, TWO))
    await journal.close()


async def test_reads_do_not_wait_for_writes() -> None:
    """They have threads of their own."""
    held = Held()
    journal = Threaded(held)
    appending = asyncio.create_task(journal.append([ONE]))
    await begins(held)

    with pytest.raises(RunNotFound):
        await journal.load(run_id(1))

    held.let.set()
    await appending
    await journal.close()


async def test_the_clock_is_read_on_the_loop_if_it_is_near() -> None:
    """Any other clock is the journal's affair."""
    threads: list[threading.Thread] = []

    class Told(MemoryJournal):
        def now(self) -> datetime:
            threads.append(threading.current_thread())
            return EPOCH

    near, far = Threaded(MemoryJournal(), clock=lambda: EPOCH), Threaded(Told())
    assert EPOCH == await near.now() == await far.now()

    assert threading.main_thread() not in threads
    assert 1 == len(threads)
    await near.close()
    await far.close()


async def test_hints_reach_who_listens(blocking: Journal) -> None:
    """Also a hint that was given before anybody waited."""
    journal = Threaded(blocking)
    async with journal.listen(["default"]) as wakeups:
        wakeups.ring()
        assert await wakeups.wait(PATIENCE)
        assert not await wakeups.wait(0)
        assert 0 < wakeups.longest
    await journal.close()


async def test_who_listens_can_be_cancelled(blocking: Journal) -> None:
    """No thread goes on waiting: leaving would not end otherwise."""
    journal = Threaded(blocking)
    async with journal.listen(["default"]) as wakeups:
        waiting = asyncio.create_task(wakeups.wait(3600))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await journal.close()


async def test_closing_ends_what_was_begun_and_refuses_the_rest() -> None:
    """Closing twice is fine; any other verb raises what the journal itself raises."""
    held = Held()
    journal = Threaded(held, clock=lambda: EPOCH)
    appending = asyncio.create_task(journal.append([ONE]))
    await begins(held)
    closing = asyncio.create_task(journal.close())
    held.let.set()
    await closing
    await journal.close()

    assert Committed(run_id=run_id(1), revision=ONE.record.last) == (await appending)[0]
    for refused in (journal.now(), journal.load(run_id(1)), journal.append([TWO])):
        with pytest.raises(StorageError, match="closed"):
            await refused
