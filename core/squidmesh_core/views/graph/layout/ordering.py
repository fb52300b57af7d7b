"""
Left to right in each row: near the middle of one's neighbours, by sweeps down and up.

The order with the fewest crossings of all sweeps is kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import Final

from squidmesh_core.views.graph.layout.ranking import Ranks

#: Gansner et al. take 24; after a few, nothing gets better in graphs of our kind.
_SWEEPS: Final = 6

#: Stops from left to right.
_Row = tuple[int, ...]


def in_order(ranks: Ranks) -> list[_Row]:
    """The stops of each row, from left to right."""
    rows = _first(ranks)

    # Most rows and their neighbours are soon as they have been before.
    @cache
    def crossings(upper: _Row, lower: _Row) -> int:
        return _between(upper, lower, ranks.below)

    @cache
    def resorted(row: _Row, beside: _Row, *, down: bool) -> _Row:
        return _sorted(row, beside, ranks.above if down else ranks.below)

    orders = [list(rows)]
    best, fewest = orders[0], sum(map(crossings, rows, rows[1:]))
    for sweep in range(_SWEEPS):
        # A sweep sees nothing but the order: where two of them lead back, so will the rest.
        if not fewest or orders[-1] in orders[-3:-2]:
            break
        down = sweep % 2 == 0
        for i in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            if len(rows[i]) > 1:
                rows[i] = resorted(rows[i], rows[i - 1 if down else i + 1], down=down)
        orders.append(list(rows))
        crossed = sum(map(crossings, rows, rows[1:]))
        if crossed < fewest:
            best, fewest = orders[-1], crossed
    return best


def _first(ranks: Ranks) -> list[_Row]:
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
    return [tuple(row) for row in rows]


def _sorted(row: _Row, beside: _Row, neighbours: Sequence[Sequence[int]]) -> _Row:
    """The row by the mean place of neighbours; who has none stays where it is."""
    place = {stop: i for i, stop in enumerate(beside)}
    means: dict[int, float] = {}
    for stop in row:
        ends = neighbours[stop]
        if len(ends) == 1:
            means[stop] = place[ends[0]]
        elif ends:
            means[stop] = sum([place[end] for end in ends]) / len(ends)
    moving = sorted(means, key=means.__getitem__)
    if len(moving) == len(row):
        return tuple(moving)
    following = iter(moving)
    return tuple([next(following) if stop in means else stop for stop in row])


def _between(upper: _Row, lower: _Row, below: Sequence[Sequence[int]]) -> int:
    """Pairs of joins in the wrong order: those that end further right than one after them."""
    if len(upper) == 1 or len(lower) == 1:
        return 0
    place = {stop: i for i, stop in enumerate(lower)}
    ends: list[int] = []
    crossings = 0
    for stop in upper:
        for end in sorted([place[one] for one in below[stop]]):
            if not ends or ends[-1] <= end:
                ends.append(end)
                continue
            at = bisect_right(ends, end)
            crossings += len(ends) - at
            ends.insert(at, end)
    return crossings
