"""One run that opens out into two thousand parallel steps and closes again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks.five_steps import Job, add_one
from benchmarks.postgres import on_loop
from benchmarks.postgres.server import reading
from squidmesh import AsyncMesh, Mesh, Trigger, Workflow, WorkflowBuilder, manual, step

#: Steps of the run, as many as a definition may have: the first, those beside each
#: other, the last.
STEPS: Final = 2_000
#: Steps at once.
SLOTS: Final = 32

#: What each of them calls.
AddOne = Callable[[int], int | Awaitable[int]]


def fan(url: str, mode: str) -> dict[str, float]:
    """Steps per second and commits per step of one such run."""
    carry = _by_threads if mode == "threads" else lambda url: asyncio.run(_on_loop(url))
    Mesh.open(url).close()  # the tables are there before anything is counted
    before = reading(url)
    took = carry(url)
    commits = reading(url).commits - before.commits
    return {"steps_per_s": STEPS / took, "run_s": took, "commits_per_step": commits / STEPS}


def _by_threads(url: str) -> float:
    workflow, go = _opening_out(add_one)
    with Mesh.open(url, workflows=[workflow]) as mesh, mesh.worker(concurrency=SLOTS):
        began = time.perf_counter()
        run = mesh.wait_for(mesh.start(go, Job(0)))
        return _took(began, run.status)


async def _on_loop(url: str) -> float:
    workflow, go = _opening_out(on_loop.add_one)
    async with (
        AsyncMesh.open(url, workflows=[workflow]) as mesh,
        mesh.worker(concurrency=SLOTS),
    ):
        began = time.perf_counter()
        run = await mesh.wait_for(await mesh.start(go, Job(0)))
        return _took(began, run.status)


def _opening_out(fn: AddOne) -> tuple[type[Workflow], Trigger[Job]]:
    """The workflow, and its trigger."""
    made = WorkflowBuilder("benchmarks.fan")
    go = made.trigger("go", manual(Job))
    first = made.add("first", step(fn).takes(go.payload.number))
    beside = [
        made.add(f"beside_{place}", step(fn, after=[first]).takes(go.payload.number))
        for place in range(STEPS - 2)
    ]
    made.add("last", step(fn, after=beside).takes(go.payload.number))
    return made.build(), go


def _took(began: float, status: str) -> float:
    if status != "completed":
        raise RuntimeError(f"the run is {status}")
    return time.perf_counter() - began
