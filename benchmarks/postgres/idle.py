"""A worker process that has nothing to do: its statements, by the clock."""

import resource
import time
from collections import Counter

from benchmarks.postgres.jobs import OneStep
from benchmarks.postgres.tracing import Traced, trace
from squidmesh import Mesh

#: Seconds until a worker that finds nothing has come to its longest rest.
SETTLING = 20.0


def idle(url: str, seconds: int) -> dict[str, float]:
    """Statements, and milliseconds of CPU, in a minute, of a worker with its defaults."""
    traced: Traced = Counter()
    trace(traced)
    with Mesh.open(url, workflows=[OneStep]) as mesh, mesh.worker():
        time.sleep(SETTLING)
        before, cpu = traced["statements"], time.process_time()
        time.sleep(seconds)
        statements, cpu = traced["statements"] - before, time.process_time() - cpu
    minutes = seconds / 60
    return {
        "statements_per_minute": statements / minutes,
        "cpu_ms_per_minute": cpu * 1e3 / minutes,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
