"""DBOS: the workflow called on the client's thread, the quickest of its ways."""

from pathlib import Path
from typing import Final

from dbos import DBOS

from benchmarks.clients import measured

#: Steps of one run.
STEPS: Final = 5


def add_one(number: int) -> int:
    """As little as a step can do."""
    return number + 1


def dbos(folder: Path, concurrency: int, runs: int) -> dict[str, float]:
    """Whole workflows on a fresh SQLite file."""
    return whole_workflows(f"sqlite:///{folder / 'dbos.db'}", concurrency, runs)


def whole_workflows(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """Whole workflows, from the call until it returns."""
    DBOS(config={"name": "five-steps", "system_database_url": url, "log_level": "ERROR"})
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
        return measured(carry, concurrency=concurrency, runs=runs, steps=STEPS)
    finally:
        DBOS.destroy()
