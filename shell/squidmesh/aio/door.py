"""The one door, driven by an event loop: the trips of `squidmesh.door.handle`, awaited."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import Final, ParamSpec, TypeVar

from squidmesh.aio.committer import Committer
from squidmesh.aio.turns import Asked, Turns
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.known import Known
from squidmesh.door.recall import catch_up, recall
from squidmesh.door.requests import (
    Appending,
    Load,
    ReadClock,
    Reply,
    Request,
    Trip,
    Write,
    answer,
    nobody_hears,
)
from squidmesh_core.errors import SquidmeshError
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Command
from squidmesh_storage.aio import AsyncJournal
from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.lending import has_borrowed

P = ParamSpec("P")
Result = TypeVar("Result")

#: Blocking verbs of one mesh that run at once.
ASIDE: Final = 8


class AsyncDoor:
    """
    Where the commands of one mesh go through, on one event loop.

    Args:
        journal: Where they are appended.
        threads: The same door for those who may block: what one of the two has
            learnt of a run, the other knows.
        executor: Runs what blocks, beside the loop; null: a few threads.
    """

    def __init__(
        self, journal: AsyncJournal, threads: Door, executor: Executor | None = None
    ) -> None:
        self.journal = journal
        self.threads = threads
        self.executor = executor or ThreadPoolExecutor(ASIDE, "squidmesh-aside")
        self._closed = False
        self._committer = Committer(journal.append)
        self._turns = Turns(self._handle_together)

    async def handle(
        self,
        run_id: RunId,
        command: Command,
        *,
        begin: Known | None = None,
        now: datetime | None = None,
        appending: Appending = nobody_hears,
    ) -> Handled:
        """
        Carry out one command; see `handle.handle`.

        Of an append that it shares with others nobody hears before it is there.

        Cancelled, it was carried out or not: whoever asks again learns which.

        Raises:
            SquidmeshError: What `handle.handle` raises.
        """
        if has_borrowed():
            # Where its own transaction keeps it from writing, the journal tells by who calls.
            return await self.aside(self.threads.handle, run_id, command, begin=begin, now=now)
        if self._turns.taken(run_id):
            return await self._turns.wait(run_id, command, begin=begin, now=now)
        try:
            trip = self.threads.trip(run_id, command, begin=begin, now=now)
            handled = await self.drive(trip, appending)
        finally:
            self._turns.pass_on(run_id)
        self.threads.announce(handled)
        return handled

    async def fresh(self, run_id: RunId) -> Known:
        """
        The run as the journal has it now.

        Raises:
            RunNotFound: There is no such run.
            StorageError: Its journal is unreadable.
        """
        memory = self.threads.memory
        known = memory.get(run_id)
        if known is None:
            return await self.drive(recall(memory, run_id))
        return await self.drive(catch_up(memory, known))

    async def known(self, run_id: RunId) -> Known:
        """
        The run as far as this process has read it, and read now if it has not.

        Raises:
            SquidmeshError: As for `fresh`.
        """
        return self.threads.memory.get(run_id) or await self.fresh(run_id)

    async def drive(self, trip: Trip[Result], appending: Appending = nobody_hears) -> Result:
        """Run a trip to its end."""
        try:
            request = next(trip)
            while True:
                try:
                    reply = await self._answer(request, appending)
                except SquidmeshError as error:
                    request = trip.throw(error)
                else:
                    request = trip.send(reply)
        except StopIteration as stop:
            result: Result = stop.value
            return result

    async def append(self, batches: Sequence[Batch]) -> Sequence[Outcome]:
        """Append together with what else this loop brings; see `Committer.append`."""
        return await self._committer.append(batches)

    async def aside(
        self, call: Callable[P, Result], /, *args: P.args, **options: P.kwargs
    ) -> Result:
        """Call something that blocks, beside the loop; cancelled, it goes on unheard."""
        if self._closed:
            return call(*args, **options)  # the journal itself says that it is closed
        loop = asyncio.get_running_loop()
        as_called = partial(copy_context().run, call, *args, **options)
        return await loop.run_in_executor(self.executor, as_called)

    def close(self) -> None:
        """There are no threads from now on: the journal is closed."""
        self._closed = True

    async def _handle_together(
        self, run_id: RunId, company: Sequence[Asked]
    ) -> Sequence[Handled | Exception]:
        """Carry out what has waited for its turn with a run, in one append."""
        first = company[0]
        if first.begin is not None:
            trip = self.threads.trip(run_id, first.command, begin=first.begin, now=first.now)
            answers: Sequence[Handled | Exception] = [await self.drive(trip)]
        else:
            commands = [asked.command for asked in company]
            answers = await self.drive(self.threads.trip_together(run_id, commands, now=first.now))
        for one in answers:
            if isinstance(one, Handled):
                self.threads.announce(one)
        return answers

    async def _answer(self, request: Request, appending: Appending) -> Reply:
        match request:
            case ReadClock():
                return await self.journal.now()
            case Write(batch=batch):
                appending(batch)
                site = self.threads.ports.site
                site("append.before")
                (outcome,) = await self.append((batch,))
                site("append.after")
                return outcome
            case Load(run_id=run_id, after=after, whole=whole):
                return await self.journal.load(run_id, after, whole=whole)
            case _:  # seldom asked for, so that a thread costs nothing
                return await self.aside(answer, request, self.threads.journal, self.threads.ports)
