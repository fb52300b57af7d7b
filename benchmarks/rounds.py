"""
Measurements by processes of their own, in rounds, and what is told of them.

The contestants of a comparison take turns, because a machine that is quick now may be
slow in a minute: ratios are taken within a round, then their median.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from attrs import frozen

Figures = dict[str, float]
Row = dict[str, object]

CONCURRENCIES: Final = (1, 8, 32)


@frozen(kw_only=True)
class Options:
    """What was asked for."""

    #: Interleaved rounds.
    rounds: int
    #: Steps of squidmesh in a round.
    steps: int
    #: Runs of each of the groups that are not about steps.
    runs: int
    #: Runs that wait, are finished and are delayed, each, where there are a lot.
    deep: int
    #: Seconds for which an idle process is watched.
    seconds: int
    #: Another tree of the sources, to compare with; null: none.
    against: Path | None
    #: The PostgreSQL server to measure; null: one of our own.
    dsn: str | None


Group = Callable[[Options, Path], Iterator[Row]]


def measured_by(module: str, *words: object, tree: Path | None = None) -> Figures:
    """
    Measure in a process of its own.

    Args:
        module: What it runs; its last line is the figures.
        words: Its arguments.
        tree: Whose sources it has; null: ours.
    """
    command = [sys.executable, "-m", module, *map(str, words)]
    environment = dict(os.environ)
    if tree is not None:
        parts = (tree / part for part in ("core", "storage", "shell"))
        environment["PYTHONPATH"] = os.pathsep.join(map(str, parts))
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=tree
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def in_turns(
    names: Sequence[str], rounds: int, measure: Callable[[str], Figures]
) -> dict[str, list[Figures]]:
    """The figures of each contestant, round by round; the first one changes each time."""
    taken: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            taken[name].append(measure(name))
    return taken


def ratios(ours: list[Figures], theirs: list[Figures], figure: str) -> list[float]:
    """Of one figure, round by round."""
    return [one[figure] / other[figure] for one, other in zip(ours, theirs, strict=True)]


def told(name: str, figures: Sequence[float]) -> Row:
    """Median, lowest and highest of several figures."""
    return {
        name: rounded(median(figures)),
        "lowest": rounded(min(figures)),
        "highest": rounded(max(figures)),
    }


def summary(benchmark: str, engine: str, concurrency: int, rounds: list[Figures]) -> Row:
    """What the rounds of one contestant came to."""
    return {
        "benchmark": benchmark,
        "engine": engine,
        "concurrency": concurrency,
        "rounds": len(rounds),
        **told("steps_per_s", [one["steps_per_s"] for one in rounds]),
        "cpu_us_per_step": rounded(median(one["cpu_us_per_step"] for one in rounds)),
        "peak_mb": rounded(max(one["peak_mb"] for one in rounds)),
    }


def row(benchmark: str, *figures: Figures, **about: object) -> Row:
    """Figures as one row."""
    measured = {key: rounded(value) for each in figures for key, value in each.items()}
    return {"benchmark": benchmark, **about, **measured}


def rounded(figure: float) -> float:
    """Three digits, or all before the point."""
    return round(figure) if figure >= 1000 else float(f"{figure:.3g}")
