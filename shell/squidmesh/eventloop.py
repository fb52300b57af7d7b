"""
One event loop for the async steps of a mesh, on a thread of its own.

Async steps of all slots share it, so clients that belong to a loop (HTTP,
database pools) can be shared between steps.  It starts with the first async
step; a mesh with sync steps only never loads asyncio.
"""

import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class EventLoop:
    """Runs coroutines to their end for threads that wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, object]) -> object:
        """
        The coroutine's result; whatever it raises is raised here.

        Raises:
            RuntimeError: It was called on the loop's own thread.
        """
        import asyncio

        loop = self._started()
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("an async step cannot wait for another on the same event loop")
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def close(self) -> None:
        """Stop the loop; running steps must have ended."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
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
