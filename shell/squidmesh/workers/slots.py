"""
The slots of a worker: threads that perform steps, and settle them together.

A strand is one claimed run that goes through `slot_loop`.  Any thread performs
any strand's next step.  A thread that has performed one hands the outcome in;
if nobody leads, it leads: it settles all outcomes that are there in one append,
puts the strands that go on back in line, and looks again.  Whoever finds a
leader goes on with the next strand instead of waiting.

    alone       perform ── lead ── perform ── lead …        one thread, no hand-over
    together    perform ── lead ─────── lead ── perform …   outcomes pile up while one
                perform ── perform ── perform ── lead …     commits, and travel together

Waking a thread costs more than a step that takes microseconds.  So while steps
are quick, the thread that is awake performs what is in line before it leads,
for `BATCH` seconds at most; once a step is slow, threads are woken one after
another, each by the one before it.  A watch sees within moments when whoever is
awake is stuck in a step that used to be quick.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define

from squidmesh.workers.calling import perform_claim
from squidmesh.workers.claim import Claim
from squidmesh.workers.crew import Crew
from squidmesh.workers.loop import LetGo, Perform, Settle, SlotLoop, SlotRequest, slot_loop
from squidmesh.workers.places import Place, Places
from squidmesh.workers.settling import settle_all

LOG: Final = logging.getLogger("squidmesh.worker")
_NAME: Final = "squidmesh-slot"
#: Seconds: steps up to here are quick.
QUICK: Final = 0.0005
#: Quick steps in a row after which the next ones are taken for quick too.
IN_A_ROW: Final = 16
#: Seconds that outcomes may wait for company while steps are quick.
BATCH: Final = 0.002
#: Seconds between looks at whether whoever is awake is stuck.
WATCH: Final = 0.005


@define(eq=False)
class _Strand:
    """One claimed run on its way, and what it asks for next."""

    loop: SlotLoop
    request: SlotRequest
    place: Place


class Slots:
    """
    Performs and settles claims on up to `size` threads.

    Args:
        crew: Who works.
        size: Strands at once; each has a thread to itself if its steps block.
        stopping: Whether strands should settle what runs and take nothing more.
        places: Where each claim has taken a place before it comes here.
    """

    def __init__(self, crew: Crew, size: int, stopping: Callable[[], bool], places: Places) -> None:
        self._crew = crew
        self._size = size
        self._stopping = stopping
        self._places = places
        self._monotonic = crew.door.ports.monotonic
        #: Guards everything below.  Entered as a lock, never as a condition: see `Heartbeats`.
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._ready: deque[_Strand] = deque()
        self._performed: list[_Strand] = []
        #: When the first of these was handed in.
        self._performed_at = 0.0
        self._leading = False
        self._threads: list[threading.Thread] = []
        self._idle = 0
        #: Whether a thread was woken or made and has not looked for work yet.
        self._coming = False
        #: Strands that were taken to be performed, ever.
        self._taken = 0
        #: Quick steps in a row; counted without the lock, for a miscount costs nothing.
        self._quick = 0
        self._closed = False
        #: Set while work waits although a thread could be woken for it.
        self._held_back = threading.Event()
        self._watcher: threading.Thread | None = None

    def begin(self, claim: Claim) -> bool:
        """Work on a claim and what follows it in its run; false: the slots are closed."""
        loop = slot_loop(claim, self._stopping, self._monotonic, self._crew.door.has_outgrown)
        strand = _Strand(loop, next(loop), Place(self._places))
        with self._lock:
            if self._closed:
                return False
            self._ready.append(strand)
            self._call_another()
        return True

    def close(self) -> None:
        """Take no more claims, let those that are here end, and wait for them."""
        with self._lock:
            self._closed = True
            self._quick = 0
            self._change.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._held_back.set()
        if self._watcher is not None:
            self._watcher.join()

    def are_here(self) -> bool:
        """Whether this is one of their threads."""
        return threading.current_thread() in self._threads

    # -- one thread

    def _work(self) -> None:
        with self._lock:
            self._coming = False
        while self._wait_for_work():
            strand = self._next()
            if strand is not None and self._perform(strand):
                self._hand_in(strand)
            if self._may_lead():
                while batch := self._take_performed():
                    self._settle(batch)

    def _wait_for_work(self) -> bool:
        """Wait until there is something to do; false once the slots are closed and empty."""
        with self._lock:
            while not self._ready and (self._leading or not self._performed):
                if self._closed:
                    return False
                self._idle += 1
                self._change.wait()
                self._idle -= 1
                self._coming = False
            return True

    def _next(self) -> _Strand | None:
        with self._lock:
            if not self._ready:
                return None
            strand = self._ready.popleft()
            self._taken += 1
            if self._ready:
                self._call_another()
            return strand

    def _perform(self, strand: _Strand) -> bool:
        """Perform what the strand asks for; whether it has something to settle now."""
        request = strand.request
        began = self._monotonic()
        try:
            if isinstance(request, LetGo):
                self._crew.door.leave_checkpoint(request.claim.run_id)
                strand.place.end()
                return False
            if isinstance(request, Perform):
                performed = perform_claim(self._crew, request.claim, request.go_on)
                strand.request = strand.loop.send(performed)
        except Exception:
            LOG.exception("%s was given up; its lease runs out", request.claim.attempt_key)
            strand.place.end()
            return False
        self._quick = self._quick + 1 if self._monotonic() - began <= QUICK else 0
        return True

    def _hand_in(self, strand: _Strand) -> None:
        with self._lock:
            if not self._performed:
                self._performed_at = self._monotonic()
            self._performed.append(strand)

    # -- the leader

    def _may_lead(self) -> bool:
        """Whether this thread settles what was performed, or first performs more of it."""
        with self._lock:
            if self._leading or not self._performed:
                return False
            early = self._monotonic() - self._performed_at < BATCH
            self._leading = not (early and self._ready and self._are_quick())
            return self._leading

    def _take_performed(self) -> list[_Strand]:
        """What is to be settled now; with nothing there, nobody leads any more."""
        with self._lock:
            batch, self._performed = self._performed, []
            self._leading = bool(batch)
            return batch

    def _settle(self, batch: list[_Strand]) -> None:
        """Settle what was performed in one append, and put in line what goes on."""
        wanted = [strand.request for strand in batch if isinstance(strand.request, Settle)]
        try:
            successors = settle_all(
                self._crew, wanted, leaving=lambda place: batch[place].place.leave()
            )
        except Exception:
            LOG.exception("%s settlements were given up; their leases run out", len(batch))
            successors = [None] * len(batch)
        going_on: list[_Strand] = []
        for strand, successor in zip(batch, successors, strict=True):
            try:
                strand.request = strand.loop.send(successor)
                strand.place.stay()
                going_on.append(strand)
            except StopIteration:
                strand.place.end()
        if going_on:
            with self._lock:
                self._ready.extend(going_on)
                if len(self._ready) > 1 or self._performed:  # one strand is for this thread
                    self._call_another()

    # -- threads

    def _are_quick(self) -> bool:
        return self._quick >= IN_A_ROW

    def _call_another(self) -> None:
        """Wake or make one more thread, unless one is on its way or one is enough."""
        if self._coming:
            return
        if self._are_quick() and self._idle < len(self._threads):
            self._hold_back()
        elif self._idle:
            self._coming = True
            self._change.notify()
        elif len(self._threads) < self._size:
            name = f"{_NAME}-{len(self._threads) + 1}"
            # Whoever calls may be a daemon; what is performed here has a right to end.
            thread = threading.Thread(target=self._work, name=name, daemon=False)
            self._threads.append(thread)
            thread.start()  # where Ctrl-C may strike: whoever closes the slots finds it
            self._coming = True

    def _hold_back(self) -> None:
        """Call nobody, but have somebody look whether that stays right."""
        if not self._held_back.is_set():
            self._held_back.set()
            if self._watcher is None:
                name = f"{_NAME}-watch"
                self._watcher = threading.Thread(target=self._watch, name=name, daemon=True)
                self._watcher.start()

    def _watch(self) -> None:
        """Call more threads when work waits and nobody takes any."""
        pause, seen = threading.Event(), -1
        while self._held_back.wait():
            pause.wait(WATCH)
            with self._lock:
                if self._closed:
                    return
                waiting = bool(self._ready or (self._performed and not self._leading))
                if waiting and self._taken == seen:
                    self._quick = 0
                    self._call_another()
                if not waiting:
                    self._held_back.clear()
                seen = self._taken
