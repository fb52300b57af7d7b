"""
What a step costs whatever the machine: appends, commits, statements, bytes.

One client and one slot, with every statement traced; so nothing is timed here.
"""

from collections import Counter
from pathlib import Path

from benchmarks.five_steps import STEPS, FiveSteps, Job
from benchmarks.tracing import Traced, size_of, trace, written
from squidmesh import Mesh


def costs(folder: Path, runs: int) -> dict[str, float]:
    """Costs per step of runs that follow each other."""
    file = folder / "costs.db"
    traced: Traced = Counter()
    trace(traced)
    with (
        Mesh.open(f"sqlite:///{file}", workflows=[FiveSteps]) as mesh,
        mesh.worker(concurrency=1),
    ):
        mesh.wait_for(mesh.start(FiveSteps.go, Job(0)))
        before, size = written(file), size_of(file)
        traced.clear()
        for number in range(runs):
            mesh.wait_for(mesh.start(FiveSteps.go, Job(number)))
        seen = Counter(traced)
        after, grown = written(file), size_of(file) - size
    steps = runs * STEPS
    return {
        "appends_per_step": (after[0] - before[0]) / steps,
        "entries_per_step": (after[1] - before[1]) / steps,
        "commits_per_step": seen["commits"] / steps,
        "statements_per_step": seen["statements"] / steps,
        "body_bytes_per_step": (after[2] - before[2]) / steps,
        "file_bytes_per_step": grown / steps,
    }
