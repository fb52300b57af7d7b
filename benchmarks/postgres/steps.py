"""
Runs of five steps: how many steps a second, and what each of them writes.

Statements are counted where they are handed to the driver (squidmesh's only: DBOS has
another way to it); everything else is counted by the server, and nobody else uses that
meanwhile.
"""

import asyncio
from collections import Counter
from typing import Final

from benchmarks.clients import WARM_UP
from benchmarks.five_steps import STEPS
from benchmarks.postgres.server import reading, settled
from benchmarks.postgres.tracing import Traced, trace

#: Threads or an event loop, and how many clients it has.
MODES: Final = (("threads", 1), ("threads", 8), ("threads", 32), ("asyncio", 32))


def steps(url: str, engine: str, mode: str, concurrency: int, runs: int) -> dict[str, float]:
    """Steps per second, CPU, memory, and how often each step was committed."""
    before = reading(url)
    figures = _carried(url, engine, mode, concurrency, runs)
    commits = reading(url).commits - before.commits
    return {**figures, "commits_per_step": commits / _steps(runs)}


def costs(url: str, engine: str, mode: str, concurrency: int, runs: int) -> dict[str, float]:
    """Commits, rows, bytes of log and statements per step, on tables that are there."""
    traced: Traced = Counter()
    trace(traced)
    before = settled(url)
    traced.clear()
    _carried(url, engine, mode, concurrency, runs)
    statements, count = traced["statements"], _steps(runs)
    after = settled(url)
    return {
        "commits_per_step": (after.commits - before.commits) / count,
        **({"statements_per_step": statements / count} if engine == "squidmesh" else {}),
        "rows_per_step": (after.rows - before.rows) / count,
        "wal_bytes_per_step": (after.wal - before.wal) / count,
    }


def _carried(url: str, engine: str, mode: str, concurrency: int, runs: int) -> dict[str, float]:
    # Each loads only what it needs: the others would show in its memory.
    match engine, mode:
        case "squidmesh", "threads":
            from benchmarks.throughput import whole_runs

            return whole_runs(url, concurrency, runs)
        case "squidmesh", "asyncio":
            from benchmarks.postgres import on_loop

            return asyncio.run(on_loop.whole_runs(url, concurrency, runs))
        case "journal", "threads":
            from benchmarks.journal_alone import by_threads

            return by_threads(url, concurrency, runs)
        case "journal", "asyncio":
            from benchmarks import journal_alone

            return asyncio.run(journal_alone.on_loop(url, concurrency, runs))
        case "least", "threads":
            from benchmarks import least_engine

            return least_engine.by_threads(url, concurrency, runs)
        case "least", "asyncio":
            from benchmarks import least_engine

            return asyncio.run(least_engine.on_loop(url, concurrency, runs))
        case "dbos", "threads":
            from benchmarks.throughput_dbos import whole_workflows

            return whole_workflows(url, concurrency, runs)
        case "dbos", "asyncio":
            from benchmarks.postgres import on_loop_dbos

            return asyncio.run(on_loop_dbos.whole_workflows(url, concurrency, runs))
        case _:
            raise SystemExit(f"nobody is {engine} by {mode}")


def _steps(runs: int) -> int:
    return (runs + WARM_UP) * STEPS
