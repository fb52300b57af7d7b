"""
One event loop for the async steps of a mesh, on a thread of its own.

Async steps of all slots share it, so clients that belong to a loop (HTTP,
database pools) can be shared between steps.  It starts with the first async
step; a mesh with sync steps only never loads asyncio.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from squidmesh.workers.stopping import GRACE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from concurrent.futures import Future

    from squidmesh.workers.line import StepSignals

LOG: Final = logging.getLogger("squidmesh.worker")


@frozen
class Ending:
    """How a coroutine ended, as a value: some exceptions would end the loop itself."""

    value: object = None
    error: BaseException | None = None


class EventLoop:
    """Runs coroutines to their end for threads that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, object], signals: StepSignals) -> object:
        """
        The coroutine's result; whatever it raises is raised here.

        Args:
            coroutine: What to run.
            signals: Cancels it when its lease is lost.

        Raises:
            RuntimeError: It was called on the loop's own thread.
        """
        loop = self._started()
        if self.is_here():
            coroutine.close()
            raise RuntimeError("an async step cannot wait for another on the same event loop")
        return run_on(loop, coroutine, signals)

    def is_here(self) -> bool:
        """Whether this is the thread of the loop: to wait on it is to hold up what runs there."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Stop the loop; steps must have ended, what they left running is cancelled."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            import asyncio

            asyncio.run_coroutine_threadsafe(_wind_up(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="squidmesh-async", daemon=True
                )
                self._thread.start()
            return self._loop


def run_on(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, object], signals: StepSignals
) -> object:
    """
    The coroutine's result, for a thread that waits; whatever it raises is raised here.

    Args:
        loop: Where it runs: another thread's.
        coroutine: What to run.
        signals: Cancels it when its lease is lost.
    """
    import asyncio

    running = asyncio.run_coroutine_threadsafe(caught(coroutine, signals), loop)
    try:
        ending = _ending(running, coroutine, signals)
    except BaseException:  # it goes on for ever, or the waiting thread itself was interrupted
        running.cancel()
        raise
    if ending.error is not None:
        raise ending.error
    return ending.value


async def caught(coroutine: Coroutine[Any, Any, object], signals: StepSignals) -> Ending:
    """Run a coroutine to its end; whoever runs it, `signals` can cancel it from any thread."""
    import asyncio

    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is not None:
        signals.task = task
        signals.interruptible(partial(loop.call_soon_threadsafe, task.cancel))
    try:
        return Ending(value=await coroutine)
    except BaseException as error:  # SystemExit would leave the loop's thread dead
        return Ending(error=error)


def _ending(running: Future[Ending], coroutine: object, signals: StepSignals) -> Ending:
    """
    How a coroutine ended; one that was told to stop, and goes on, is left behind.

    Raises:
        TimeoutError: It was left behind.
    """
    ignored = False
    while True:
        try:
            return running.result(GRACE)
        except TimeoutError:
            if ignored and signals.ignored:
                _leave(coroutine)
                raise
            ignored = signals.ignored


def _leave(coroutine: object) -> None:
    name = getattr(coroutine, "__qualname__", type(coroutine).__qualname__)
    LOG.warning("%s() was told to stop and goes on; it is left behind", name)


async def _wind_up() -> None:
    import asyncio

    loop, mine = asyncio.get_running_loop(), asyncio.current_task()
    left = [task for task in asyncio.all_tasks() if task is not mine]
    for task in left:
        task.cancel()
    if left:
        _, ignoring = await asyncio.wait(left, timeout=GRACE)
        for task in ignoring:
            _leave(task.get_coro())
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
