"""
The way of each line, past its bends, from edge to edge.

Where lines share a trunk only the first of them is drawn along it; those after
it end where they join.
"""

from collections.abc import Sequence
from typing import Final

from squidmesh_core.views.graph.layout.ranking import Chain, Ranks
from squidmesh_core.views.graph.layout.records import Drawing, Placed, Point, Spacing, Way

#: Lines leave and reach a box in this part of its width, about the middle.
_EDGE: Final = 0.7
#: Lines that would be so many times closer than they should be meet in one point.
_BUNDLE: Final = 4


def drawing(
    ranks: Ranks, centres: Sequence[float], spacing: Spacing, first: Sequence[str]
) -> Drawing:
    """Where everything is, once the centres of all stops are known; lines in the order given."""
    heights = [0.0] * ranks.rows
    for stop in ranks.stops:
        heights[stop.row] = max(heights[stop.row], stop.height)
    tops = [0.0]
    for height in heights:
        tops.append(tops[-1] + height + spacing.rows)
    route = _Routes(ranks, centres, tops, heights, spacing)
    stops = ranks.stops
    edges = (centres[i] + stop.width / 2 + stop.margin for i, stop in enumerate(stops))
    return Drawing(
        width=max(edges, default=0.0),
        height=tops[-1] - spacing.rows if stops else 0.0,
        boxes={box.id: route.boxes[i] for i, box in enumerate(ranks.boxes)},
        ways={line: route.way(ranks.ways[line]) for line in first if line in ranks.ways},
    )


class _Routes:
    """Ways along stops, each trunk drawn once."""

    def __init__(
        self,
        ranks: Ranks,
        centres: Sequence[float],
        tops: Sequence[float],
        heights: Sequence[float],
        spacing: Spacing,
    ) -> None:
        self._stops = ranks.stops
        self._centres = centres
        self._tops = tops
        self._heights = heights
        self._drawn: set[tuple[int, int]] = set()
        self._ports = _ports(ranks, centres, spacing)
        self.boxes = [self._placed(stop) for stop in range(len(ranks.boxes))]

    def way(self, chain: Chain) -> Way:
        """The way of a line, as far as no line before it was drawn there."""
        stops, up = chain.stops(self._stops), chain.up
        before = next(stops)
        points = [self._port(before, (stop := next(stops)), up=up)]
        arrives = True
        while stop != chain.target:
            row, x = self._stops[stop].row, self._centres[stop]
            near, far = self._tops[row], self._tops[row] + self._heights[row]
            if up:
                near, far = far, near
            points.append((x, near))
            if self._stops[stop].bend:
                if (stop, chain.target) in self._drawn:
                    arrives = False
                    break
                self._drawn.add((stop, chain.target))
            points.append((x, far))
            before, stop = stop, next(stops)
        else:
            points.append(self._port(stop, before, up=not up))
        label = None if chain.label is None else _centre(self._placed(chain.label))
        return Way(points=_straight(points), label=label, arrives=arrives)

    def _placed(self, stop: int) -> Placed:
        """Where a box or a label is, in the middle of its row."""
        one = self._stops[stop]
        top = self._tops[one.row] + (self._heights[one.row] - one.height) / 2
        return Placed(self._centres[stop] - one.width / 2, top, one.width, one.height)

    def _port(self, stop: int, other: int, *, up: bool) -> Point:
        box = self.boxes[stop]
        shift = self._ports.get((stop, other), 0.0)
        return box.x + box.width / 2 + shift, box.y if up else box.y + box.height


def _ports(
    ranks: Ranks, centres: Sequence[float], spacing: Spacing
) -> dict[tuple[int, int], float]:
    """(box, neighbouring stop) → how far from the box's middle the line between them meets it."""
    shifts: dict[tuple[int, int], float] = {}
    for joins in (ranks.above, ranks.below):
        for stop, box in enumerate(ranks.boxes):
            if len(joins[stop]) < 2:
                continue  # the only one is met in the middle
            others = sorted(joins[stop], key=centres.__getitem__)
            # What is straight above or below is met in the middle, the rest beside it.
            straight = (i for i, other in enumerate(others) if centres[other] == centres[stop])
            middle = next(straight, (len(others) - 1) / 2)
            farthest = max(middle, len(others) - 1 - middle, 1)
            apart = min(spacing.ports, box.width * _EDGE / 2 / farthest)
            if apart * _BUNDLE < spacing.ports:
                apart = 0.0  # so many that nobody tells them apart: one bundle reads better
            for i, other in enumerate(others):
                shifts[stop, other] = (i - middle) * apart
    return shifts


def _straight(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points without those in the middle of a straight piece."""
    between = (
        point
        for before, point, after in zip(points, points[1:], points[2:], strict=False)
        if not before[0] == point[0] == after[0]
    )
    return points[0], *between, points[-1]


def _centre(box: Placed) -> Point:
    return box.x + box.width / 2, box.y + box.height / 2
