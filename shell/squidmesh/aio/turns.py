"""
Commands on one run take turns: the next are decided on what this one left.

Two at once would both be right, and one of them would have to be decided afresh.
What is asked of a run while somebody is at it waits, and then goes together.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from squidmesh.door.handle import Handled
from squidmesh.door.known import Known
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Command

#: Commands of one run that go together, which may each bring an output.
MOST: Final = 32


@frozen(kw_only=True, eq=False)
class Asked:
    """A command on a run, and who waits for what becomes of it."""

    command: Command
    #: See `handle.handle`.
    begin: Known | None
    #: See `handle.handle`.
    now: datetime | None
    handled: asyncio.Future[Handled]

    def goes_with(self, other: "Asked") -> bool:
        """Whether both can be decided in one go; a start cannot."""
        return self.begin is None and other.begin is None and self.now == other.now


#: Carries commands out; what is raised is true of all of them.
CarryOut = Callable[[RunId, Sequence[Asked]], Awaitable[Sequence[Handled | Exception]]]


class Turns:
    """
    Whose turn it is with which run, on one event loop.

    Args:
        carry_out: What is done with the commands that waited.
    """

    def __init__(self, carry_out: CarryOut) -> None:
        self._carry_out = carry_out
        #: Runs that somebody is at, and what waits for the next turn, if anything does.
        self._waiting: dict[RunId, deque[Asked] | None] = {}
        #: Turns of those who waited: no single one of them may end it.
        self._tasks: set[asyncio.Task[None]] = set()

    def taken(self, run_id: RunId) -> bool:
        """Whether somebody is at this run; if nobody is, the turn is the caller's."""
        if run_id in self._waiting:
            return True
        self._waiting[run_id] = None
        return False

    async def wait(
        self, run_id: RunId, command: Command, *, begin: Known | None, now: datetime | None
    ) -> Handled:
        """
        Have a command carried out on a run that is taken, once it is its turn.

        Cancelled before that, it has written nothing.

        Raises:
            SquidmeshError: What came of it.
        """
        handled: asyncio.Future[Handled] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[run_id]
        if waiting is None:
            waiting = self._waiting[run_id] = deque()
        waiting.append(Asked(command=command, begin=begin, now=now, handled=handled))
        return await handled

    def pass_on(self, run_id: RunId) -> None:
        """End one's turn; what waits is carried out now."""
        if self._waiting[run_id]:
            task = asyncio.get_running_loop().create_task(self._go_on(run_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            del self._waiting[run_id]

    async def _go_on(self, run_id: RunId) -> None:
        """Carry out what waits, and what comes meanwhile."""
        company: list[Asked] = []
        try:
            while company := self._gather(run_id):
                await self._serve(run_id, company)
        finally:
            for asked in (*company, *(self._waiting.pop(run_id) or ())):
                asked.handled.cancel()  # done already, unless the loop is being ended under us

    async def _serve(self, run_id: RunId, company: Sequence[Asked]) -> None:
        try:
            answers = await self._carry_out(run_id, company)
        except Exception as error:  # whatever it is, those who wait are to hear of it
            answers = [error] * len(company)
        for asked, answer in zip(company, answers, strict=True):
            if asked.handled.done():
                continue  # cancelled meanwhile: whoever asks again learns what came of it
            if isinstance(answer, Exception):
                asked.handled.set_exception(answer)
            else:
                asked.handled.set_result(answer)

    def _gather(self, run_id: RunId) -> list[Asked]:
        """The first that still wait and go together."""
        waiting, company = self._waiting[run_id], list[Asked]()
        while waiting and len(company) < MOST:
            if waiting[0].handled.cancelled():
                waiting.popleft()
            elif not company or company[0].goes_with(waiting[0]):
                company.append(waiting.popleft())
            else:
                break
        return company
