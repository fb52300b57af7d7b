"""The strokes of the picture: curves along ways, their tips, and loops at a box."""

from itertools import pairwise
from typing import Final

from squidmesh_core.views.graph.layout import Placed, Point, Way
from squidmesh_core.views.graph.records import EdgeStatus

#: A loop from a box to itself stands out this far.
LOOP: Final = 30
_TIP: Final = 9


def curve(way: Way, status: EdgeStatus, *, sideways: bool) -> tuple[str, str]:
    """The path of a way, and that of its tip; a way that joins another has none."""
    # Told as if it went down; what lies on its side is turned where it is written.
    points = [point[::-1] for point in way.points] if sideways else list(way.points)
    (x, y), before = points[-1], points[-2]
    turn = 1 if y > before[1] else -1
    tip = ""
    if way.arrives:
        points[-1] = (x, y - turn * (_TIP - 1))
        tip = _tip((x, y), turn, status, sideways=sideways)
    steps = [f"M{_at(points[0], sideways=sideways)}"]
    for (x0, y0), end in pairwise(points):
        x1, y1 = end
        if x0 == x1:
            steps.append(f"L{_at(end, sideways=sideways)}")
            continue
        middle = (y0 + y1) / 2
        if sideways:
            steps.append(f"C{middle:g} {x0:g} {middle:g} {x1:g} {y1:g} {x1:g}")
        else:
            steps.append(f"C{x0:g} {middle:g} {x1:g} {middle:g} {x1:g} {y1:g}")
    return "".join(steps), tip


def loop(box: Placed) -> tuple[str, str]:
    """From a box round to itself, on its right; the path, and that of its tip."""
    x, upper, lower = box.x + box.width, box.y + box.height * 0.25, box.y + box.height * 0.75
    path = f"M{x:g} {lower:g}C{x + LOOP:g} {lower:g} {x + LOOP:g} {upper:g} {x + 8:g} {upper:g}"
    return path, f"M{x:g} {upper:g}l9 -5v10Z"


def _tip(end: Point, turn: int, status: EdgeStatus, *, sideways: bool) -> str:
    """An arrowhead; or a bar, where nothing comes through."""
    x, base = end[0], end[1] - turn * _TIP
    if status == "blocked":
        return f"M{_at((x - 6, base), sideways=sideways)}L{_at((x + 6, base), sideways=sideways)}"
    left, right = _at((x - 5, base), sideways=sideways), _at((x + 5, base), sideways=sideways)
    return f"M{_at(end, sideways=sideways)}L{left}L{right}Z"


def _at(point: Point, *, sideways: bool) -> str:
    x, y = point
    return f"{y:g} {x:g}" if sideways else f"{x:g} {y:g}"
