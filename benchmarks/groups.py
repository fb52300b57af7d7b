"""
The groups of rows: which processes are started for each, in which order.

The contestants of a comparison take turns in rounds, because a machine that is
quick now may be slow in a minute: ratios are taken within a round, then their
median.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from attrs import frozen

Figures = dict[str, float]
Row = dict[str, object]

CONCURRENCIES: Final = (1, 8, 32)
#: DBOS is given one step where squidmesh is given so many; it needs as long for it.
DBOS_SHARE: Final = 10


@frozen(kw_only=True)
class Options:
    """What was asked for."""

    #: Interleaved rounds.
    rounds: int
    #: Steps of squidmesh in a round.
    steps: int
    #: Runs of each of the groups that are not about steps.
    runs: int
    #: Another tree of the sources, to compare with; null: none.
    against: Path | None


def steps(options: Options, folder: Path) -> Iterator[Row]:
    """Steps per second at each concurrency, and the ratio to DBOS within each round."""
    engines = ["squidmesh", *(["dbos"] if find_spec("dbos") else [])]
    for concurrency in CONCURRENCIES:

        def measure(engine: str, concurrency: int = concurrency) -> Figures:
            wanted = options.steps if engine == "squidmesh" else options.steps // DBOS_SHARE
            return _probe(folder, engine, concurrency, max(wanted // 5, concurrency))

        rounds = _in_turns(engines, options.rounds, measure)
        for engine, figures in rounds.items():
            yield _summary("steps", engine, concurrency, figures)
        if len(engines) > 1:
            ratios = _ratios(rounds["squidmesh"], rounds["dbos"], "steps_per_s")
            yield {"benchmark": "ratio", "concurrency": concurrency, **_told("times_dbos", ratios)}


def against(options: Options, folder: Path) -> Iterator[Row]:
    """The main job of this tree and of another; nothing if none is named."""
    if options.against is None:
        return
    trees = {"here": None, "there": options.against.resolve()}
    for concurrency in CONCURRENCIES:

        def measure(name: str, concurrency: int = concurrency) -> Figures:
            runs = max(options.steps // 5, concurrency)
            return _probe(folder, "squidmesh", concurrency, runs, tree=trees[name])

        rounds = _in_turns(list(trees), options.rounds, measure)
        for name, figures in rounds.items():
            yield _summary("against", name, concurrency, figures)
        pairs = rounds["here"], rounds["there"]
        yield {
            "benchmark": "here/there",
            "concurrency": concurrency,
            **_told("cpu", _ratios(*pairs, "cpu_us_per_step")),
            "steps_per_s": _rounded(median(_ratios(*pairs, "steps_per_s"))),
        }
    for name, tree in trees.items():
        yield _row("costs", _probe(folder, "costs", options.steps // 5, tree=tree), engine=name)


def gates(options: Options, folder: Path) -> Iterator[Row]:
    """From an answer to the successor's claim."""
    for answer in ("approve", "send"):
        yield _row(
            "gates",
            *(
                _probe(folder, "answers", how, answer, options.runs)
                for how in ("timed", "counted", "elsewhere")
            ),
            answer=answer,
        )


def rollback(options: Options, folder: Path) -> Iterator[Row]:
    """Five steps undone: the way back alone, then whole runs at each concurrency."""
    ways = [_probe(folder, "way_back", how, options.runs) for how in ("timed", "counted")]
    yield _row("rollback", *ways)
    for concurrency in CONCURRENCIES:
        figures = _probe(folder, "rollback", concurrency, max(options.runs, concurrency))
        yield _row("rollback", figures, concurrency=concurrency)


def waiting(options: Options, folder: Path) -> Iterator[Row]:
    """Runs at gates, timers and messages; each beside a file in which none wait."""
    for kind in ("gates", "timers", "messages"):
        for runs in (0, options.runs):
            with TemporaryDirectory(dir=folder) as own:
                figures = [
                    _run(Path(own), "waiting", step, kind, runs)
                    for step in ("fill", "idle", "beside")
                ]
            yield _row("waiting", *figures, at=kind, runs=runs)


def _single(name: str) -> "Group":
    """A group of one probe, whose figures are one row."""

    def measure(options: Options, folder: Path) -> Iterator[Row]:
        yield _row(name, _probe(folder, name, options.steps // 5))

    return measure


Group = Callable[[Options, Path], Iterator[Row]]
GROUPS: Final[dict[str, Group]] = {
    "steps": steps,
    **{name: _single(name) for name in ("costs", "start_up", "rebuild", "queue", "checker")},
    "gates": gates,
    "rollback": rollback,
    "waiting": waiting,
    "against": against,
}


def _probe(folder: Path, *words: object, tree: Path | None = None) -> Figures:
    """Measure in a process of its own, on files of its own."""
    with TemporaryDirectory(dir=folder) as own:
        return _run(Path(own), *words, tree=tree)


def _run(own: Path, *words: object, tree: Path | None = None) -> Figures:
    """Measure in a process of its own, with the sources of a tree; null: with ours."""
    command = [sys.executable, "-m", "benchmarks.probe", str(own), *map(str, words)]
    environment = dict(os.environ)
    if tree is not None:
        parts = (tree / part for part in ("core", "storage", "shell"))
        environment["PYTHONPATH"] = os.pathsep.join(map(str, parts))
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=tree
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def _in_turns(
    names: Sequence[str], rounds: int, measure: Callable[[str], Figures]
) -> dict[str, list[Figures]]:
    """The figures of each contestant, round by round; the first one changes each time."""
    taken: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            taken[name].append(measure(name))
    return taken


def _ratios(ours: list[Figures], theirs: list[Figures], figure: str) -> list[float]:
    return [one[figure] / other[figure] for one, other in zip(ours, theirs, strict=True)]


def _told(name: str, figures: Sequence[float]) -> Row:
    return {
        name: _rounded(median(figures)),
        "lowest": _rounded(min(figures)),
        "highest": _rounded(max(figures)),
    }


def _summary(benchmark: str, engine: str, concurrency: int, rounds: list[Figures]) -> Row:
    return {
        "benchmark": benchmark,
        "engine": engine,
        "concurrency": concurrency,
        "rounds": len(rounds),
        **_told("steps_per_s", [one["steps_per_s"] for one in rounds]),
        "cpu_us_per_step": _rounded(median(one["cpu_us_per_step"] for one in rounds)),
        "peak_mb": _rounded(max(one["peak_mb"] for one in rounds)),
    }


def _row(benchmark: str, *figures: Figures, **about: object) -> Row:
    measured = {key: _rounded(value) for each in figures for key, value in each.items()}
    return {"benchmark": benchmark, **about, **measured}


def _rounded(figure: float) -> float:
    return round(figure) if figure >= 1000 else float(f"{figure:.3g}")
