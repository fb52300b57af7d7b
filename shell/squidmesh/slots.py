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

Threads are woken one after another, each by the one before it, and only while
work is left: for steps that take microseconds a few threads do all of it, and
a step that blocks takes nothing from the others but its own thread.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define

from squidmesh.carry import Crew, perform_claim, settle_all
from squidmesh.claim import Claim
from squidmesh.loop import Perform, Settle, SlotLoop, SlotRequest, slot_loop

LOG: Final = logging.getLogger("squidmesh.worker")
_NAME: Final = "squidmesh-slot"


@define(eq=False)
class _Strand:
    """One claimed run on its way, and what it asks for next."""

    loop: SlotLoop
    request: SlotRequest


class Slots:
    """
    Performs and settles claims on up to `size` threads.

    Args:
        crew: Who works.
        size: Strands at once; each has a thread to itself if its steps block.
        stopping: Whether strands should settle what runs and take nothing more.
        released: Called when a strand has ended.
    """

    def __init__(
        self, crew: Crew, size: int, stopping: Callable[[], bool], released: Callable[[], None]
    ) -> None:
        self._crew = crew
        self._size = size
        self._stopping = stopping
        self._released = released
        #: Guards everything below.
        self._change = threading.Condition()
        self._ready: deque[_Strand] = deque()
        self._performed: list[_Strand] = []
        self._leading = False
        self._threads: list[threading.Thread] = []
        self._idle = 0
        #: Whether a thread was woken or made and has not looked for work yet.
        self._coming = False
        self._closed = False

    def begin(self, claim: Claim) -> bool:
        """Work on a claim and what follows it in its run; false: the slots are closed."""
        loop = slot_loop(claim, self._stopping, self._crew.door.ports.monotonic)
        strand = _Strand(loop, next(loop))
        with self._change:
            if self._closed:
                return False
            self._ready.append(strand)
            self._call_another()
        return True

    def close(self) -> None:
        """Take no more claims, let those that are here end, and wait for them."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    # -- one thread

    def _work(self) -> None:
        first = True
        while (strand := self._next(came=first)) is not None:
            first = False
            if self._perform(strand):
                self._hand_in(strand)
        # Others may have found a leader in this thread's place; none is left behind,
        # because a leader looks again before it stops leading.

    def _next(self, *, came: bool) -> _Strand | None:
        """The next strand to perform; null once the slots are closed and empty."""
        with self._change:
            if came:
                self._coming = False
            while not self._ready:
                if self._closed:
                    return None
                self._idle += 1
                self._change.wait()
                self._idle -= 1
                self._coming = False
            strand = self._ready.popleft()
            if self._ready:
                self._call_another()
            return strand

    def _call_another(self) -> None:
        """Wake or make one more thread, unless one is on its way already."""
        if self._coming:
            return
        if self._idle:
            self._coming = True
            self._change.notify()
        elif len(self._threads) < self._size:
            self._coming = True
            name = f"{_NAME}-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name)
            self._threads.append(thread)
            thread.start()

    def _perform(self, strand: _Strand) -> bool:
        """Perform what the strand asks for; whether it has something to settle now."""
        request = strand.request
        try:
            if isinstance(request, Perform):
                strand.request = strand.loop.send(perform_claim(self._crew, request.claim))
        except Exception:
            LOG.exception("%s was given up; its lease runs out", request.claim.attempt_key)
            self._released()
            return False
        return True

    # -- the leader

    def _hand_in(self, strand: _Strand) -> None:
        with self._change:
            self._performed.append(strand)
            if self._leading:
                return
            self._leading = True
        while batch := self._take_performed():
            self._settle(batch)

    def _take_performed(self) -> list[_Strand]:
        with self._change:
            batch, self._performed = self._performed, []
            self._leading = bool(batch)
            return batch

    def _settle(self, batch: list[_Strand]) -> None:
        """Settle what was performed in one append, and put in line what goes on."""
        wanted = [strand.request for strand in batch if isinstance(strand.request, Settle)]
        try:
            successors = settle_all(self._crew, wanted)
        except Exception:
            LOG.exception("%s settlements were given up; their leases run out", len(batch))
            successors = [None] * len(batch)
        going_on: list[_Strand] = []
        for strand, successor in zip(batch, successors, strict=True):
            try:
                strand.request = strand.loop.send(successor)
                going_on.append(strand)
            except StopIteration:
                self._released()
        with self._change:
            self._ready.extend(going_on)
            if going_on:
                self._call_another()
