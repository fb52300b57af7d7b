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

    def turned(self) -> "Box":
        """The box on its side."""
        return Box(self.id, self.height, self.width)


@frozen
class Line:
    """A line from one box to another, perhaps with a label on it."""

    id: str
    source: str
    target: str
    #: Width and height of the label.
    label: tuple[float, float] | None = None

    def turned(self) -> "Line":
        """The line with its label on its side."""
        return Line(self.id, self.source, self.target, self.label and self.label[::-1])


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

    def turned(self) -> "Spacing":
        """For a drawing on its side, where boxes are lower than they are wide."""
        return Spacing(boxes=self.boxes / 2, bends=self.bends, rows=2 * self.rows, ports=self.ports)


@frozen
class Placed:
    """Where a box is: its left upper corner, and its size."""

    x: float
    y: float
    width: float
    height: float

    def turned(self) -> "Placed":
        """The same with left and top exchanged."""
        return Placed(self.y, self.x, self.height, self.width)


@frozen(kw_only=True)
class Way:
    """
    The way of a line: through these points, at each of them in the drawing's direction.

    Points are the edges of the rows that are passed, so that a line runs straight
    past what stands there, and bends between rows only.
    """

    points: tuple[Point, ...]
    #: Centre of the label.
    label: Point | None = None
    #: Whether it ends at its target; else it joins a line that does.
    arrives: bool = True

    def turned(self) -> "Way":
        """The same with left and top exchanged."""
        return Way(
            points=tuple(point[::-1] for point in self.points),
            label=self.label and self.label[::-1],
            arrives=self.arrives,
        )


@frozen(kw_only=True)
class Drawing:
    """Where everything is."""

    width: float
    height: float
    boxes: Mapping[str, Placed]
    #: By line, those from a box to itself left out: they stand in its margin.
    ways: Mapping[str, Way]
    #: Whether it goes from left to right; else from top to bottom.
    sideways: bool = False

    def turned(self) -> "Drawing":
        """The same from left to right."""
        return Drawing(
            width=self.height,
            height=self.width,
            boxes={name: box.turned() for name, box in self.boxes.items()},
            ways={name: way.turned() for name, way in self.ways.items()},
            sideways=True,
        )
