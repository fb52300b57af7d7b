"""
How far from the left: each stop as near to its neighbours as the row allows.

A row in order, with a least distance between neighbours and a wish for each, is
a least-squares problem that merging groups solves exactly and in one pass
(isotonic regression), so no two stops of a row can ever overlap.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

from squidmesh_core.views.graph.layout.ranking import Ranks, Stop
from squidmesh_core.views.graph.layout.records import Spacing
from squidmesh_core.views.graph.layout.straightening import straightened

#: Passes down and up, which heed one side; then those that heed both.
_PASSES: Final = 2
_LAST: Final = 1
#: How much straighter a trunk should be than a line between two boxes is.
_TRUNK: Final = 8

#: Stops in their order, and how far right of the first of them each is at least.
_Row = tuple[Sequence[int], Sequence[float]]
#: What moves a stop: how much in all, and to where another is, or between several, each so much.
_Pull = tuple[float, int, Sequence[tuple[int, int]]]


def placed(ranks: Ranks, rows: Sequence[Sequence[int]], spacing: Spacing) -> list[float]:
    """The centre of each stop, from the left; the leftmost edge is at 0."""
    centres = [0.0] * len(ranks.stops)
    gaps = [
        [_gap(ranks.stops[a], ranks.stops[b], spacing) for a, b in pairwise(row)] for row in rows
    ]
    down: list[_Row] = [
        (row, list(accumulate(apart, initial=0.0)))
        for row, apart in zip(rows, gaps, strict=True)
        if row
    ]
    up = down[::-1]
    _settle(down, [(1.0, stop, ()) for stop in range(len(centres))], centres)
    bends = [stop.bend for stop in ranks.stops]
    by_above, by_below = _pulls(ranks.above, bends), _pulls(ranks.below, bends)
    both = [[*above, *below] for above, below in zip(ranks.above, ranks.below, strict=True)]
    by_both = _pulls(both, bends)
    for _ in range(_PASSES):
        _settle(down, by_above, centres)
        _settle(up, by_below, centres)
    for _ in range(_LAST):
        _settle(down, by_both, centres)
        _settle(up, by_both, centres)
    centres = straightened(ranks, rows, centres, gaps)
    left = min(
        (centres[i] - stop.width / 2 for i, stop in enumerate(ranks.stops)),
        default=0.0,
    )
    # Halves, so that what is an even number wide begins and ends at whole numbers.
    return [round(2 * (centre - left)) / 2 for centre in centres]


def _pulls(joins: Sequence[Sequence[int]], bends: Sequence[bool]) -> list[_Pull]:
    """What moves each stop; what nothing moves would rather stay where it is."""
    pulls: list[_Pull] = []
    for stop, others in enumerate(joins):
        heavy = _TRUNK if bends[stop] else 1
        if len(others) == 1:
            pulls.append((heavy if bends[others[0]] else 1, others[0], ()))
        else:
            ends = [(other, heavy if bends[other] else 1) for other in others]
            pulls.append((sum([heed for _, heed in ends]) or 0.5, stop, ends))
    return pulls


def _settle(rows: Sequence[_Row], pulls: Sequence[_Pull], centres: list[float]) -> None:
    """
    Row by row, put stops as near to their wishes as can be, as far apart as they must be.

    One function and no records in it: it sees each stop seven times for a picture.
    """
    for row, offsets in rows:
        # Groups that stand as close as they may: weight, sum of weighted places, members.
        groups: list[tuple[float, float, int]] = []
        weight, total, members = 0.0, 0.0, 0
        for stop, offset in zip(row, offsets, strict=True):
            heed, other, ends = pulls[stop]
            wish = centres[other]
            if ends:
                sought = 0.0
                for end, much in ends:
                    sought += much * centres[end]
                wish = sought / heed
            pulled = heed * (wish - offset)
            if total * heed < pulled * weight:
                groups.append((weight, total, members))
                weight, total, members = heed, pulled, 1
                continue
            weight, total, members = weight + heed, total + pulled, members + 1
            while groups and groups[-1][1] * weight >= total * groups[-1][0]:
                heavy, summed, before = groups.pop()
                weight, total, members = heavy + weight, summed + total, before + members
        at = 0
        for heavy, summed, count in (*groups, (weight, total, members)):
            place, end = summed / heavy, at + count
            while at < end:
                centres[row[at]] = place + offsets[at]
                at += 1


def _gap(left: Stop, right: Stop, spacing: Spacing) -> float:
    """How far apart the centres of two stops side by side are at least."""
    room = spacing.bends if left.bend or right.bend else spacing.boxes
    return left.width / 2 + left.margin + room + right.width / 2
