"""
Heartbeats: keep the leases of running steps alive, and learn when one is lost.

One thread for each length of lease beats every third of it, so a step shorter
than that costs no write; it ends when it finds no step to beat for, and another
is made with the next.  A refused heartbeat raises the step's flags and
cancels an async step; whatever a sync step returns then is refused by the fence.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import define

from squidmesh.door.door import Door
from squidmesh.workers.claim import Claim
from squidmesh.workers.line import StepSignals
from squidmesh_core.decide import Refusal
from squidmesh_core.errors import RunNotFound, SquidmeshError
from squidmesh_core.ids import ClaimId
from squidmesh_core.protocol.commands import Heartbeat

LOG: Final = logging.getLogger("squidmesh.worker")
#: Beats per lease.
BEATS: Final = 3
_NAME: Final = "squidmesh-heartbeat"


@define
class _Beat:
    claim: Claim
    signals: StepSignals
    due: float


class Heartbeats:
    """Keeps the leases of the steps that this process is performing."""

    def __init__(self, door: Door, *, lease_ms: int) -> None:
        self._door = door
        self._lease_ms = lease_ms
        self._every = lease_ms / 1000 / BEATS
        self._beats: dict[ClaimId, _Beat] = {}
        self._thread: threading.Thread | None = None
        self._stopped = False
        # Entered as a lock, never as a condition: that is Python code, and Ctrl-C in it
        # would leave the lock taken for good.
        self._lock = threading.RLock()
        self._change = threading.Condition(self._lock)

    @contextmanager
    def keeping(self, claim: Claim, signals: StepSignals) -> Iterator[None]:
        """Keep this lease while the block runs."""
        due = self._door.ports.monotonic() + self._every
        try:
            with self._lock:
                self._beats[claim.claim_id] = _Beat(claim, signals, due)
                if self._thread is None:
                    self._start()
            yield
        finally:
            with self._lock:
                self._beats.pop(claim.claim_id, None)

    def stop(self) -> None:
        """Beat no more; leases that are still held run out."""
        with self._lock:
            self._stopped = True
            self._change.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def beat_due(self) -> float:
        """Beat what is due, and say how many seconds until something is."""
        now = self._door.ports.monotonic()
        with self._lock:
            due = [beat for beat in self._beats.values() if beat.due <= now]
        for beat in due:
            try:
                self._beat(beat)
            except Exception:  # the other leases must not end with this one
                LOG.exception("%s has no heartbeat", beat.claim.attempt_key)
            beat.due = now + self._every
        with self._lock:
            soonest = min((beat.due for beat in self._beats.values()), default=now + self._every)
        return max(0.0, soonest - self._door.ports.monotonic())

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=_NAME, daemon=True)
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        wait = self._every
        while True:
            with self._lock:
                if self._change.wait_for(lambda: self._stopped, wait):
                    return
                if not self._beats:
                    self._thread = None
                    return
            wait = self.beat_due()

    def _beat(self, beat: _Beat) -> None:
        claim = beat.claim
        command = Heartbeat(
            held=claim.held, lease_ms=self._lease_ms, progress=beat.signals.take_progress()
        )
        self._door.ports.site("heartbeat.before")
        try:
            handled = self._door.handle(claim.run_id, command)
        except RunNotFound:
            beat.signals.lose(cancelled=True)  # it was ended meanwhile, and pruned
            return
        except SquidmeshError:
            return  # the storage is away; the next beat tries again while the lease lives
        self._door.ports.site("heartbeat.after")
        if isinstance(handled.answer, Refusal):
            # Settled in the meantime, or lost: only a running step will ever notice.
            beat.signals.lose(cancelled=handled.state.terminal is not None)
        elif handled.state.undoing and claim.kind != "compensation":
            beat.signals.cancel()
