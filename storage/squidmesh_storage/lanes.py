"""
What a claim is offered of a queue that has settings, the same on every adapter.

A limit may refuse whatever comes first, and whatever else has the same partition
key.  So each key is heard: every key's first attempt before any key's second.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from squidmesh_core.protocol.rows import AttemptRow, claim_order
from squidmesh_storage.api import LANE_WINDOW

#: The kind of record that makes a queue a lane, under the queue's name.
SETTINGS: Final = "queue"
#: The kind of record that one claim of a lane leaves for the next.
STATE: Final = "lane"


def window(rows: Iterable[AttemptRow], limit: int) -> list[AttemptRow]:
    """
    Those of a lane's claimable attempts that are offered, the fairest choice first.

    Args:
        rows: Each attempt once, in any order.
        limit: How many of one partition key, at most.
    """
    before: Counter[str | None] = Counter()
    ranked: list[tuple[int, AttemptRow]] = []
    for row in sorted(rows, key=claim_order):
        rank = before[row.partition_key]
        before[row.partition_key] += 1
        if rank < limit:
            ranked.append((rank, row))
    ranked.sort(key=lambda one: one[0])  # stable: in claim order within a rank
    return [row for _, row in ranked[:LANE_WINDOW]]


def more_of_each(rows: Sequence[AttemptRow], each: int, limit: int) -> int | None:
    """
    How many of each partition key to look for next; null: these rows fill the window, or are all.

    Args:
        rows: What was found.
        each: How many of each key they were to be.
        limit: How many of one key, at most.
    """
    found = Counter(row.partition_key for row in rows)
    if len(rows) >= LANE_WINDOW or each >= limit or each not in found.values():
        return None
    return min(limit, max(2 * each, LANE_WINDOW // len(found)))


def earliest(*instants: datetime | None) -> datetime | None:
    """The first of some instants; null members are none."""
    return min((one for one in instants if one is not None), default=None)
