"""The notifier of a worker on an event loop: a task that tells hooks what is to be told."""

import asyncio
import inspect
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from squidmesh.aio.engine import AsyncEngine
from squidmesh.workers.hooks.asking import Call, Reply, Rest
from squidmesh.workers.hooks.notifier import attempt, problem_of, subscribe
from squidmesh.workers.hooks.subscribing import Mine
from squidmesh.workers.hooks.telling import notifier
from squidmesh_core.errors import SquidmeshError
from squidmesh_storage.wakeups import Listener

LOG: Final = logging.getLogger("squidmesh.hooks")


class AsyncNotifier:
    """
    Calls the hooks of one mesh while a worker works; without hooks it does nothing.

    Async functions run on the loop, sync ones on a thread beside it.

    Args:
        engine: What the worker runs on.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._handlers = engine.engine.hooks
        self._mine = Mine(self._handlers)
        self._stopping = False
        self._listener = _LoopListener(sorted(self._handlers.events))
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to tell, if there is anybody to be told; from now on notices are kept."""
        if self._handlers.all:
            await self._engine.aside(subscribe, self._mine, self._engine.door.threads)
            self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Let the present call end, and make no other."""
        self._stopping = True
        self._listener.ring()
        if self._task is not None:
            await self._task

    def is_here(self) -> bool:
        """Whether this is the task that hooks are called in."""
        return self._task is not None and self._task is asyncio.current_task()

    async def _work(self) -> None:
        with self._handlers.bell.including(self._listener):
            try:
                await self._drive()
            except Exception:  # the worker works all the same
                LOG.exception("hooks are not told any more by this worker")

    async def _drive(self) -> None:
        loop = notifier(self._handlers, self._mine, lambda: self._stopping)
        reply: Reply = None
        failure: SquidmeshError | None = None
        while True:
            try:
                request = loop.throw(failure) if failure is not None else loop.send(reply)
            except StopIteration:
                return
            reply, failure = None, None
            match request:
                case Call():
                    reply = await self._call(request)
                case Rest(seconds=seconds):
                    await self._listener.rest(seconds)
                case _:
                    door = self._engine.door.threads
                    reply, failure = await self._engine.aside(attempt, request, door)

    async def _call(self, request: Call) -> str | None:
        fn, notice = request.handler.fn, request.notice
        try:
            if inspect.iscoroutinefunction(fn):
                await fn(notice)
            else:
                returned = await asyncio.to_thread(fn, notice)
                if inspect.iscoroutine(returned):
                    await returned
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it is the notifier itself that is cancelled
            LOG.debug("%s raised", request.handler.key, exc_info=error)
            return problem_of(error)
        return None


class _LoopListener(Listener):
    """A subscription of an event loop; any thread may ring it."""

    def __init__(self, events: Sequence[str]) -> None:
        super().__init__(events)
        self._bell = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits on it any more
            self._loop.call_soon_threadsafe(self._bell.set)

    async def rest(self, seconds: float) -> None:
        """Wait to be rung, at most so long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._bell.wait(), seconds)
        self._bell.clear()
