"""
Who in this process waits for which run.

Those who wait are told apart by run, so that the end of one run wakes nobody
who waits for another.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from squidmesh_core.ids import RunId


class Settable(Protocol):
    """An event, of threads or of a loop; set from any thread."""

    def set(self) -> None:
        """Wake who waits for it."""


E = TypeVar("E", bound=Settable)


class Watchers:
    """Who waits for runs to move."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_run: dict[RunId, tuple[Settable, ...]] = {}

    @contextmanager
    def watching(self, run_id: RunId, moved: E) -> Iterator[E]:
        """Let each move of the run set this event, for as long as the block lasts."""
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
