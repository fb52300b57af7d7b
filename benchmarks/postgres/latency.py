"""From the start of a run until its result is seen, performed by another process, by defaults."""

import time
from collections.abc import Callable

from benchmarks.five_steps import Job
from benchmarks.postgres.jobs import OneStep
from benchmarks.postgres.workers import peers, squidmesh_work
from benchmarks.samples import spread
from squidmesh import Mesh

#: Seconds between two starts: the worker rests again.
PAUSE = 0.05


def latency(url: str, engine: str, runs: int) -> dict[str, float]:
    """Milliseconds of so many runs, one after another."""
    return _dbos(url, runs) if engine == "dbos" else _squidmesh(url, runs)


def _squidmesh(url: str, runs: int) -> dict[str, float]:
    with Mesh.open(url, workflows=[OneStep]) as mesh, squidmesh_work(url):

        def carry(number: int) -> None:
            mesh.wait_for(mesh.start(OneStep.go, Job(number)), timeout="60s")

        return spread("ms", _samples(carry, runs))


def _dbos(url: str, runs: int) -> dict[str, float]:
    from dbos import DBOSClient, EnqueueOptions

    from benchmarks.postgres import queueing_dbos as dbos

    dbos.prepare(url)
    client = DBOSClient(system_database_url=url)
    options: EnqueueOptions = {"queue_name": dbos.QUEUE, "workflow_name": dbos.WORKFLOW}

    def carry(number: int) -> None:
        client.enqueue(options, number).get_result()

    with peers(dbos.__name__, url, 1):
        return spread("ms", _samples(carry, runs))


def _samples(carry: Callable[[int], None], runs: int) -> list[float]:
    carry(0)  # the worker is there
    samples = []
    for number in range(runs):
        time.sleep(PAUSE)
        began = time.perf_counter()
        carry(number)
        samples.append((time.perf_counter() - began) * 1e3)
    return samples
