"""
Straight lines: stops that follow each other get one column where their rows leave room.

Averages leave every chain a little crooked, which the eye takes for meaning.
Once straight, chains move as a whole to where they are joined to others.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from squidmesh_core.views.graph.layout.ranking import Ranks

#: Each time uses the room that the last has made.
_TURNS: Final = 4


def straightened(
    ranks: Ranks,
    rows: Sequence[Sequence[int]],
    centres: Sequence[float],
    gaps: Sequence[Sequence[float]],
) -> list[float]:
    """The centres, chain by chain in one column where nothing is in the way; order is kept."""
    columns = _Columns(rows, centres, gaps)
    chains = sorted(_chains(ranks, centres), key=len, reverse=True)
    around = [(*above, *below) for above, below in zip(ranks.above, ranks.below, strict=True)]
    for turn in range(_TURNS):
        for chain in chains:
            for run, low, high in columns.runs(chain):
                columns.move(run, low, high, towards=_joined(around, run) if turn else run)
    return columns.centres


def _joined(around: Sequence[Sequence[int]], run: Sequence[int]) -> Sequence[int]:
    """What a run is joined to beside itself; itself, if that is nothing."""
    own = set(run)
    return [other for stop in run for other in around[stop] if other not in own] or run


def _chains(ranks: Ranks, centres: Sequence[float]) -> list[list[int]]:
    """Stops that come first to each other's mind, one below the other."""
    below, above = _firsts(ranks, ranks.below, centres), _firsts(ranks, ranks.above, centres)
    chains = []
    for stop, upper in enumerate(above):
        if upper is not None and below[upper] == stop:
            continue  # it is within a chain
        chain, following = [stop], below[stop]
        while following is not None and above[following] == chain[-1]:
            chain.append(following)
            following = below[following]
        chains.append(chain)
    return chains


def _firsts(
    ranks: Ranks, joins: Sequence[Sequence[int]], centres: Sequence[float]
) -> list[int | None]:
    """For each stop the one that comes first to its mind, of those that it is joined to."""
    return [
        _first(ranks, stop, joined, centres) if len(joined) > 1 else joined[0] if joined else None
        for stop, joined in enumerate(joins)
    ]


def _first(ranks: Ranks, stop: int, joined: Sequence[int], centres: Sequence[float]) -> int:
    """A trunk goes on as a trunk; of a fan of boxes it is the middle one, else the first named."""
    if ranks.stops[stop].bend:
        bends = (other for other in joined if ranks.stops[other].bend)
        return next(bends, joined[0])
    if len(joined) > 2 and max(joined) < len(ranks.boxes):
        return sorted(joined, key=centres.__getitem__)[len(joined) // 2]
    return joined[0]


class _Columns:
    """Stops in their rows, each with the room that its neighbours leave it."""

    def __init__(
        self,
        rows: Sequence[Sequence[int]],
        centres: Sequence[float],
        gaps: Sequence[Sequence[float]],
    ) -> None:
        self._count = len(centres)
        # At both ends of each row there is nothing for ever.
        self._centres = [*centres, float("-inf"), float("inf")]
        nothing_left, nothing_right = self._count, self._count + 1
        #: Stop → its neighbours in the row, each with how far from it the stop must stay.
        self._beside: dict[int, tuple[int, float, int, float]] = {}
        for row, apart in zip(rows, gaps, strict=True):
            lefts, rights = [nothing_left, *row[:-1]], [*row[1:], nothing_right]
            rooms = zip(lefts, [0.0, *apart], rights, [*apart, 0.0], strict=True)
            self._beside.update(zip(row, rooms, strict=False))

    @property
    def centres(self) -> list[float]:
        """The centre of each stop."""
        return self._centres[: self._count]

    def runs(self, chain: Sequence[int]) -> Iterator[tuple[list[int], float, float]]:
        """Parts of a chain that fit in one column, and where that column may be."""
        centres, beside = self._centres, self._beside
        run: list[int] = []
        low, high = float("-inf"), float("inf")
        for stop in chain:
            left, from_left, right, from_right = beside[stop]
            least, most = centres[left] + from_left, centres[right] - from_right
            # Not `max` and `min`: this is done for each stop again and again.
            lower = least if least > low else low  # noqa: FURB136
            upper = most if most < high else high  # noqa: FURB136
            if run and lower > upper:
                yield run, low, high
                run, lower, upper = [], least, most
            run.append(stop)
            low, high = lower, upper
        yield run, low, high

    def move(self, run: Sequence[int], low: float, high: float, towards: Sequence[int]) -> None:
        """Put a run into one column, as near as can be to the middle of some stops."""
        centres = self._centres
        middle = sum([centres[stop] for stop in towards]) / len(towards)
        column = min(max(middle, low), high)
        for stop in run:
            centres[stop] = column
