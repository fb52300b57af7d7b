"""
Hints of new work between the threads of one process.

Across processes the caller polls: a hint may be missed, and costs nothing then
but time.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock
from typing import Final, TypeVar

from squidmesh_storage.api import Batch
from squidmesh_storage.lanes import SETTINGS

#: Seconds between polls where hints come from this process only.
LONGEST: Final = 5.0


class Listener:
    """One subscription; rung from other threads."""

    def __init__(self, queues: Sequence[str]) -> None:
        self.queues = frozenset(queues)
        self._rung = Event()

    @property
    def longest(self) -> float:
        """See `Wakeups.longest`: another process may have work to tell of, and rings nobody."""
        return LONGEST

    def ring(self) -> None:
        """Wake whoever waits, or the next one who does."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """Wait for a hint, at most so long; whether there was one."""
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return rung


AnyListener = TypeVar("AnyListener", bound=Listener)


class Bell:
    """Tells listeners of a queue that something may be claimable there."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._listeners: tuple[Listener, ...] = ()

    @contextmanager
    def listen(self, queues: Sequence[str]) -> Iterator[Listener]:
        """A subscription to some queues, for as long as the block lasts."""
        with self.including(Listener(queues)) as listener:
            yield listener

    @contextmanager
    def including(self, listener: AnyListener) -> Iterator[AnyListener]:
        """Have a listener of one's own rung, for as long as the block lasts."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

    def ring(self, queues: Iterable[str]) -> None:
        """Wake the listeners of these queues."""
        listeners = self._listeners
        if not listeners:
            return
        named = frozenset(queues)
        for listener in listeners:
            if not named.isdisjoint(listener.queues):
                listener.ring()

    def ring_for(self, batches: Iterable[Batch]) -> None:
        """Wake the listeners of the queues that these batches put unclaimed attempts into."""
        if self._listeners:
            self.ring(
                row.queue for batch in batches for row in batch.rows.put if row.held_until is None
            )

    def ring_for_record(self, kind: str, key: str) -> None:
        """Wake the listeners of a queue whose settings changed: a limit may have let go."""
        if kind == SETTINGS:
            self.ring((key,))
