"""
Rows: each box below those that lead to it, and bends where a line passes a row.

Lines that close a loop are laid upside down.  Where a labelled line leaves a
row, the next row is for labels alone, so that no label covers anything.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from attrs import Factory, define, frozen

from squidmesh_core.views.graph.layout.records import Box, Line


@frozen
class Stop:
    """What a row holds: a box, a label, or a bend."""

    row: int
    width: float
    height: float
    #: Room to its right.
    margin: float = 0
    #: Whether it is only passed.
    bend: bool = False


@define
class Ranks:
    """Stops by number, the boxes first in their order, and what leads where."""

    boxes: Sequence[Box]
    stops: list[Stop] = Factory(list)
    #: For each stop those in the row above, and in the row below, that a line joins it to.
    above: list[list[int]] = Factory(list)
    below: list[list[int]] = Factory(list)
    rows: int = 0
    #: Line → the stops from its source to its target.
    ways: dict[str, "Chain"] = Factory(dict)

    def add(self, stop: Stop) -> int:
        """One more stop; its number."""
        self.stops.append(stop)
        self.above.append([])
        self.below.append([])
        return len(self.stops) - 1

    def join(self, upper: int, lower: int) -> None:
        """See that the two are joined, once."""
        if lower not in self.below[upper]:
            self.below[upper].append(lower)
            self.above[lower].append(upper)


@frozen
class Chain:
    """How a line goes: from a stop, perhaps by its label, then along the trunk of its target."""

    source: int
    target: int
    label: int | None
    #: Row → bend; shared by all lines to the same target from the same side.
    trunk: dict[int, int]
    #: Whether it leads to a row above.
    up: bool

    def stops(self, rows: Sequence[Stop]) -> Iterator[int]:
        """The stops, from the source on."""
        yield self.source
        begin, step = rows[self.source].row, -1 if self.up else 1
        if self.label is not None:
            yield self.label
            begin += step
        for row in range(begin + step, rows[self.target].row, step):
            yield self.trunk[row]
        yield self.target


def ranked(boxes: Sequence[Box], lines: Sequence[Line]) -> Ranks:
    """Every box in a row, and every line with a stop in each row that it passes."""
    number = {box.id: i for i, box in enumerate(boxes)}
    between = [(number[one.source], number[one.target]) for one in lines]
    following = _following(len(boxes), between)
    looping = _looping(following)
    layers = _layers(following, looping)
    # A label stands beside its line's source: below it, or above where the line leads up.
    labelled = {
        layers[source] - ((source, target) in looping)
        for line, (source, target) in zip(lines, between, strict=True)
        if line.label is not None and source != target
    }
    row_of = _rows(max(layers, default=0), labelled)
    ranks = Ranks(boxes)
    for i, box in enumerate(boxes):
        ranks.add(Stop(row_of[layers[i]], box.width, box.height, box.margin))
    trunks: dict[tuple[int, bool], dict[int, int]] = {}
    for line, (source, target) in zip(lines, between, strict=True):
        if source != target:
            up = (source, target) in looping
            trunk = trunks.setdefault((target, up), {})
            label = _lay(ranks, (source, target), line.label, trunk, up=up)
            ranks.ways[line.id] = Chain(source, target, label, trunk, up)
    ranks.rows = 1 + max((stop.row for stop in ranks.stops), default=0)
    return ranks


def _lay(
    ranks: Ranks,
    ends: tuple[int, int],
    size: tuple[float, float] | None,
    trunk: dict[int, int],
    *,
    up: bool,
) -> int | None:
    """See that the stops of a line are there, and joined; the one of its label, if it has one."""
    (source, target), step = ends, -1 if up else 1
    first, last = ranks.stops[source].row + step, ranks.stops[target].row
    way, label = [source], None
    if size is not None:
        label = ranks.add(Stop(first, *size))
        way.append(label)
        first += step
    for row in range(first, last, step):
        bend = trunk.get(row)
        if bend is not None:
            way.append(bend)
            break  # from here on the trunk is there, down to the target
        bend = trunk[row] = ranks.add(Stop(row, 0, 0, bend=True))
        way.append(bend)
    else:
        way.append(target)
    for one, other in pairwise(reversed(way) if up else way):
        ranks.join(one, other)
    return label


def _following(count: int, between: Sequence[tuple[int, int]]) -> list[list[int]]:
    following: list[list[int]] = [[] for _ in range(count)]
    for source, target in dict.fromkeys(between):
        if source != target:
            following[source].append(target)
    return following


def _looping(following: Sequence[Sequence[int]]) -> set[tuple[int, int]]:
    """The lines that lead back to where a walk along the others came from."""
    found: set[tuple[int, int]] = set()
    targets = {target for ends in following for target in ends}
    roots = [i for i in range(len(following)) if i not in targets]
    seen: set[int] = set()
    for root in [*roots, *range(len(following))]:
        if root in seen:
            continue
        seen.add(root)
        walk = [(root, iter(following[root]))]
        on_the_way = {root}
        while walk:
            node, ends = walk[-1]
            target = next(ends, None)
            if target is None:
                walk.pop()
                on_the_way.discard(node)
            elif target in on_the_way:
                found.add((node, target))
            elif target not in seen:
                seen.add(target)
                on_the_way.add(target)
                walk.append((target, iter(following[target])))
    return found


def _layers(following: Sequence[Sequence[int]], looping: set[tuple[int, int]]) -> list[int]:
    """One more than the lowest of those that lead there."""
    ends = [
        [target for target in targets if (node, target) not in looping]
        for node, targets in enumerate(following)
    ]
    # A line that is laid upside down still asks for a row between its ends.
    for source, target in looping:
        ends[target].append(source)
    waiting = [0] * len(ends)
    for targets in ends:
        for target in targets:
            waiting[target] += 1
    layers = [0] * len(ends)
    ready = [node for node, count in enumerate(waiting) if not count]
    for node in ready:
        for target in ends[node]:
            layers[target] = max(layers[target], layers[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return layers


def _rows(deepest: int, labelled: set[int]) -> list[int]:
    """Layer → row, with a row for labels below each layer that needs one."""
    rows, row = [], 0
    for layer in range(deepest + 1):
        rows.append(row)
        row += 2 if layer in labelled else 1
    return rows
