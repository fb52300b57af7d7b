"""
May this attempt start now?  One pure answer for all candidates of a claim transaction.

    order     claim order between queues; within a lane, fair turns between its keys
    paused    nothing of the queue is claimed: no step, no wait, no time-out
    limits    `concurrency` and `per_key` count what is held, `rate` counts starts
    timers    work without an action is completed as it is claimed: it holds no slot
              and is no start, so that no limit but a pause applies to it

Taking over a lost lease is a start like any other; the lost one counts no more.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen

from squidmesh_core.plan.admission import bucket as buckets
from squidmesh_core.plan.admission.records import (
    LaneState,
    QueueSettings,
    Rate,
    Refusal,
    RefusalKind,
)
from squidmesh_core.plan.admission.turns import in_turn
from squidmesh_core.protocol.rows import AttemptRow, claim_order

#: Nobody tells when another process lets go of a slot: look again after so long.
LOOK_AGAIN: Final = timedelta(seconds=1)


@frozen(kw_only=True)
class Lane:
    """A queue that somebody has set up, as it stands before a claim."""

    queue: str
    settings: QueueSettings
    state: LaneState
    #: Attempts that are held, by partition key.
    held: Mapping[str | None, int]


@frozen(kw_only=True)
class Refused:
    """A candidate that has to wait, and for what."""

    row: AttemptRow
    refusal: Refusal


@frozen(kw_only=True)
class Admission:
    """What may start, what may not, and why."""

    #: In the order in which they start.
    admitted: tuple[AttemptRow, ...] = ()
    #: Those that a free slot was there for.
    refused: tuple[Refused, ...] = ()
    #: Lanes of which some candidates were not looked at: the slots were taken.
    cut_short: frozenset[str] = frozenset()
    #: When the first limit lets go, or it is worth a look; null: no refusal passes by itself.
    next_due: datetime | None = None


def admit(
    rows: Sequence[AttemptRow], lanes: Sequence[Lane], limit: int, now: datetime
) -> Admission:
    """
    Choose what starts now; `states_after` says what that leaves for later claims.

    Args:
        rows: The candidates, in claim order.
        lanes: Those of their queues that somebody has set up.
        limit: Free slots.
        now: The instant it is judged at.
    """
    by_queue = {lane.queue: lane for lane in lanes}
    free = [row for row in rows if not _is_limited(row, by_queue.get(row.queue))]
    turns = [
        _Turns(lane, [r for r in rows if r.queue == lane.queue and _is_limited(r, lane)], now)
        for lane in lanes
    ]
    admitted: list[AttemptRow] = []
    while len(admitted) < limit:
        asking = [one for one in turns if one.has_somebody()]
        first = min(asking, key=_Turns.rank, default=None)
        if free and (first is None or claim_order(free[0]) < first.rank()):
            admitted.append(free.pop(0))
        elif first is not None:
            admitted.append(first.take())
        else:
            break
    refused = tuple(refused for one in turns for refused in one.refused)
    return Admission(
        admitted=tuple(admitted),
        refused=refused,
        cut_short=frozenset(one.queue for one in turns if one.is_waiting),
        next_due=_next_due([one.refusal for one in refused], now),
    )


def is_start(row: AttemptRow) -> bool:
    """Whether claiming this takes a slot and a token."""
    return row.action is not None


def _is_limited(row: AttemptRow, lane: Lane | None) -> bool:
    return lane is not None and (is_start(row) or lane.settings.paused is not None)


def _next_due(refusals: Sequence[Refusal], now: datetime) -> datetime | None:
    dues = (one.until or now + LOOK_AGAIN for one in refusals if one.kind != "paused")
    return min(dues, default=None)


class _Turns:
    """The candidates of one lane: each has its turn, and starts or is refused."""

    def __init__(self, lane: Lane, rows: Sequence[AttemptRow], now: datetime) -> None:
        self.queue = lane.queue
        self.refused: list[Refused] = []
        self._settings = lane.settings
        self._now = now
        #: In claim order, and in the order of their turns.
        self._waiting = list(rows)
        self._next = in_turn(rows, lane.state.turns)
        self._held = Counter(lane.held)
        rate = lane.settings.rate
        self._bucket = None if rate is None else buckets.refilled(lane.state.bucket, rate, now)

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has had no turn yet."""
        return bool(self._next)

    def has_somebody(self) -> bool:
        """Whether somebody can start; those before, who may not, are refused on the way."""
        while self._next:
            refusal = self._why_not(self._next[0])
            if refusal is None:
                return True
            self.refused.append(Refused(row=self._step_forward(), refusal=refusal))
        return False

    def rank(self) -> tuple[int, datetime, str, str]:
        """
        Where this lane stands among other queues.

        The priority of whoever is next, and the age of the oldest that waits with it:
        a key whose turn it is stands in for those who have waited longer.
        """
        priority = self._next[0].priority
        return claim_order(next(row for row in self._waiting if row.priority == priority))

    def take(self) -> AttemptRow:
        """Start whoever is next."""
        row = self._step_forward()
        self._held[row.partition_key] += 1
        if self._bucket is not None:
            self._bucket = buckets.spent(self._bucket)
        return row

    def _step_forward(self) -> AttemptRow:
        row = self._next.pop(0)
        self._waiting.remove(row)
        return row

    def _why_not(self, row: AttemptRow) -> Refusal | None:
        settings = self._settings
        if settings.paused is not None:
            return Refusal(kind="paused", since=settings.paused.at)
        if settings.concurrency is not None and self._held.total() >= settings.concurrency:
            return self._refusal("concurrency", settings.concurrency)
        if settings.per_key is not None and self._held[row.partition_key] >= settings.per_key:
            refusal = self._refusal("per_key", settings.per_key)
            return evolve(refusal, key=row.partition_key)
        return None if settings.rate is None else self._too_fast(settings.rate)

    def _too_fast(self, rate: Rate) -> Refusal | None:
        if self._bucket is None or self._bucket.level >= self._bucket.per_ms:
            return None
        until = buckets.token_at(self._bucket, rate)
        return evolve(self._refusal("rate", rate.count), until=until)

    def _refusal(self, kind: RefusalKind, limit: int) -> Refusal:
        return Refusal(kind=kind, since=self._now, limit=limit)
