"""
One event loop for the async steps of a mesh, on a thread of its own.

Async steps of all slots share it, so clients that belong to a loop (HTTP,
database pools) can be shared between steps.  It starts with the first async
step; a mesh with sync steps only never loads asyncio.
"""

import threading
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import frozen

from squidmesh.workers.line import StepSignals

if TYPE_CHECKING:
    import asyncio


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
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("an async step cannot wait for another on the same event loop")
        return run_on(loop, coroutine, signals)

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

    def _started(self) -> "asyncio.AbstractEventLoop":
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
    loop: "asyncio.AbstractEventLoop", coroutine: Coroutine[Any, Any, object], signals: StepSignals
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
        ending = running.result()
    except BaseException:  # the waiting thread itself was interrupted
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
        signals.interruptible(partial(loop.call_soon_threadsafe, task.cancel))
    try:
        return Ending(value=await coroutine)
    except BaseException as error:  # SystemExit would leave the loop's thread dead
        return Ending(error=error)


async def _wind_up() -> None:
    import asyncio

    loop, mine = asyncio.get_running_loop(), asyncio.current_task()
    left = [task for task in asyncio.all_tasks() if task is not mine]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()
