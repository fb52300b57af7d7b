"""
What a step costs whatever the machine: appends, commits, statements, bytes.

One client and one slot, with every statement traced; so nothing is timed here.
"""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.five_steps import STEPS, FiveSteps, Job
from squidmesh import Mesh


def costs(folder: Path, runs: int) -> dict[str, float]:
    """Costs per step of runs that follow each other."""
    file = folder / "costs.db"
    traced: Counter[str] = Counter()
    _trace(traced)
    with (
        Mesh.open(f"sqlite:///{file}", workflows=[FiveSteps]) as mesh,
        mesh.worker(concurrency=1),
    ):
        mesh.wait_for(mesh.start(FiveSteps.go, Job(0)))
        before, size = _written(file), _size(file)
        traced.clear()
        for number in range(runs):
            mesh.wait_for(mesh.start(FiveSteps.go, Job(number)))
        seen = Counter(traced)
        after, grown = _written(file), _size(file) - size
    steps = runs * STEPS
    return {
        "appends_per_step": (after[0] - before[0]) / steps,
        "entries_per_step": (after[1] - before[1]) / steps,
        "commits_per_step": seen["begin immediate"] / steps,
        "statements_per_step": seen.total() / steps,
        "body_bytes_per_step": (after[2] - before[2]) / steps,
        "file_bytes_per_step": grown / steps,
    }


def _trace(traced: "Counter[str]") -> None:
    """Count the statements of every connection that is opened from now on."""
    connect = sqlite3.connect

    def connect_traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(lambda statement: traced.update((statement,)))
        return connection

    setattr(sqlite3, "connect", connect_traced)  # noqa: B010 - mypy takes no other function for it


def _written(file: Path) -> tuple[int, int, int]:
    """Appends, entries and bytes of bodies in a file."""
    query = "select count(*), sum(last - first + 1), sum(length(body)) from squidmesh_journal"
    connection = sqlite3.connect(file)
    try:
        appends, entries, size = connection.execute(query).fetchone()
    finally:
        connection.close()
    return appends, entries, size


def _size(file: Path) -> int:
    """Bytes of the file once the log is written back into it."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("pragma wal_checkpoint(truncate)")
    finally:
        connection.close()
    return file.stat().st_size
