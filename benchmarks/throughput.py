"""
Steps per second, from the call that starts a run to its end.

So many client threads start one run after another and wait for each to end;
both engines get the same clients, the same steps and a fresh SQLite file.
"""

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.five_steps import STEPS, FiveSteps, Job, add_one
from squidmesh import Mesh

#: Runs before the clock starts: caches fill, threads start, pools open.
WARM_UP: Final = 10
#: Carries one run, told apart by a number, from its start to its end.
CarryRun = Callable[[int], None]


def squidmesh(folder: Path, concurrency: int, runs: int) -> dict[str, object]:
    """Squidmesh: a worker with as many slots as there are clients."""
    with ExitStack() as stack:
        mesh = stack.enter_context(
            Mesh.open(f"sqlite:///{folder / 'squidmesh.db'}", workflows=[FiveSteps])
        )
        stack.enter_context(mesh.worker(concurrency=concurrency))

        def carry(number: int) -> None:
            run = mesh.wait_for(mesh.start(FiveSteps.go, Job(number)))
            if run.status != "completed":
                raise RuntimeError(f"run {run.id} is {run.status}")

        return _measured(carry, concurrency, runs)


def dbos(folder: Path, concurrency: int, runs: int) -> dict[str, object]:
    """DBOS: the workflow called on the client's thread, the quickest of its ways."""
    from dbos import DBOS

    file = folder / "dbos.db"
    DBOS(config={"name": "five-steps", "system_database_url": f"sqlite:///{file}"})
    durable = DBOS.step()(add_one)

    def five_steps(number: int) -> int:
        for _ in range(STEPS):
            number = durable(number)
        return number

    workflow = DBOS.workflow()(five_steps)
    DBOS.launch()

    def carry(number: int) -> None:
        if workflow(number) != number + STEPS:
            raise RuntimeError(f"the workflow of {number} went wrong")

    try:
        return _measured(carry, concurrency, runs)
    finally:
        DBOS.destroy()


def _measured(carry: CarryRun, concurrency: int, runs: int) -> dict[str, object]:
    _drive(carry, min(concurrency, WARM_UP), WARM_UP)
    began, cpu = time.perf_counter(), time.process_time()
    _drive(carry, concurrency, runs)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "steps_per_s": runs * STEPS / took,
        "cpu_us_per_step": cpu / (runs * STEPS) * 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _drive(carry: CarryRun, clients: int, runs: int) -> None:
    numbers, lock = iter(range(runs)), threading.Lock()
    failures: list[Exception] = []

    def client() -> None:
        try:
            while (number := _next(numbers, lock)) is not None:
                carry(number)
        except Exception as error:  # raised where the measurement was asked for
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _next(numbers: Iterator[int], lock: threading.Lock) -> int | None:
    with lock:
        return next(numbers, None)
