"""
How far from the left: each stop as near to its neighbours as the row allows.

A row in order, with a least distance between neighbours and a wish for each, is
a least-squares problem that merging groups solves exactly and in one pass
(isotonic regression), so no two stops of a row can ever overlap.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from squidmesh_core.views.graph.layout.ranking import Ranks, Stop
from squidmesh_core.views.graph.layout.records import Spacing
from squidmesh_core.views.graph.layout.straightening import straightened

#: Passes down and up; then some that heed both sides.
_PASSES: Final = 4
_LAST: Final = 2
#: How much straighter a trunk should be than a line between two boxes is.
_TRUNK: Final = 8


def placed(ranks: Ranks, rows: Sequence[Sequence[int]], spacing: Spacing) -> list[float]:
    """The centre of each stop, from the left; the leftmost edge is at 0."""
    centres = [0.0] * len(ranks.stops)
    gaps = [
        [_gap(ranks.stops[a], ranks.stops[b], spacing) for a, b in pairwise(row)] for row in rows
    ]
    for row, apart in zip(rows, gaps, strict=True):
        _put(row, _settled([0.0] * len(row), [1.0] * len(row), apart), centres)
    joins = [ranks.above, ranks.below]
    for turn in range(_PASSES + _LAST):
        down = turn % 2 == 0
        heeded = joins if turn >= _PASSES else joins[:1] if down else joins[1:]
        for i in range(len(rows)) if down else range(len(rows) - 1, -1, -1):
            wishes, weights = _wishes(ranks, rows[i], centres, heeded)
            _put(rows[i], _settled(wishes, weights, gaps[i]), centres)
    centres = straightened(ranks, rows, centres, gaps)
    left = min(
        (centres[i] - stop.width / 2 for i, stop in enumerate(ranks.stops)),
        default=0.0,
    )
    # Halves, so that what is an even number wide begins and ends at whole numbers.
    return [round(2 * (centre - left)) / 2 for centre in centres]


def _wishes(
    ranks: Ranks, row: Sequence[int], centres: list[float], heeded: Sequence[list[list[int]]]
) -> tuple[list[float], list[float]]:
    """Where each stop of a row would like to be, and how much."""
    wishes, weights = [], []
    for stop in row:
        total = sought = 0.0
        bend = ranks.stops[stop].bend
        for neighbours in heeded:
            for other in neighbours[stop]:
                weight = _TRUNK if bend and ranks.stops[other].bend else 1
                total += weight
                sought += weight * centres[other]
        wishes.append(sought / total if total else centres[stop])
        weights.append(total or 0.5)
    return wishes, weights


def _settled(
    wishes: Sequence[float], weights: Sequence[float], apart: Sequence[float]
) -> list[float]:
    """The places nearest to the wishes that are as far apart as they must be."""
    offset, offsets = 0.0, [0.0]
    for gap in apart:
        offset += gap
        offsets.append(offset)
    # Groups that stand as close as they may: weight, sum of weighted places, members.
    groups: list[tuple[float, float, int]] = []
    for wish, weight, moved in zip(wishes, weights, offsets, strict=False):
        group = (weight, weight * (wish - moved), 1)
        while groups and groups[-1][1] * group[0] >= group[1] * groups[-1][0]:
            before = groups.pop()
            group = (before[0] + group[0], before[1] + group[1], before[2] + group[2])
        groups.append(group)
    places = [total / weight for weight, total, members in groups for _ in range(members)]
    return [place + moved for place, moved in zip(places, offsets, strict=False)]


def _put(row: Sequence[int], places: Sequence[float], centres: list[float]) -> None:
    for stop, place in zip(row, places, strict=True):
        centres[stop] = place


def _gap(left: Stop, right: Stop, spacing: Spacing) -> float:
    """How far apart the centres of two stops side by side are at least."""
    room = spacing.bends if left.bend or right.bend else spacing.boxes
    return left.width / 2 + left.margin + room + right.width / 2
