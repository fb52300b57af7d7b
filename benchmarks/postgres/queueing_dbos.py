"""
DBOS: enqueued by its client, drained by its queue.

One process works with its defaults, which served it best; several look more often and
are bounded, or the first one would take everything.
"""

import os
import signal
import sys
import threading
from typing import Final

from dbos import DBOS, DBOSClient, EnqueueOptions

from benchmarks.postgres.queueing import SLOTS, by_clients

QUEUE: Final = "jobs"
WORKFLOW: Final = "one_step"
#: Seconds between the looks of one of several processes.
OFTEN: Final = 0.05


def prepare(url: str) -> None:
    """Make the tables."""
    _dbos(url)
    DBOS.launch()
    DBOS.destroy()


def enqueue(url: str, runs: int) -> None:
    """Enqueue so many workflows of one step."""
    client = DBOSClient(system_database_url=url)
    options: EnqueueOptions = {"queue_name": QUEUE, "workflow_name": WORKFLOW}
    try:
        by_clients(lambda place: client.enqueue(options, place), runs)
    finally:
        client.destroy()


def work(url: str, processes: int) -> None:
    """Work until this process is told to stop."""
    _dbos(url)
    durable = DBOS.step()(_add_one)

    def one_step(number: int) -> object:
        return durable(number)

    DBOS.workflow(name=WORKFLOW)(one_step)
    DBOS.launch()
    if processes == 1:
        DBOS.register_queue(QUEUE)
    else:
        DBOS.register_queue(QUEUE, worker_concurrency=SLOTS, polling_interval_sec=OFTEN)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    stopped.wait()
    os._exit(0)  # nothing here is worth its own drain


def _add_one(number: int) -> int:
    return number + 1


def _dbos(url: str) -> None:
    # Processes of the same name would take each other's work for their own after a crash.
    name = str(os.getpid())
    DBOS(
        config={
            "name": "jobs",
            "system_database_url": url,
            "log_level": "ERROR",
            "executor_id": name,
            "application_version": "1",
        }
    )


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
