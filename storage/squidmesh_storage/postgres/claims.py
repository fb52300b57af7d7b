"""
What a process remembers of its claims, so that the next one looks in the right place.

Rows that are claimed leave dead entries behind in the index, for as long as anybody
holds an old snapshot.  So the next claim begins where the last one ended; at the
latest after a second, or when less came than was asked for, it begins at the front
again.
"""

from collections.abc import Collection
from threading import Lock
from typing import Final

from attrs import evolve, frozen

from squidmesh_core.protocol.rows import AttemptRow
from squidmesh_storage.api import Committed
from squidmesh_storage.postgres.claiming import Taken, Wanted, Watermark
from squidmesh_storage.postgres.clock import monotonic

#: Seconds for which a watermark is believed.
_BELIEVED: Final = 1.0

_Key = tuple[tuple[str, ...], frozenset[str]]


@frozen(kw_only=True)
class _Seen:
    """What the last claim of some queues and actions came upon."""

    #: Below it nothing is left; null: look from the front.
    watermark: Watermark | None
    #: Until when to believe it, by the monotonic clock.
    until: float


class Claims:
    """What is remembered, by the queues and actions that were asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: dict[_Key, _Seen] = {}
        #: Queues that somebody has put something into since they were claimed from.
        self._hinted: set[str] = set()

    def lively(self, wanted: Wanted) -> bool:
        """Whether there is reason to think that something is there: then none looks first."""
        with self._lock:
            hinted = not self._hinted.isdisjoint(wanted.queues)
            self._hinted.difference_update(wanted.queues)
            return hinted or _key(wanted) in self._seen

    def behind(self, wanted: Wanted) -> Wanted:
        """The request, with the watermark that is believed now."""
        seen = self._seen.get(_key(wanted))
        if seen is None or seen.watermark is None or seen.until < monotonic():
            return wanted
        return evolve(wanted, watermark=seen.watermark)

    def learn(self, wanted: Wanted, taken: Taken) -> None:
        """Remember what a claim came upon."""
        with self._lock:
            before = self._seen.pop(_key(wanted), None)
            if len(taken.offered) < wanted.limit or not taken.offered:
                return  # there is nothing left
            watermark = _watermark(wanted, taken)
            until = monotonic() + _BELIEVED
            if watermark is not None and before is not None and before.watermark is not None:
                until = before.until if before.until >= monotonic() else until
            self._seen[_key(wanted)] = _Seen(watermark=watermark, until=until)

    def notice(self, rows: list[AttemptRow]) -> None:
        """Unclaimed attempts that this process stored may lie before a watermark."""
        with self._lock:
            for row in rows:
                self._hinted.add(row.queue)
                for key, seen in list(self._seen.items()):
                    if (
                        row.queue in key[0]
                        and seen.watermark is not None
                        and (row.priority, row.visible_at) < seen.watermark
                    ):
                        self._seen[key] = evolve(seen, watermark=None)

    def hint(self, queues: Collection[str]) -> None:
        """Something was put into these queues, nobody knows where."""
        with self._lock:
            self._seen.clear()
            self._hinted.update(queues)

    def forget(self) -> None:
        """Look at everything from the front."""
        with self._lock:
            self._seen.clear()


def _key(wanted: Wanted) -> _Key:
    return wanted.queues, wanted.actions


def _watermark(wanted: Wanted, taken: Taken) -> Watermark | None:
    """Where the unclaimed rows of one queue begin, if all before was claimed just now."""
    if len(wanted.queues) != 1 or len(taken.offered) < wanted.limit:
        return None
    claimed = {
        row.attempt_key
        for batch, outcome in zip(taken.choice.batches, taken.claimed.outcomes, strict=True)
        if isinstance(outcome, Committed)
        for row in batch.rows.put
        if row.held_until is not None
    }
    if any(one.row.attempt_key not in claimed for one in taken.offered):
        return None
    last = taken.offered[-1].row
    return last.priority, last.visible_at
