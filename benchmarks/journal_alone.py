"""
The journal alone: the appends of such runs, decided beforehand, and nothing else.

So fast would an engine be that keeps the same facts in the same way if deciding,
performing and waiting cost it nothing: what is between this and squidmesh is Python.
"""

import gc
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.clients import WARM_UP, measured, measured_on_loop
from benchmarks.five_steps import STEPS, FiveSteps, Job
from squidmesh import AsyncMesh, Mesh
from squidmesh.aio.committer import Committer
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Batch, Committed, Outcome
from squidmesh_storage.memory import MemoryJournal

#: The appends of one run, in order.
Appends = list[Batch]


class Recorded(MemoryJournal):
    """Remembers what was appended to which run."""

    def __init__(self) -> None:
        super().__init__()
        self.of_run: dict[RunId, Appends] = {}

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append, and remember it."""
        for batch in batches:
            self.of_run.setdefault(batch.record.run_id, []).append(batch)
        return super().append(batches)


def by_threads(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """The appends of whole runs, each sent once the one before is durable."""
    wanted = decided(runs + WARM_UP)
    with Mesh.open(url, workflows=[FiveSteps]) as mesh:
        journal = mesh.door.journal

        def carry(_: int) -> None:
            for batch in wanted.popleft():
                check(journal.append([batch]))

        return measured(carry, concurrency=concurrency, runs=runs, steps=STEPS)


async def on_loop(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """The same by tasks of one loop, which share the rounds of a committer."""
    wanted = decided(runs + WARM_UP)
    async with AsyncMesh.open(url, workflows=[FiveSteps]) as mesh:
        committer = Committer(mesh.engine.door.journal.append)

        async def carry(_: int) -> None:
            for batch in wanted.popleft():
                check(await committer.append([batch]))

        return await measured_on_loop(carry, concurrency=concurrency, runs=runs, steps=STEPS)


def decided(runs: int) -> deque[Appends]:
    """What so many runs append, as a worker with a free slot at each start decides it."""
    recorded, found = Recorded(), deque[Appends]()
    with Mesh(recorded, workflows=[FiveSteps]) as mesh, mesh.worker(concurrency=1):
        while len(found) < runs:
            run = mesh.wait_for(mesh.start(FiveSteps.go, Job(len(found))))
            appends = recorded.of_run.pop(RunId(run.id))
            if all(old.record.last == new.expected for old, new in pairwise(appends)):
                found.append(appends)  # of any other the first claim was no such append
    gc.collect()
    gc.freeze()  # what was recorded is no garbage, and not to be looked at while we measure
    return found


def check(outcomes: Sequence[Outcome]) -> None:
    """
    See that all was appended.

    Raises:
        TypeError: Something was not.
    """
    for outcome in outcomes:
        if not isinstance(outcome, Committed):
            raise TypeError(f"this was not appended: {outcome}")
