"""
Measure squidmesh, beside DBOS where there is something to compare.

    python -m benchmarks [--only steps,costs,…] [--rounds 5] [--steps 5000] [--dir FOLDER] [--json]

The contestants take turns in rounds, because a machine that is quick now may be
slow in a minute: ratios are taken within a round, then their median.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

Figures = dict[str, float]
Row = dict[str, object]

CONCURRENCIES: Final = (1, 8, 32)
#: DBOS is given one step where squidmesh is given so many; it needs as long for it.
DBOS_SHARE: Final = 10


def main() -> None:
    """Run what was asked for, and print each row as soon as it is known."""
    options = _options()
    with TemporaryDirectory(dir=options.dir) as folder:
        for name in options.only:
            for row in GROUPS[name](options, Path(folder)):
                print(json.dumps(row) if options.json else _line(row), flush=True)


def steps(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Steps per second at each concurrency, and the ratio to DBOS within each round."""
    engines = ["squidmesh", *(["dbos"] if find_spec("dbos") else [])]
    for concurrency in CONCURRENCIES:
        rounds: dict[str, list[Figures]] = {engine: [] for engine in engines}
        for number in range(options.rounds):
            for engine in engines if number % 2 == 0 else reversed(engines):
                wanted = options.steps if engine == "squidmesh" else options.steps // DBOS_SHARE
                runs = max(wanted // 5, concurrency)
                rounds[engine].append(_probe(folder, engine, str(concurrency), str(runs)))
        for engine, figures in rounds.items():
            yield _summary(engine, concurrency, figures)
        if len(engines) > 1:
            pairs = zip(rounds["squidmesh"], rounds["dbos"], strict=True)
            ratios = [ours["steps_per_s"] / theirs["steps_per_s"] for ours, theirs in pairs]
            yield {
                "benchmark": "ratio",
                "concurrency": concurrency,
                "times_dbos": _rounded(median(ratios)),
                "lowest": _rounded(min(ratios)),
                "highest": _rounded(max(ratios)),
            }


def single(name: str) -> "Group":
    """A group of one probe, whose figures are one row."""

    def measure(options: argparse.Namespace, folder: Path) -> Iterator[Row]:
        figures = _probe(folder, name, str(options.steps // 5))
        yield {"benchmark": name, **{key: _rounded(value) for key, value in figures.items()}}

    return measure


Group = Callable[[argparse.Namespace, Path], Iterator[Row]]
GROUPS: Final[dict[str, Group]] = {
    "steps": steps,
    **{name: single(name) for name in ("costs", "start_up", "rebuild", "queue", "checker")},
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="one JSON line per row")
    parser.add_argument("--only", default=",".join(GROUPS), help="of: " + ", ".join(GROUPS))
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--steps", type=int, default=5000, help="squidmesh steps per round (5000)")
    parser.add_argument("--dir", help="where the files go: a folder on a real disk")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - GROUPS.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if options.rounds < 1 or options.steps < 5:
        parser.error("at least one round and five steps are needed")
    return options


def _probe(folder: Path, *arguments: str) -> Figures:
    """Measure in a process of its own, on files of its own."""
    with TemporaryDirectory(dir=folder) as own:
        command = [sys.executable, "-m", "benchmarks.probe", own, *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def _summary(engine: str, concurrency: int, rounds: list[Figures]) -> Row:
    rates = [figures["steps_per_s"] for figures in rounds]
    return {
        "benchmark": "steps",
        "engine": engine,
        "concurrency": concurrency,
        "rounds": len(rounds),
        "steps_per_s": _rounded(median(rates)),
        "lowest": _rounded(min(rates)),
        "highest": _rounded(max(rates)),
        "cpu_us_per_step": _rounded(median(one["cpu_us_per_step"] for one in rounds)),
        "peak_mb": _rounded(max(one["peak_mb"] for one in rounds)),
    }


def _rounded(figure: float) -> float:
    return round(figure) if figure >= 1000 else float(f"{figure:.3g}")


def _line(row: Row) -> str:
    return "  ".join(f"{name} {value}" for name, value in row.items())


if __name__ == "__main__":
    main()
