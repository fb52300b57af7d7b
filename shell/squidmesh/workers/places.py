"""
The places of a worker: how many claims it can begin, and whether its loop waits for one.

A claim transaction costs about the same for one slot as for ten.  While claims take as
long as the work that they bring, a loop that claimed for each slot as it is let go would
do little else.  So it waits for company, no longer than such a claim takes:

    claim ─▶ all slots taken ─▶ … one is let go ─▶ all are, or so long has passed ─▶ claim

A slot whose step has returned, and whose run goes on without it, has nothing to do but
wait for its settlement's commit.  It is free before that, so that the next claim is on
its way meanwhile:

    perform ── settle ┬─ commit                 the place is left here, and taken back
                      └─ claim ── perform …     if the settlement is decided afresh

That is so while claims fill all slots.  Where one came back with less, the queue is
empty, and the slot is for whoever starts a run when the last one has ended: a loop that
looked for work meanwhile would be in the way.
"""

import threading
from collections.abc import Callable
from typing import Final

#: Slots that come back within so many claims have done quick work: more will follow soon.
SOON: Final = 4.0
#: Seconds that a slot waits for company at most, however slow claims are.
LONGEST_PAUSE: Final = 0.02


class Places:
    """
    Counts the free slots of one worker, for its loop and for starts that fill them.

    Args:
        ring: Wakes the loop; called when a slot is let go that it waits for.
        monotonic: Seconds on a clock that never steps back; by default it stands still,
            and then nothing is waited for.
    """

    def __init__(
        self, ring: Callable[[], None], monotonic: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._ring = ring
        self._monotonic = monotonic
        #: Guards all below.  Entered as a lock, never as a condition: see `Heartbeats`.
        self._lock = threading.Lock()
        #: Told when the loop gives back what it took.
        self._given_back = threading.Condition(self._lock)
        self._count = self._free = 0
        #: Whether the loop has taken slots and looks for work to fill them with.
        self._looking = False
        #: Whether the loop waits for a slot.
        self._starved = False
        #: Whether limits held work back that may start once something is settled.
        self._held_back = False
        #: Claims that were settled, ever.
        self._settled = 0
        #: Whether the last claim filled all slots that it was made for: more may wait.
        self._backlog = False
        #: Whether the loop was rung for the first slot of several, and waits for the others.
        self._gathering = False
        #: When the loop took slots last, when it was done with that, and how long that was.
        self._seized_at = self._filled_at = self._took = 0.0

    def open(self, count: int) -> None:
        """So many slots are free from now on."""
        with self._lock:
            self._count = self._free = count

    def free(self) -> int:
        """How many are free; asked by the loop, which waits for one if there is none."""
        with self._lock:
            self._starved = self._free <= 0
            return max(self._free, 0)

    def reserve(self, patience: float = 0.0) -> bool:
        """
        Take one for a start, if there is one.

        Args:
            patience: Seconds to wait while the loop has them all and looks for work: it
                looks whenever a slot is let go, which is also when a client begins its
                next run, and mostly finds nothing.
        """
        with self._lock:
            if patience and self._free <= 0 and self._looking:
                self._given_back.wait_for(lambda: not self._looking, patience)
            if self._free <= 0:
                return False
            self._free -= 1
            return True

    def seize(self, limit: int) -> tuple[int, int]:
        """Take up to so many for the loop; how many, and how many claims were settled by then."""
        with self._lock:
            taken = max(min(limit, self._free), 0)
            self._free -= taken
            self._starved = taken == 0  # starts took them since the loop looked
            self._looking = taken > 0
            self._gathering = False
            self._seized_at = self._monotonic()
            return taken, self._settled

    def give_back(self, count: int) -> None:
        """These were taken and not needed."""
        with self._lock:
            self._free += count
            self._looking = False
            self._backlog = count == 0
            self._filled_at = self._monotonic()
            self._took = self._filled_at - self._seized_at
            self._given_back.notify_all()

    def let_go(self) -> None:
        """Free a slot whose work is done; the loop hears of it only if it waits for one."""
        self._free_one()
        self.settled()

    def leave(self) -> bool:
        """Free a slot whose settlement is on its way, if that helps; `settled` tells of its end."""
        if self._backlog:
            self._free_one()
            return True
        return False

    def take_back(self) -> None:
        """A slot was left too early: its run goes on in it; until another is free, one is owed."""
        with self._lock:
            self._free -= 1

    def settled(self) -> None:
        """What a slot has left behind is durable: limits may let something start now."""
        with self._lock:
            self._settled += 1
            rings, self._held_back = self._held_back, False
        if rings:
            self._ring()

    def pause(self) -> float:
        """Seconds for which the loop, rung for a slot, waits for others; a ring ends that."""
        with self._lock:
            return min(self._took, LONGEST_PAUSE) if self._gathering else 0.0

    def wait_for_one(self, since: int) -> None:
        """Limits hold work back: the loop is to look again as soon as a claim is settled."""
        with self._lock:
            missed = self._settled != since
            self._held_back = not missed
        if missed:
            self._ring()

    def _free_one(self) -> None:
        # With slots to spare the loop has found the queue empty, and the storage rings for
        # new work: looking again after every run would cost more than a step does.
        with self._lock:
            self._free += 1
            rings, self._starved = self._starved, False
            if rings:
                self._gathering = self._free == 1 < self._count and self._is_soon()
            elif self._gathering and self._free == self._count:
                self._gathering, rings = False, True
        if rings:
            self._ring()

    def _is_soon(self) -> bool:
        return self._monotonic() - self._filled_at <= SOON * self._took


class Place:
    """
    One of the places, for as long as a claim and what follows it in its run have it.

    Args:
        places: Where it was taken.
    """

    __slots__ = ("_left", "_places")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._left = False

    def leave(self) -> None:
        """The run goes on without it, as far as is known: what is left is to be settled."""
        self._left = self._left or self._places.leave()

    def stay(self) -> None:
        """The run goes on in it, whatever was thought before."""
        if self._left:
            self._left = False
            self._places.take_back()

    def end(self) -> None:
        """Nothing is to be done for it any more."""
        if self._left:
            self._places.settled()
        else:
            self._places.let_go()
