"""Squidmesh on an event loop: client tasks, and a worker with as many slots, on one loop."""

from benchmarks.clients import measured_on_loop
from benchmarks.five_steps import STEPS, Job
from squidmesh import AsyncMesh, Workflow, manual, step


async def add_one(number: int) -> int:
    """As little as a step of an event loop can do."""
    return number + 1


class FiveSteps(Workflow):
    """Add one, five times, on the event loop."""

    go = manual(Job)

    first = step(add_one).takes(go.payload.number)
    second = step(add_one).takes(first.out)
    third = step(add_one).takes(second.out)
    fourth = step(add_one).takes(third.out)
    fifth = step(add_one).takes(fourth.out)

    first.then(second).then(third).then(fourth).then(fifth)


async def whole_runs(url: str, concurrency: int, runs: int) -> dict[str, float]:
    """Whole runs of tasks, from the public `start` until `wait_for` returns."""
    async with (
        AsyncMesh.open(url, workflows=[FiveSteps]) as mesh,
        mesh.worker(concurrency=concurrency),
    ):

        async def carry(number: int) -> None:
            run = await mesh.wait_for(await mesh.start(FiveSteps.go, Job(number)))
            if run.status != "completed":
                raise RuntimeError(f"run {run.id} is {run.status}")

        return await measured_on_loop(carry, concurrency=concurrency, runs=runs, steps=STEPS)
