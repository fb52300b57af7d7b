"""What a worker process holds on to, after many steps."""

import threading
import time
from pathlib import Path
from typing import Final

from benchmarks.five_steps import STEPS, Job
from benchmarks.postgres.jobs import FiveSteps
from benchmarks.postgres.queueing import SLOTS, by_clients
from benchmarks.postgres.server import number
from benchmarks.postgres.workers import squidmesh_work
from squidmesh import Mesh

_ENDED: Final = "select count(*) from squidmesh.runs where status = 'completed'"
#: Seconds after which the work is taken for stuck.
LONGEST: Final = 900.0


def memory(url: str, steps: int) -> dict[str, float]:
    """Resident megabytes of `squidmesh work` after half of the steps, and after all."""
    runs = steps // STEPS
    with (
        Mesh.open(url, workflows=[FiveSteps]) as mesh,
        squidmesh_work(url, "--concurrency", SLOTS) as worker,
    ):

        def feed() -> None:
            by_clients(lambda place: mesh.start(FiveSteps.go, Job(place)), runs)

        feeding = threading.Thread(target=feed)
        feeding.start()
        _await(url, runs // 2)
        half = _resident_mb(worker.pid)
        feeding.join()
        _await(url, runs)
        whole = _resident_mb(worker.pid)
    return {"mb_after_half": half, "mb_after_all": whole, "growth_mb": whole - half}


def _await(url: str, runs: int) -> None:
    until = time.monotonic() + LONGEST
    while number(url, _ENDED) < runs:
        if time.monotonic() > until:
            raise RuntimeError("the worker does not get on")
        time.sleep(0.2)


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20
