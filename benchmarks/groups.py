"""The groups of rows: which processes are started for each, in which order."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.postgres.groups import GROUPS as POSTGRES
from benchmarks.rounds import (
    CONCURRENCIES,
    Figures,
    Group,
    Options,
    Row,
    in_turns,
    measured_by,
    ratios,
    rounded,
    row,
    summary,
    told,
)
from benchmarks.seeing.groups import EMBEDDED as SEEING

#: DBOS is given one step where squidmesh is given so many; it needs as long for it.
DBOS_SHARE: Final = 10


def steps(options: Options, folder: Path) -> Iterator[Row]:
    """Steps per second at each concurrency, the ratio to DBOS, and what the journal alone can do."""
    engines = ["squidmesh", "least", "journal", *(["dbos"] if find_spec("dbos") else [])]
    for concurrency in CONCURRENCIES:

        def measure(engine: str, concurrency: int = concurrency) -> Figures:
            wanted = options.steps // DBOS_SHARE if engine == "dbos" else options.steps
            return _probe(folder, engine, concurrency, max(wanted // 5, concurrency))

        rounds = in_turns(engines, options.rounds, measure)
        for engine, figures in rounds.items():
            yield summary("steps", engine, concurrency, figures)
        for ours in ("squidmesh", "least", "journal") if "dbos" in rounds else ():
            times = told("times_dbos", ratios(rounds[ours], rounds["dbos"], "steps_per_s"))
            yield {"benchmark": "ratio", "engine": ours, "concurrency": concurrency, **times}


def against(options: Options, folder: Path) -> Iterator[Row]:
    """The main job of this tree and of another; nothing if none is named."""
    if options.against is None:
        return
    trees = {"here": None, "there": options.against.resolve()}
    for concurrency in CONCURRENCIES:

        def measure(name: str, concurrency: int = concurrency) -> Figures:
            runs = max(options.steps // 5, concurrency)
            return _probe(folder, "squidmesh", concurrency, runs, tree=trees[name])

        rounds = in_turns(list(trees), options.rounds, measure)
        for name, figures in rounds.items():
            yield summary("against", name, concurrency, figures)
        pairs = rounds["here"], rounds["there"]
        yield {
            "benchmark": "here/there",
            "concurrency": concurrency,
            **told("cpu", ratios(*pairs, "cpu_us_per_step")),
            "steps_per_s": rounded(median(ratios(*pairs, "steps_per_s"))),
        }
    for name, tree in trees.items():
        yield row("costs", _probe(folder, "costs", options.steps // 5, tree=tree), engine=name)


def gates(options: Options, folder: Path) -> Iterator[Row]:
    """From an answer to the successor's claim."""
    for answer in ("approve", "send"):
        yield row(
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
    yield row("rollback", *ways)
    for concurrency in CONCURRENCIES:
        figures = _probe(folder, "rollback", concurrency, max(options.runs, concurrency))
        yield row("rollback", figures, concurrency=concurrency)


def waiting(options: Options, folder: Path) -> Iterator[Row]:
    """Runs at gates, timers and messages; each beside a file in which none wait."""
    for kind in ("gates", "timers", "messages"):
        for runs in (0, options.runs):
            with TemporaryDirectory(dir=folder) as own:
                figures = [
                    _run(Path(own), "waiting", step, kind, runs)
                    for step in ("fill", "idle", "beside")
                ]
            yield row("waiting", *figures, at=kind, runs=runs)


def _single(name: str) -> Group:
    """A group of one probe, whose figures are one row."""

    def measure(options: Options, folder: Path) -> Iterator[Row]:
        yield row(name, _probe(folder, name, options.steps // 5))

    return measure


#: On SQLite, or without any storage.
EMBEDDED: Final[dict[str, Group]] = {
    "steps": steps,
    **{
        name: _single(name)
        for name in ("costs", "start_up", "rebuild", "queue", "checker", "drawing")
    },
    **SEEING,
    "gates": gates,
    "rollback": rollback,
    "waiting": waiting,
    "against": against,
}
GROUPS: Final = {**EMBEDDED, **POSTGRES}


def _probe(folder: Path, *words: object, tree: Path | None = None) -> Figures:
    """Measure in a process of its own, on files of its own."""
    with TemporaryDirectory(dir=folder) as own:
        return _run(Path(own), *words, tree=tree)


def _run(own: Path, *words: object, tree: Path | None = None) -> Figures:
    """Measure in a process of its own, with the sources of a tree; null: with ours."""
    return measured_by("benchmarks.probe", own, *words, tree=tree)
