"""
Merges the appends of many threads into few transactions, without a thread or a timer.

The first thread that comes leads: it commits its own request at once.  Whoever
comes meanwhile waits, each on a lock of its own.  When the leader is done, the
first of the waiting leads the next round and takes the others along.  So one
thread alone never waits for company, and a busy moment shares its flushes.

    alone         lead ── commit ── done
    together      lead ── commit ── done
                     wait ─────────── lead ── commit ── done
                       wait ──────────────────────────── done

The threads of a round wake one another in a row.  Woken all at once, they would
fight for the interpreter.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import zip_longest
from threading import Lock
from typing import Final

from attrs import define, field

from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Batch, Outcome, Unknown

#: Batches of one transaction; more would make the others wait for no gain.
MOST: Final = 512

#: Appends batches in one transaction and answers each; raises if it wrote nothing.
Write = Callable[[Sequence[Batch]], Sequence[Outcome]]


@define(eq=False)
class _Request:
    """One call of `append`, and what became of it."""

    batches: Sequence[Batch]
    outcomes: tuple[Outcome, ...] | None = None
    error: Exception | None = None
    #: Whether this thread is to lead the next round.
    promoted: bool = False
    #: Locked while the request waits; nobody else waits on it.
    turn: Lock = field(factory=Lock)
    #: Who is to be woken after this one.
    following: "_Request | None" = None
    #: Whether it was woken, and whether its thread went away before that.
    woken: bool = False
    gone: bool = False

    @property
    def alone(self) -> bool:
        """A group is a transaction of its own (specs/protocol.md §8.4)."""
        return any(batch.group is not None for batch in self.batches)

    @property
    def runs(self) -> frozenset[RunId]:
        return frozenset(batch.record.run_id for batch in self.batches)

    @property
    def settled(self) -> bool:
        return self.outcomes is not None or self.error is not None

    def answer(self) -> tuple[Outcome, ...]:
        if self.error is not None:
            raise self.error
        return self.outcomes or ()


class Committer:
    """Turns concurrent appends into rounds, one transaction each."""

    def __init__(self, write: Write, *, most: int = MOST) -> None:
        self._write = write
        self._most = most
        #: Guards the two below; held for moments only, never during a commit.
        self._mutex = Lock()
        self._led = False
        self._waiting: deque[_Request] = deque()

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """
        Append in some round, together with what other threads bring.

        Raises:
            StorageError: Nothing of these batches was written.
        """
        request = _Request(batches)
        if self._takes_the_lead(request) or self._is_promoted(request):
            self._lead(request)
        return request.answer()

    def _takes_the_lead(self, request: _Request) -> bool:
        with self._mutex:
            if not self._led:
                self._led = True
                return True
            request.turn.acquire()
            self._waiting.append(request)
            return False

    def _is_promoted(self, request: _Request) -> bool:
        """Wait until the request is settled, or its thread is to lead."""
        try:
            request.turn.acquire()
            if request.following is not None:
                self._wake(request.following)
        except BaseException:
            self._leave(request)
            raise
        return request.promoted

    def _leave(self, request: _Request) -> None:
        """A thread was interrupted while it waited: nobody may wait for it now."""
        with self._mutex:
            if request in self._waiting:
                self._waiting.remove(request)
                return
            request.gone = True
            promoted, woken = request.promoted, request.woken
        if promoted:
            self._hand_over()
        elif woken and request.following is not None:
            self._wake(request.following)

    def _lead(self, request: _Request) -> None:
        company = [request]
        try:
            with self._mutex:
                self._gather(company)
            self._settle(company)
        finally:
            # Hand over first: the next round runs while this one's threads wake up.
            self._hand_over()
            for other, following in zip_longest(company[1:], company[2:]):
                if not other.settled:
                    other.outcomes = unknown(other.batches)
                other.following = following
            if len(company) > 1:
                self._wake(company[1])

    def _gather(self, company: list[_Request]) -> None:
        """Take along whoever waits and fits; the others keep their order."""
        leader = company[0]
        if not self._waiting or leader.alone:
            return
        runs, count = set(leader.runs), len(leader.batches)
        left: deque[_Request] = deque()
        for request in self._waiting:
            size = len(request.batches)
            if request.alone or count + size > self._most or not runs.isdisjoint(request.runs):
                left.append(request)
                continue
            company.append(request)
            runs |= request.runs
            count += size
        self._waiting = left

    def _settle(self, requests: Sequence[_Request]) -> None:
        """Commit together; if that fails, in halves, until only the poison one fails."""
        try:
            outcomes = self._write([batch for request in requests for batch in request.batches])
        except StorageUnavailable as error:
            # Each half would wait for the same lock once more, and no less in vain.
            for request in requests:
                request.error = error
        except Exception as error:  # every kind of failure belongs to its request
            if len(requests) == 1:
                requests[0].error = error
                return
            middle = len(requests) // 2
            self._settle(requests[:middle])
            self._settle(requests[middle:])
        else:
            start = 0
            for request in requests:
                end = start + len(request.batches)
                request.outcomes = tuple(outcomes[start:end])
                start = end

    def _hand_over(self) -> None:
        with self._mutex:
            if not self._waiting:
                self._led = False
                return
            request = self._waiting.popleft()
            request.promoted = True
        request.turn.release()

    def _wake(self, request: _Request) -> None:
        """Wake the first of a row that is still there, once; it wakes the next."""
        first: _Request | None = request
        with self._mutex:
            while first is not None and first.gone:
                first = first.following
            if first is None or first.woken:
                return
            first.woken = True
        first.turn.release()


def unknown(batches: Sequence[Batch]) -> tuple[Outcome, ...]:
    """Whoever appended these was interrupted, perhaps after COMMIT: nobody may guess."""
    return tuple(
        Unknown(run_id=batch.record.run_id, append_id=batch.record.append_id) for batch in batches
    )
