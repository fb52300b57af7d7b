"""
A layered layout: where boxes and lines go, as numbers.

    ranking         a row for each box; what a line passes is a bend in each row between
    ordering        left to right in each row, with few crossings
    placing         how far from the left: near to one's neighbours, no two overlapping
    straightening   one column for what follows each other
    routing         the way of each line

Everything is iterative, deterministic, and linear or nearly so in boxes, bends
and lines.  Lines to the same box share their bends, as branches share a trunk,
so a picture stays small where all of a workflow leads to one error handler.
The method is that of Sugiyama, Tagawa and Toda (1981) with the averaging of
Gansner et al., "A Technique for Drawing Directed Graphs" (1993), section 4.
"""

from collections.abc import Sequence
from typing import Final

from squidmesh_core.views.graph.layout.ordering import in_order
from squidmesh_core.views.graph.layout.placing import placed
from squidmesh_core.views.graph.layout.ranking import Ranks, ranked
from squidmesh_core.views.graph.layout.records import (
    Box,
    Drawing,
    Line,
    Placed,
    Point,
    Spacing,
    Way,
)
from squidmesh_core.views.graph.layout.routing import drawing

__all__ = ["Box", "Drawing", "Line", "Placed", "Point", "Spacing", "Way", "lay_out"]


#: A drawing that would be so many times as wide as it is high is laid on its side.
_WIDEST: Final = 5


def lay_out(
    boxes: Sequence[Box], lines: Sequence[Line], spacing: Spacing, first: Sequence[str]
) -> Drawing:
    """
    Where everything goes: top down, or from left to right where that would be far too wide.

    Args:
        boxes: In the order in which they are read.
        lines: Between boxes, in the order in which they are read.
        spacing: How much room is left between things.
        first: The ids of the lines, the strongest first: where lines share their
            way, the first of them is drawn along it.
    """
    ranks = ranked(boxes, lines)
    # What stands in a margin has no room beside a box that lies on its side.
    if any(box.margin for box in boxes) or not _too_wide(ranks, spacing):
        return _top_down(ranks, spacing, first)
    turned = ranked([box.turned() for box in boxes], [line.turned() for line in lines])
    return _top_down(turned, spacing.turned(), first).turned()


def _top_down(ranks: Ranks, spacing: Spacing, first: Sequence[str]) -> Drawing:
    rows = in_order(ranks)
    return drawing(ranks, placed(ranks, rows, spacing), spacing, first)


def _too_wide(ranks: Ranks, spacing: Spacing) -> bool:
    """Whether a row is much longer than all rows are high together."""
    widths, heights = [0.0] * ranks.rows, [0.0] * ranks.rows
    for stop in ranks.stops:
        widths[stop.row] += stop.width + (spacing.bends if stop.bend else spacing.boxes)
        heights[stop.row] = max(heights[stop.row], stop.height)
    return max(widths) > _WIDEST * (sum(heights) + ranks.rows * spacing.rows)
