"""The groups of rows on PostgreSQL: each on a server of its own, or on the one that was named."""

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.postgres.server import durable_server, fresh_database, pooled
from benchmarks.postgres.steps import MODES
from benchmarks.rounds import (
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
from benchmarks.seeing.groups import ON_POSTGRES as SEEING

#: The peers are given one run where squidmesh is given so many; they need as long for it.
SHARE: Final = 10
#: Latencies of DBOS: each takes a second.
DBOS_SAMPLES: Final = 30
#: Steps of the worker whose memory is looked at, for each of the runs asked for.
STEPS_OF_MEMORY: Final = 100


def steps(options: Options, folder: Path) -> Iterator[Row]:
    """Steps per second at each concurrency, beside DBOS and what journal and server can do."""
    engines = [*_with_peers("dbos"), "least", "journal", "limit"]
    with durable_server(options.dsn) as server:
        for mode, concurrency in MODES:

            def measure(engine: str, mode: str = mode, concurrency: int = concurrency) -> Figures:
                if engine == "limit":
                    return _probe(server, "limit", concurrency, folder)
                runs = _given(engine, options.steps // 5)
                return _probe(server, "steps", engine, mode, concurrency, max(runs, concurrency))

            rounds = in_turns(engines, options.rounds, measure)
            yield from _steps_rows(rounds, mode, concurrency)


def _steps_rows(rounds: dict[str, list[Figures]], mode: str, concurrency: int) -> Iterator[Row]:
    ours, limits = rounds["squidmesh"], rounds.pop("limit")
    for engine, figures in rounds.items():
        told_of = summary("pg_steps", engine, concurrency, figures)
        spent = {
            name: rounded(median(one[name] for one in figures))
            for name in ("commits_per_step", "run_ms_p50", "run_ms_p95")
        }
        yield {**told_of, "mode": mode, **spent}
    about = {"mode": mode, "concurrency": concurrency}
    for engine in ("squidmesh", "least", "journal") if "dbos" in rounds else ():
        times = told("times_dbos", ratios(rounds[engine], rounds["dbos"], "steps_per_s"))
        yield {"benchmark": "pg_steps ratio", "engine": engine, **about, **times}
    shares = [
        100 * one["steps_per_s"] * one["commits_per_step"] / limit["commits_per_s"]
        for one, limit in zip(ours, limits, strict=True)
    ]
    most = told("commits_per_s", [limit["commits_per_s"] for limit in limits])
    yield {"benchmark": "pg_steps limit", **about, **most, "our_share_%": rounded(median(shares))}


def costs(options: Options, _: Path) -> Iterator[Row]:
    """Commits, statements, rows and bytes of log per step."""
    with durable_server(options.dsn) as server:
        for engine in _with_peers("dbos"):
            for mode, concurrency in MODES:
                with fresh_database(server) as url:
                    runs = _given(engine, options.steps // 5)
                    _run(url, "steps", engine, mode, 1, 1)  # the tables, and what they begin with
                    figures = _run(url, "costs", engine, mode, concurrency, max(runs, concurrency))
                yield row("pg_costs", figures, engine=engine, mode=mode, concurrency=concurrency)


def queue(options: Options, _: Path) -> Iterator[Row]:
    """Runs of one step, enqueued and drained by one and by two worker processes."""
    engines = _with_peers("dbos", "procrastinate")
    with durable_server(options.dsn) as server:
        for processes in (1, 2):

            def measure(engine: str, processes: int = processes) -> Figures:
                return _probe(server, "queue", engine, processes, _given(engine, options.steps))

            rounds = in_turns(engines, options.rounds, measure)
            for engine, figures in rounds.items():
                enqueued = rounded(median(one["enqueued_per_s"] for one in figures))
                drained = told("drained_per_s", [one["drained_per_s"] for one in figures])
                about = {"engine": engine, "processes": processes}
                yield {"benchmark": "pg_queue", **about, "enqueued_per_s": enqueued, **drained}
                if engine != "squidmesh":
                    times = ratios(rounds["squidmesh"], figures, "drained_per_s")
                    yield {"benchmark": "pg_queue ratio", **about, **told("times", times)}


def latency(options: Options, _: Path) -> Iterator[Row]:
    """From the start to the result, performed elsewhere."""
    with durable_server(options.dsn) as server:
        for engine in _with_peers("dbos"):
            runs = options.runs if engine == "squidmesh" else min(options.runs, DBOS_SAMPLES)
            yield row("pg_latency", _probe(server, "latency", engine, runs), engine=engine)


def idle(options: Options, _: Path) -> Iterator[Row]:
    """A worker with nothing to do: listening, and where that is not possible."""
    with durable_server(options.dsn) as server, fresh_database(server) as url:
        yield row("pg_idle", _run(url, "idle", options.seconds), hints="listening")
        if shutil.which("pgbouncer", path="/usr/sbin:/usr/bin") is not None:
            with pooled(url) as through:
                yield row("pg_idle", _run(through, "idle", options.seconds), hints="polling")


def fan(options: Options, _: Path) -> Iterator[Row]:
    """A run of two thousand parallel steps."""
    with durable_server(options.dsn) as server:
        for mode in ("threads", "asyncio"):
            yield row("pg_fan", _probe(server, "fan", mode), mode=mode)


def _single(name: str, wanted: Callable[[Options], int]) -> Group:
    """A group of one probe, whose figures are one row."""

    def measure(options: Options, _: Path) -> Iterator[Row]:
        with durable_server(options.dsn) as server:
            yield row(f"pg_{name}", _probe(server, name, wanted(options)))

    return measure


GROUPS: Final[dict[str, Group]] = {
    "pg_steps": steps,
    "pg_costs": costs,
    "pg_queue": queue,
    "pg_latency": latency,
    "pg_idle": idle,
    "pg_fan": fan,
    "pg_memory": _single("memory", lambda options: options.runs * STEPS_OF_MEMORY),
    "pg_depth": _single("depth", lambda options: options.deep),
    **SEEING,
}


def _with_peers(*peers: str) -> list[str]:
    return ["squidmesh", *(peer for peer in peers if find_spec(peer))]


def _given(engine: str, wanted: int) -> int:
    return wanted if engine in {"squidmesh", "journal"} else wanted // SHARE


def _probe(server: str, *words: object) -> Figures:
    """Measure in a process of its own, on a database of its own."""
    with fresh_database(server) as url:
        return _run(url, *words)


def _run(url: str, *words: object) -> Figures:
    return measured_by("benchmarks.postgres.probe", url, *words)
