"""
Who in this process waits for which run.

Waiting threads are told apart by run, so that the end of one run wakes nobody
who waits for another.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from squidmesh_core.ids import RunId


class Watchers:
    """The threads that wait for runs to move."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_run: dict[RunId, tuple[threading.Event, ...]] = {}

    @contextmanager
    def watching(self, run_id: RunId) -> Iterator[threading.Event]:
        """An event that each move of the run sets, for as long as the block lasts."""
        moved = threading.Event()
        with self._lock:
            self._by_run[run_id] = (*self._by_run.get(run_id, ()), moved)
        try:
            yield moved
        finally:
            with self._lock:
                others = tuple(one for one in self._by_run[run_id] if one is not moved)
                if others:
                    self._by_run[run_id] = others
                else:
                    del self._by_run[run_id]

    def tell(self, run_id: RunId) -> None:
        """Wake who waits for this run; its new state must be readable by now."""
        # No lock: whoever begins to watch at this moment looks at the state afterwards.
        for moved in self._by_run.get(run_id, ()):
            moved.set()
