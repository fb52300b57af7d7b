"""The places of a worker: how many claims it can begin, and whether its loop waits for one."""

import threading
from collections.abc import Callable


class Places:
    """
    Counts the free slots of one worker, for its loop and for starts that fill them.

    Args:
        ring: Wakes the loop; called when a slot is let go that it waits for.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        #: Guards all below; told when the loop gives back what it took.
        self._lock = threading.Condition(threading.Lock())
        self._free = 0
        #: Whether the loop has taken slots and looks for work to fill them with.
        self._looking = False
        #: Whether the loop waits for a slot: none is free, or limits hold work back.
        self._starved = False
        #: Slots that were let go, ever.
        self._let_go = 0

    def open(self, count: int) -> None:
        """So many slots are free from now on."""
        with self._lock:
            self._free = count

    def free(self) -> int:
        """How many are free; asked by the loop, which waits for one if there is none."""
        with self._lock:
            self._starved = self._free == 0
            return self._free

    def reserve(self, patience: float = 0.0) -> bool:
        """
        Take one for a start, if there is one.

        Args:
            patience: Seconds to wait while the loop has them all and looks for work: it
                looks whenever a slot is let go, which is also when a client begins its
                next run, and mostly finds nothing.
        """
        with self._lock:
            if patience and self._free == 0 and self._looking:
                self._lock.wait_for(lambda: self._free > 0 or not self._looking, patience)
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def seize(self, limit: int) -> tuple[int, int]:
        """Take up to so many for the loop; how many, and how many were let go before that."""
        with self._lock:
            taken = min(limit, self._free)
            self._free -= taken
            self._starved = taken == 0  # starts took them since the loop looked
            self._looking = taken > 0
            return taken, self._let_go

    def give_back(self, count: int) -> None:
        """These were taken and not needed."""
        with self._lock:
            self._free += count
            self._looking = False
            self._lock.notify_all()

    def let_go(self) -> None:
        """Free a slot whose work is done; the loop hears of it only if it waits for one."""
        # With slots to spare it has found the queue empty, and the storage rings for
        # new work: looking again after every run would cost more than a step does.
        with self._lock:
            self._free += 1
            self._let_go += 1
            starved, self._starved = self._starved, False
        if starved:
            self._ring()

    def wait_for_one(self, since: int) -> None:
        """Limits hold work back: the loop is to look again as soon as a slot is let go."""
        with self._lock:
            self._starved = True
            missed = self._let_go != since
        if missed:
            self._ring()
