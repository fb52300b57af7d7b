"""Waiting for a run on an event loop: the policy of `squidmesh.views.waiting`, awaited."""

import asyncio
import threading
from typing import assert_never

from squidmesh.aio.door import AsyncDoor
from squidmesh.door.known import Known
from squidmesh.duration import Duration
from squidmesh.views.waiting import AwaitMove, ReadRun, waiting
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.inspection import Run


class Moved:
    """An event of this loop that any thread may set."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake who waits for it."""
        if threading.get_ident() == self._thread:
            self._event.set()
        else:
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Wait until it is set, at most so long, and take that as seen."""
        # Not `asyncio.timeout`, which cancels and catches: most waits end with their time.
        over = self._loop.call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            over.cancel()
        self._event.clear()


async def wait_for(
    door: AsyncDoor,
    run_id: RunId,
    *,
    status: RunStatus | None,
    timeout: Duration | None,  # the policy keeps it, by the ports' clock
) -> Run:
    """
    Wait without a thread; see `waiting`.

    Raises:
        SquidmeshError: What `waiting` raises.
    """
    threads = door.threads
    asked = waiting(
        threads.memory, run_id, status=status, timeout=timeout, monotonic=threads.ports.monotonic
    )
    reply: Known | None = None
    with threads.watchers.watching(run_id, Moved()) as moved:
        while True:
            try:
                request = asked.send(reply)
            except StopIteration as stop:
                run: Run = stop.value
                return run
            match request:
                case ReadRun():
                    reply = await door.fresh(run_id)
                case AwaitMove(seconds=seconds):
                    await moved.wait(seconds)
                    reply = None
                case _:
                    assert_never(request)
