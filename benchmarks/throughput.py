"""Squidmesh: a worker with as many slots as there are clients."""

from pathlib import Path

from benchmarks.clients import measured
from benchmarks.five_steps import STEPS, FiveSteps, Job
from squidmesh import Mesh


def squidmesh(folder: Path, concurrency: int, runs: int) -> dict[str, float]:
    """Whole runs on a fresh SQLite file."""
    return whole_runs(f"sqlite:///{folder / 'squidmesh.db'}", concurrency, runs)


def whole_runs(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """Whole runs, from the public `start` until `wait_for` returns."""
    with (
        Mesh.open(url, workflows=[FiveSteps]) as mesh,
        mesh.worker(concurrency=concurrency),
    ):

        def carry(number: int) -> None:
            run = mesh.wait_for(mesh.start(FiveSteps.go, Job(number)))
            if run.status != "completed":
                raise RuntimeError(f"run {run.id} is {run.status}")

        return measured(carry, concurrency=concurrency, runs=runs, steps=STEPS)
