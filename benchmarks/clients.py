"""
Clients, by threads or by tasks of one loop: each starts one run after another and waits for it.

All engines get the same clients, the same steps and a fresh place to keep them.
"""

import asyncio
import resource
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from benchmarks.samples import spread

#: Runs before the clock starts: caches fill, threads start, pools open.
WARM_UP: Final = 10
#: Carries one run, told apart by a number, from its start to its end.
CarryRun = Callable[[int], None]
#: The same, awaited.
AwaitRun = Callable[[int], Awaitable[None]]


def measured(carry: CarryRun, *, concurrency: int, runs: int, steps: int) -> dict[str, float]:
    """Steps per second, CPU and peak memory of so many runs of so many steps."""
    _drive(carry, min(concurrency, WARM_UP), WARM_UP)
    began, cpu = time.perf_counter(), time.process_time()
    samples = _drive(carry, concurrency, runs)
    return _figures(samples, runs * steps, time.perf_counter() - began, time.process_time() - cpu)


async def measured_on_loop(
    carry: AwaitRun, *, concurrency: int, runs: int, steps: int
) -> dict[str, float]:
    """The same of the tasks of the running loop."""
    await _drive_on_loop(carry, min(concurrency, WARM_UP), WARM_UP)
    began, cpu = time.perf_counter(), time.process_time()
    samples = await _drive_on_loop(carry, concurrency, runs)
    return _figures(samples, runs * steps, time.perf_counter() - began, time.process_time() - cpu)


def _figures(samples: list[float], steps: int, took: float, cpu: float) -> dict[str, float]:
    return {
        "steps_per_s": steps / took,
        "cpu_us_per_step": cpu / steps * 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **spread("run_ms", samples),
    }


async def _drive_on_loop(carry: AwaitRun, clients: int, runs: int) -> list[float]:
    numbers, samples = iter(range(runs)), list[float]()

    async def client() -> None:
        for number in numbers:
            began = time.perf_counter()
            await carry(number)
            samples.append((time.perf_counter() - began) * 1e3)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    return samples


def _drive(carry: CarryRun, clients: int, runs: int) -> list[float]:
    numbers, lock = iter(range(runs)), threading.Lock()
    failures, samples = list[Exception](), list[float]()

    def client() -> None:
        try:
            while (number := _next(numbers, lock)) is not None:
                began = time.perf_counter()
                carry(number)
                samples.append((time.perf_counter() - began) * 1e3)
        except Exception as error:  # raised where the measurement was asked for
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return samples


def _next(numbers: Iterator[int], lock: threading.Lock) -> int | None:
    with lock:
        return next(numbers, None)
