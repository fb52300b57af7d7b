"""procrastinate: deferred one by one, performed by its worker on an event loop."""

import asyncio
import sys
from typing import Final

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from benchmarks.postgres.queueing import CLIENTS, SLOTS, by_clients

TASK: Final = "add_one"


def prepare(url: str) -> None:
    """Make the tables."""
    with _app(url).open() as app:
        app.schema_manager.apply_schema()


def enqueue(url: str, runs: int) -> None:
    """Defer so many jobs, one by one."""
    with _app(url).open() as app:
        deferrer = app.configure_task(TASK)
        by_clients(lambda place: deferrer.defer(number=place), runs)


async def work(url: str) -> None:
    """Work until this process is told to stop."""
    app = App(connector=PsycopgConnector(conninfo=url))

    async def add_one(number: int) -> int:
        return number + 1

    app.task(add_one, name=TASK)
    async with app.open_async():
        await app.run_worker_async(concurrency=SLOTS)


def _app(url: str) -> App:
    return App(connector=SyncPsycopgConnector(conninfo=url, max_size=CLIENTS))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
