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
    ranks: Ranks, rows: Sequence[Sequence[int]], centres: Sequence[float], gaps: Sequence[list[float]]
) -> list[float]:
    """The centres, chain by chain in one column where nothing is in the way; order is kept."""
    straight = list(centres)
    place = {stop: i for row in rows for i, stop in enumerate(row)}
    chains = sorted(_chains(ranks), key=len, reverse=True)
    for turn in range(_TURNS):
        for chain in chains:
            for run, low, high in _runs(ranks, rows, gaps, place, chain, straight):
                drawn = _joined(ranks, run) if turn else run
                middle = sum(straight[stop] for stop in drawn) / len(drawn)
                column = min(max(middle, low), high)
                for stop in run:
                    straight[stop] = column
    return straight


def _joined(ranks: Ranks, run: Sequence[int]) -> Sequence[int]:
    """What a run is joined to beside itself; itself, if that is nothing."""
    own = set(run)
    ends = (other for stop in run for other in (*ranks.above[stop], *ranks.below[stop]))
    return [other for other in ends if other not in own] or run


def _chains(ranks: Ranks) -> list[list[int]]:
    """Stops that come first to each other's mind, one below the other."""
    below = [_first(ranks, stop, ends) for stop, ends in enumerate(ranks.below)]
    above = [_first(ranks, stop, ends) for stop, ends in enumerate(ranks.above)]
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


def _first(ranks: Ranks, stop: int, joined: Sequence[int]) -> int | None:
    """A trunk goes on as a trunk; else the line that was named first."""
    if ranks.stops[stop].bend:
        bends = (other for other in joined if ranks.stops[other].bend)
        return next(bends, joined[0])
    return joined[0] if joined else None


def _runs(
    ranks: Ranks,
    rows: Sequence[Sequence[int]],
    gaps: Sequence[list[float]],
    place: dict[int, int],
    chain: Sequence[int],
    centres: Sequence[float],
) -> Iterator[tuple[list[int], float, float]]:
    """Parts of a chain that fit in one column, and where that column may be."""
    run: list[int] = []
    low, high = float("-inf"), float("inf")
    for stop in chain:
        row, gap, at = rows[ranks.stops[stop].row], gaps[ranks.stops[stop].row], place[stop]
        left = centres[row[at - 1]] + gap[at - 1] if at else float("-inf")
        right = centres[row[at + 1]] - gap[at] if at + 1 < len(row) else float("inf")
        if max(low, left) > min(high, right):
            yield run, low, high
            run, low, high = [], float("-inf"), float("inf")
        run.append(stop)
        low, high = max(low, left), min(high, right)
    yield run, low, high
