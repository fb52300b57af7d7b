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

from collections.abc import Iterable, Sequence

from squidmesh_core.views.graph.layout.ordering import in_order
from squidmesh_core.views.graph.layout.placing import placed
from squidmesh_core.views.graph.layout.ranking import ranked
from squidmesh_core.views.graph.layout.records import Box, Drawing, Line, Spacing
from squidmesh_core.views.graph.layout.routing import drawing

__all__ = ["Box", "Drawing", "Line", "Spacing", "lay_out"]


def lay_out(
    boxes: Sequence[Box], lines: Sequence[Line], spacing: Spacing, first: Iterable[str]
) -> Drawing:
    """
    Where everything goes, top down.

    Args:
        boxes: In the order in which they are read.
        lines: Between boxes, in the order in which they are read.
        spacing: How much room is left between things.
        first: The ids of the lines, the strongest first: where lines share their
            way, the first of them is drawn along it.
    """
    ranks = ranked(boxes, lines)
    rows = in_order(ranks)
    return drawing(ranks, placed(ranks, rows, spacing), spacing, first)
