"""DBOS on an event loop: workflows awaited by tasks."""

from collections.abc import Awaitable, Callable
from typing import cast

from dbos import DBOS

from benchmarks.clients import measured_on_loop
from benchmarks.throughput_dbos import STEPS


async def whole_workflows(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """Whole workflows, awaited."""
    workflow = _launched(url)

    async def carry(number: int) -> None:
        if await workflow(number) != number + STEPS:
            raise RuntimeError(f"the workflow of {number} went wrong")

    try:
        return await measured_on_loop(carry, concurrency=concurrency, runs=runs, steps=STEPS)
    finally:
        DBOS.destroy()


def _launched(url: str) -> Callable[[int], Awaitable[int]]:
    DBOS(config={"name": "five-steps", "system_database_url": url, "log_level": "ERROR"})

    async def add_one(number: int) -> int:
        return number + 1

    durable = DBOS.step()(add_one)

    async def five_steps(number: int) -> int:
        for _ in range(STEPS):
            number = await durable(number)
        return number

    workflow = DBOS.workflow()(five_steps)
    DBOS.launch()
    return cast("Callable[[int], Awaitable[int]]", workflow)
