"""
Merges the appends of one event loop into few calls, without a timer.

One append is in flight at a time.  What is asked for in one turn of the loop, or
while an append is in flight, travels in the next one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from attrs import define

from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.committer import unknown

#: Batches of one call; more would make the others wait for no gain.
MOST: Final = 512

#: Appends batches and answers each; raises if it wrote nothing.
Append = Callable[[Sequence[Batch]], Awaitable[Sequence[Outcome]]]


@define(eq=False)
class _Request:
    """One call of `append`, and who waits for what becomes of it."""

    batches: Sequence[Batch]
    outcomes: asyncio.Future[Sequence[Outcome]]

    @property
    def alone(self) -> bool:
        """A group is a transaction of its own (specs/protocol.md §8.4)."""
        return any(batch.group is not None for batch in self.batches)

    def answer(self, outcomes: Sequence[Outcome]) -> None:
        if not self.outcomes.done():
            self.outcomes.set_result(outcomes)

    def fail(self, error: Exception) -> None:
        if not self.outcomes.done():
            self.outcomes.set_exception(error)


class Committer:
    """Turns the appends of one event loop into rounds, one call each."""

    def __init__(self, append: Append, *, most: int = MOST) -> None:
        self._append = append
        self._most = most
        self._waiting: deque[_Request] = deque()
        #: Sends one round after another while anybody waits.
        self._leader: asyncio.Task[None] | None = None

    async def append(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """
        Append in some round, together with what else this loop brings.

        Cancelled while it waits for its round, it has written nothing; afterwards
        nobody knows, and the round goes on.

        Raises:
            StorageError: Nothing of these batches was written.
        """
        loop = asyncio.get_running_loop()
        request = _Request(batches, loop.create_future())
        self._waiting.append(request)
        if self._leader is None:
            # It begins in the next turn: whatever comes in this one goes along.
            self._leader = loop.create_task(self._lead())
        return await request.outcomes

    async def _lead(self) -> None:
        try:
            while company := self._gather():
                await self._settle(company)
        finally:
            self._leader = None
            for request in self._waiting:  # only if the loop is being ended under us
                request.outcomes.cancel()
            self._waiting.clear()

    def _gather(self) -> list[_Request]:
        """Whoever waits and fits into one call; the others keep their order."""
        company: list[_Request] = []
        runs: set[str] = set()
        count = 0
        left: deque[_Request] = deque()
        for request in self._waiting:
            if request.outcomes.cancelled():
                continue
            mine = {batch.record.run_id for batch in request.batches}
            alone = request.alone or (bool(company) and company[0].alone)
            full = count + len(request.batches) > self._most
            if company and (alone or full or not runs.isdisjoint(mine)):
                left.append(request)
                continue
            company.append(request)
            runs |= mine
            count += len(request.batches)
        self._waiting = left
        return company

    async def _settle(self, requests: Sequence[_Request]) -> None:
        """Append together; if that fails, in halves, until only the poison one fails."""
        try:
            outcomes = await self._append([one for request in requests for one in request.batches])
        except StorageUnavailable as error:
            # Each half would wait as long once more, and no less in vain.
            for request in requests:
                request.fail(error)
        except Exception as error:  # every kind of failure belongs to its request
            if len(requests) == 1:
                requests[0].fail(error)
                return
            middle = len(requests) // 2
            await self._settle(requests[:middle])
            await self._settle(requests[middle:])
        except BaseException:  # the loop is being ended under us
            for request in requests:
                request.answer(unknown(request.batches))
            raise
        else:
            start = 0
            for request in requests:
                end = start + len(request.batches)
                request.answer(outcomes[start:end])
                start = end
