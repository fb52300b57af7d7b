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
    columns = _Columns(ranks, rows, centres, gaps)
    chains = sorted(_chains(ranks, centres), key=len, reverse=True)
    for turn in range(_TURNS):
        for chain in chains:
            for run, low, high in columns.runs(chain):
                columns.move(run, low, high, towards=_joined(ranks, run) if turn else run)
    return columns.centres


def _joined(ranks: Ranks, run: Sequence[int]) -> Sequence[int]:
    """What a run is joined to beside itself; itself, if that is nothing."""
    own = set(run)
    ends = (other for stop in run for other in (*ranks.above[stop], *ranks.below[stop]))
    return [other for other in ends if other not in own] or run


def _chains(ranks: Ranks, centres: Sequence[float]) -> list[list[int]]:
    """Stops that come first to each other's mind, one below the other."""
    below = [_first(ranks, stop, ends, centres) for stop, ends in enumerate(ranks.below)]
    above = [_first(ranks, stop, ends, centres) for stop, ends in enumerate(ranks.above)]
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


def _first(ranks: Ranks, stop: int, joined: Sequence[int], centres: Sequence[float]) -> int | None:
    """A trunk goes on as a trunk; of a fan of boxes it is the middle one, else the first named."""
    if ranks.stops[stop].bend:
        bends = (other for other in joined if ranks.stops[other].bend)
        return next(bends, joined[0])
    if len(joined) > 2 and max(joined) < len(ranks.boxes):
        return sorted(joined, key=centres.__getitem__)[len(joined) // 2]
    return joined[0] if joined else None


class _Columns:
    """Stops in their rows, each with the room that its neighbours leave it."""

    def __init__(
        self,
        ranks: Ranks,
        rows: Sequence[Sequence[int]],
        centres: Sequence[float],
        gaps: Sequence[Sequence[float]],
    ) -> None:
        self.centres = list(centres)
        self._stops = ranks.stops
        self._rows = rows
        self._gaps = gaps
        self._place = {stop: i for row in rows for i, stop in enumerate(row)}

    def runs(self, chain: Sequence[int]) -> Iterator[tuple[list[int], float, float]]:
        """Parts of a chain that fit in one column, and where that column may be."""
        run: list[int] = []
        low, high = float("-inf"), float("inf")
        for stop in chain:
            left, right = self._room(stop)
            if run and max(low, left) > min(high, right):
                yield run, low, high
                run, low, high = [], float("-inf"), float("inf")
            run.append(stop)
            low, high = max(low, left), min(high, right)
        yield run, low, high

    def move(self, run: Sequence[int], low: float, high: float, towards: Sequence[int]) -> None:
        """Put a run into one column, as near as can be to the middle of some stops."""
        middle = sum(self.centres[stop] for stop in towards) / len(towards)
        column = min(max(middle, low), high)
        for stop in run:
            self.centres[stop] = column

    def _room(self, stop: int) -> tuple[float, float]:
        index, at = self._stops[stop].row, self._place[stop]
        row, gap, centres = self._rows[index], self._gaps[index], self.centres
        left = centres[row[at - 1]] + gap[at - 1] if at else float("-inf")
        right = centres[row[at + 1]] - gap[at] if at + 1 < len(row) else float("inf")
        return left, right
