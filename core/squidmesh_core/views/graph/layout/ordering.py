"""
Left to right in each row: near the middle of one's neighbours, by sweeps down and up.

The order with the fewest crossings of all sweeps is kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from squidmesh_core.views.graph.layout.ranking import Ranks

#: Gansner et al. take 24; after a few, nothing gets better in graphs of our kind.
_SWEEPS: Final = 6


def in_order(ranks: Ranks) -> list[list[int]]:
    """The stops of each row, from left to right."""
    rows = _first(ranks)
    orders = [[list(row) for row in rows]]
    best, fewest = orders[0], _crossings(rows, ranks.below)
    for sweep in range(_SWEEPS):
        # A sweep sees nothing but the order: where two of them lead back, so will the rest.
        if not fewest or orders[-1] in orders[-3:-2]:
            break
        down = sweep % 2 == 0
        neighbours = ranks.above if down else ranks.below
        for i in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            if len(rows[i]) == 1:
                continue
            rows[i] = _sorted(rows[i], rows[i - 1 if down else i + 1], neighbours)
        orders.append([list(row) for row in rows])
        crossings = _crossings(rows, ranks.below)
        if crossings < fewest:
            best, fewest = orders[-1], crossings
    return best


def _first(ranks: Ranks) -> list[list[int]]:
    """As a walk from the top finds them, so that what belongs together stands together."""
    rows: list[list[int]] = [[] for _ in range(ranks.rows)]
    seen: set[int] = set()
    for root in range(len(ranks.stops)):
        if ranks.above[root]:
            continue
        walk = [root]
        while walk:
            stop = walk.pop()
            if stop not in seen:
                seen.add(stop)
                rows[ranks.stops[stop].row].append(stop)
                walk.extend(reversed(ranks.below[stop]))
    return rows


def _sorted(row: list[int], beside: list[int], neighbours: Sequence[Sequence[int]]) -> list[int]:
    """The row by the mean place of neighbours; who has none stays where it is."""
    place = {stop: i for i, stop in enumerate(beside)}
    means = {
        stop: sum(place[one] for one in neighbours[stop]) / len(neighbours[stop])
        for stop in row
        if neighbours[stop]
    }
    moving = iter(sorted(means, key=means.__getitem__))
    return [next(moving) if stop in means else stop for stop in row]


def _crossings(rows: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    """How many pairs of joins cross."""
    return sum(
        _between(upper, lower, below)
        for upper, lower in pairwise(rows)
        if len(upper) > 1 and len(lower) > 1
    )


def _between(upper: Sequence[int], lower: Sequence[int], below: Sequence[Sequence[int]]) -> int:
    """Pairs of joins in the wrong order: those that end further right than one after them."""
    place = {stop: i for i, stop in enumerate(lower)}
    ends: list[int] = []
    crossings = 0
    for stop in upper:
        for end in sorted(place[one] for one in below[stop]):
            at = bisect_right(ends, end)
            crossings += len(ends) - at
            ends.insert(at, end)
    return crossings
