"""
Fair turns: of each partition key one attempt, then of each the next.

Priority comes first.  Among attempts of one priority the keys go in a circle,
beginning after the key that had the last turn, so a key that waits has its turn
after at most one of each other key, however much these have waiting.  Attempts
without a key share one.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, groupby, zip_longest
from typing import Final

from squidmesh_core.plan.admission.records import Turn
from squidmesh_core.protocol.rows import AttemptRow

#: Priorities of one queue whose last turns are kept.
MOST_TURNS: Final = 16


def in_turn(rows: Sequence[AttemptRow], turns: Sequence[Turn]) -> list[AttemptRow]:
    """
    The rows of one queue in the order of their turns.

    Args:
        rows: In claim order.
        turns: Who had the last ones.
    """
    last = {turn.priority: turn.key for turn in turns}
    ordered: list[AttemptRow] = []
    for priority, group in groupby(rows, key=lambda row: row.priority):
        by_key: dict[str | None, list[AttemptRow]] = defaultdict(list)
        for row in group:
            by_key[row.partition_key].append(row)
        circle = _circle(by_key, last, priority)
        rounds = zip_longest(*(by_key[key] for key in circle))
        ordered += [row for row in chain.from_iterable(rounds) if row is not None]
    return ordered


def after_turn(turns: tuple[Turn, ...], row: AttemptRow) -> tuple[Turn, ...]:
    """The last turns, once this attempt has had its own."""
    if Turn(priority=row.priority, key=row.partition_key) in turns:
        return turns
    others = tuple(turn for turn in turns if turn.priority != row.priority)
    return (*others, Turn(priority=row.priority, key=row.partition_key))[-MOST_TURNS:]


def _circle(
    keys: Mapping[str | None, object], last: Mapping[int, str | None], priority: int
) -> list[str | None]:
    """The keys in order, beginning after the one that had the last turn."""
    ordered = sorted(keys, key=_place)
    if priority not in last:
        return ordered
    begin = _place(last[priority])
    return [
        *(key for key in ordered if _place(key) > begin),
        *(key for key in ordered if _place(key) <= begin),
    ]


def _place(key: str | None) -> tuple[bool, str]:
    return key is not None, key or ""
