"""
The end of a process that stopped no worker: they drain, and it ends when they have.

Python waits for their threads before it calls what `atexit` knows, and would wait for
ever.  Its main thread is over by then: one thread of ours, a daemon, waits for that.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: Asks for a drain without waiting for it.
Drain = Callable[[], object]


class _Leaving:
    """Who is to drain at the end of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drains: tuple[Drain, ...] = ()
        self._thread: threading.Thread | None = None

    def add(self, drain: Drain) -> None:
        with self._lock:
            self._drains = (*self._drains, drain)
            if self._thread is None:
                thread = threading.Thread(target=self._wait, name="squidmesh-leaving", daemon=True)
                thread.start()
                self._thread = thread

    def remove(self, drain: Drain) -> None:
        with self._lock:
            self._drains = tuple(one for one in self._drains if one != drain)

    def _wait(self) -> None:
        threading.main_thread().join()
        with self._lock:
            drains, self._thread = self._drains, None
        for drain in drains:
            drain()


#: By process: a fork takes no threads along.
_LEAVING: Final[dict[int, _Leaving]] = {}


@contextmanager
def drained_at_exit(drain: Drain) -> Iterator[None]:
    """Have this called if the main thread ends while the block runs."""
    leaving = _LEAVING.setdefault(os.getpid(), _Leaving())
    leaving.add(drain)
    try:
        yield
    finally:
        leaving.remove(drain)
