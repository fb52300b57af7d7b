"""
A worker that is told to stop: `stoppable.py <file> <how long>`.

Its first step says `begun`, and ends `when-asked`: as soon as the worker knows
that it is to drain; or `never`.
"""

import os
import sys
import threading

from squidmesh import Mesh, Worker, Workflow, manual, step

_workers: list[Worker] = []
_for_ever = threading.Event()


def first() -> int:
    """Work until the worker is asked to drain."""
    os.write(1, b"begun\n")
    if sys.argv[2] == "never":
        _for_ever.wait()
    while not _workers[0].asked_to_drain:
        os.sched_yield()
    return 1


def second() -> int:
    """Say that it was reached."""
    os.write(1, b"second\n")
    return 2


class Slow(Workflow, name="Slow"):
    """One step that takes its time, and one after it."""

    asked = manual()
    one = step(first, action="slow.first")
    two = step(second, action="slow.second")
    one.then(two)


def main() -> None:
    """Work until told to stop, then say so."""
    with Mesh.open(f"sqlite:///{sys.argv[1]}", workflows=[Slow]) as mesh:
        _workers.append(Worker(mesh, concurrency=1))
        _workers[0].run()
        os.write(1, b"drained\n")


if __name__ == "__main__":
    main()
