"""What a layout takes and gives; lengths are in the caller's unit."""

from collections.abc import Mapping

from attrs import frozen

Point = tuple[float, float]


@frozen
class Box:
    """Something to place."""

    id: str
    width: float
    height: float
    #: Room to the right of it, for a line that comes back to the same box.
    margin: float = 0


@frozen
class Line:
    """A line from one box to another, perhaps with a label on it."""

    id: str
    source: str
    target: str
    #: Width and height of the label.
    label: tuple[float, float] | None = None


@frozen(kw_only=True)
class Spacing:
    """How much room is left."""

    #: Between two boxes side by side.
    boxes: float
    #: Between a bend and what is beside it.
    bends: float
    #: Between two rows.
    rows: float
    #: Between two lines at the edge of a box.
    ports: float


@frozen
class Placed:
    """Where a box is: its left upper corner, and its size."""

    x: float
    y: float
    width: float
    height: float


@frozen(kw_only=True)
class Way:
    """
    The way of a line: through these points, vertically at each of them.

    Points come in pairs, the lower and the upper edge of what is passed, so that
    a line runs straight past it and bends between rows only.
    """

    points: tuple[Point, ...]
    #: Centre of the label.
    label: Point | None = None
    #: Whether it ends at its target; else it joins a line that does.
    arrives: bool = True


@frozen(kw_only=True)
class Drawing:
    """Where everything is."""

    width: float
    height: float
    boxes: Mapping[str, Placed]
    #: By line, those from a box to itself left out: they stand in its margin.
    ways: Mapping[str, Way]
