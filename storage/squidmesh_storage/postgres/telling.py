"""
Hints to other processes: at once, then at most one in a moment, and none is lost.

A hint that comes too soon after another is held back and sent when the moment is
over.  Leaving it out would not do: whoever was woken by the first may have looked,
found nothing and gone to sleep before the second one's work was there.
"""

from collections.abc import Callable, Collection
from threading import Lock, Timer
from typing import Final

from squidmesh_storage.postgres.clock import monotonic

#: Seconds that lie between two hints of one process.
APART: Final = 0.01


class Teller:
    """
    Sends hints, but not more often than does anybody good.

    Args:
        send: Tells other processes of work in some queues.
        apart: Seconds between two hints.
    """

    def __init__(self, send: Callable[[Collection[str]], None], *, apart: float = APART) -> None:
        self._send = send
        self._apart = apart
        #: Guards everything below; held for moments only.
        self._lock = Lock()
        self._next = 0.0
        self._held_back: set[str] = set()
        self._timer: Timer | None = None
        self._closed = False

    def tell(self, queues: Collection[str]) -> None:
        """Send a hint now, or together with others in a moment."""
        with self._lock:
            wait = self._next - monotonic()
            if self._closed:
                return
            if wait > 0:
                self._held_back.update(queues)
                self._begin_waiting(wait)
                return
            self._next = monotonic() + self._apart
        self._send(queues)

    def close(self) -> None:
        """Send what is held back, and nothing any more."""
        with self._lock:
            self._closed = True
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self._let_go()

    def _begin_waiting(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = Timer(seconds, self._let_go)
            self._timer.name = "squidmesh-hints"
            self._timer.daemon = True
            self._timer.start()

    def _let_go(self) -> None:
        with self._lock:
            queues, self._held_back = self._held_back, set()
            self._timer = None
            self._next = monotonic() + self._apart
        if queues:
            self._send(queues)
