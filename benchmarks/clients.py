"""
Client threads: each starts one run after another and waits for it to end.

Both engines get the same clients, the same steps and a fresh SQLite file.
"""

import resource
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

#: Runs before the clock starts: caches fill, threads start, pools open.
WARM_UP: Final = 10
#: Carries one run, told apart by a number, from its start to its end.
CarryRun = Callable[[int], None]


def measured(carry: CarryRun, *, concurrency: int, runs: int, steps: int) -> dict[str, float]:
    """Steps per second, CPU and peak memory of so many runs of so many steps."""
    _drive(carry, min(concurrency, WARM_UP), WARM_UP)
    began, cpu = time.perf_counter(), time.process_time()
    _drive(carry, concurrency, runs)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {
        "steps_per_s": runs * steps / took,
        "cpu_us_per_step": cpu / (runs * steps) * 1e6,
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
