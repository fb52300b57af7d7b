"""
Many runs of one step: enqueued by client threads, drained by worker processes.

The rate of a drain is taken from the instants at which each engine says that its runs
ended: from the first to the last, so no process's start is in it.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from attrs import frozen

from benchmarks.five_steps import Job
from benchmarks.postgres.jobs import OneStep
from benchmarks.postgres.server import number
from benchmarks.postgres.workers import peers, squidmesh_work
from squidmesh import Mesh

#: Threads that enqueue.
CLIENTS: Final = 8
#: Steps at once of each worker process.
SLOTS: Final = 32
#: Seconds after which a drain is taken for stuck.
LONGEST: Final = 600.0


@frozen(kw_only=True)
class Engine:
    """How an engine is given work, how its workers are opened, and where they tell of it."""

    #: Makes the tables at a URL.
    prepare: Callable[[str], None]
    #: Enqueues so many runs at a URL.
    enqueue: Callable[[str, int], None]
    #: So many worker processes at a URL, while the block lasts.
    working: Callable[[str, int], AbstractContextManager[object]]
    #: How many runs have ended.
    ended: str
    #: Seconds from the first end to the last.
    took: str


def queue(url: str, engine: str, processes: int, runs: int) -> dict[str, float]:
    """Runs per second, enqueued and then drained."""
    tested = _engine(engine)
    tested.prepare(url)
    began = time.perf_counter()
    tested.enqueue(url, runs)
    enqueued = runs / (time.perf_counter() - began)
    with tested.working(url, processes):
        _await(url, tested, runs)
    return {
        "enqueued_per_s": enqueued,
        "drained_per_s": (runs - 1) / number(url, tested.took),
    }


def by_clients(enqueue: Callable[[int], object], runs: int) -> None:
    """Enqueue with several threads."""

    def client(first: int) -> None:
        for place in range(first, runs, CLIENTS):
            enqueue(place)

    threads = [threading.Thread(target=client, args=(first,)) for first in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _enqueue(url: str, runs: int) -> None:
    with Mesh.open(url, workflows=[OneStep]) as mesh:
        by_clients(lambda place: mesh.start(OneStep.go, Job(place)), runs)


def _work(url: str, processes: int) -> AbstractContextManager[object]:
    return squidmesh_work(url, "--processes", processes, "--concurrency", SLOTS)


def _engine(name: str) -> Engine:
    match name:
        case "squidmesh":
            return Engine(
                prepare=lambda url: Mesh.open(url).close(),
                enqueue=_enqueue,
                working=_work,
                ended="select count(*) from squidmesh.runs where status = 'completed'",
                took="select extract(epoch from max(ended_at) - min(ended_at)) from squidmesh.runs",
            )
        case "dbos":
            from benchmarks.postgres import queueing_dbos

            return Engine(
                prepare=queueing_dbos.prepare,
                enqueue=queueing_dbos.enqueue,
                working=lambda url, processes: peers(queueing_dbos.__name__, url, processes),
                ended="select count(*) from dbos.workflow_status where status = 'SUCCESS'",
                took="select (max(updated_at) - min(updated_at)) / 1e3 from dbos.workflow_status",
            )
        case "procrastinate":
            from benchmarks.postgres import queueing_procrastinate

            return Engine(
                prepare=queueing_procrastinate.prepare,
                enqueue=queueing_procrastinate.enqueue,
                working=lambda url, count: peers(queueing_procrastinate.__name__, url, count),
                ended="select count(*) from procrastinate_jobs where status = 'succeeded'",
                took="select extract(epoch from max(at) - min(at)) from procrastinate_events"
                " where type = 'succeeded'",
            )
        case _:
            raise SystemExit(f"nobody is {name}")


def _await(url: str, engine: Engine, runs: int) -> None:
    until = time.monotonic() + LONGEST
    while number(url, engine.ended) < runs:
        if time.monotonic() > until:
            raise RuntimeError("the queue is not drained")
        time.sleep(0.2)
