"""
Time limits of running steps: a step that takes longer than its `timeout=` has failed.

One thread per mesh, started with the first limit.  When a limit strikes, the
step is told and an async one is cancelled; the attempt is failed at once, also
while a sync function still runs, whose late result the fence refuses.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import define

from squidmesh.workers.line import StepSignals

LOG: Final = logging.getLogger("squidmesh.worker")
_NAME: Final = "squidmesh-time-limits"


@define(eq=False)
class _Limit:
    due: float
    signals: StepSignals
    strike: Callable[[], object]


class TimeLimits:
    """
    Ends the steps of this process that take too long.

    Args:
        monotonic: Seconds of a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._limits: list[_Limit] = []
        self._thread: threading.Thread | None = None
        self._stopped = False
        # Entered as a lock, never as a condition: see `Heartbeats`.
        self._lock = threading.RLock()
        self._change = threading.Condition(self._lock)

    @contextmanager
    def limiting(
        self, signals: StepSignals, limit_ms: int, strike: Callable[[], object]
    ) -> Iterator[None]:
        """
        Limit the step that runs in the block.

        Args:
            signals: The line to the step.
            limit_ms: How long it may take.
            strike: Called, on another thread, if it takes longer: fails the attempt.
        """
        limit = _Limit(self._monotonic() + limit_ms / 1000, signals, strike)
        try:
            with self._lock:
                self._limits.append(limit)
                if self._thread is None and not self._stopped:
                    self._start()
                self._change.notify_all()
            yield
        finally:
            with self._lock:
                if limit in self._limits:
                    self._limits.remove(limit)

    def stop(self) -> None:
        """Limit nothing more."""
        with self._lock:
            self._stopped = True
            self._change.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def strike_due(self) -> None:
        """End what has taken too long."""
        now = self._monotonic()
        with self._lock:
            due = [limit for limit in self._limits if limit.due <= now]
            self._limits = [limit for limit in self._limits if limit.due > now]
        for limit in due:
            limit.signals.time_out()
        for limit in due:  # settling may take long while the storage is away
            try:
                limit.strike()
            except Exception:  # the other limits must not end with this one
                LOG.exception("an attempt that took too long could not be failed")

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=_NAME, daemon=True)
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        while True:
            with self._lock:
                # Whoever adds a limit wakes us: it may be the next one to strike.
                while not self._stopped and (left := self._seconds_left()) != 0:
                    self._change.wait(left)
                if self._stopped:
                    return
            self.strike_due()

    def _seconds_left(self) -> float | None:
        """Until the next limit strikes; null: there is none."""
        soonest = min((limit.due for limit in self._limits), default=None)
        return None if soonest is None else max(0.0, soonest - self._monotonic())
