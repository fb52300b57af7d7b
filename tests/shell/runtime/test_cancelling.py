"""Running steps learn that nobody wants their result, or that it will be undone."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from attrs import evolve

from squidmesh import Context, Defer, Fail, Mesh, Run
from squidmesh.ports import Ports
from support.stage import Stage, does
from support.workflows import chain, workflow
from support.workflows import step as node

SIDE_BY_SIDE = workflow(
    evolve(node("book", output="book"), compensate="do.unbook"),
    node("pay"),
    node("ship", after=("book", "pay")),
)


def test_a_step_is_told_that_its_run_undoes_and_its_result_still_counts(stage: Stage) -> None:
    """`ctx.cancelled`, not `ctx.lost`: what it finishes is taken in, and undone."""
    seen: list[object] = []
    inside = threading.Event()

    def book(ctx: Context) -> str:
        inside.set()
        while not ctx.cancelled:
            pass
        seen.append((ctx.cancelled, ctx.lost))
        return "seat 7"

    def pay() -> None:
        assert inside.wait(60)
        raise Fail("card declined")

    def unbook(done: str) -> None:
        seen.append(done)

    mesh = stage.mesh()
    actions = does(book=book, pay=pay, unbook=unbook, ship=lambda: None)
    run = mesh.start_spec(SIDE_BY_SIDE, "placed", {}, actions=actions)
    with mesh.worker(concurrency=2, lease="60ms"):
        mesh.wait_for(run, timeout="60s")

    snapshot = mesh.inspect(run)
    assert [(True, False), "seat 7"] == seen
    assert ("failed", "seat 7") == (snapshot.status, snapshot.context["book"])
    assert snapshot.compensation is not None
    assert ["compensated"] == [one.status for one in snapshot.compensation.steps]


def test_a_callback_is_not_told_to_stop(stage: Stage) -> None:
    """It is what the run now wants; its heartbeats say nothing else."""
    seen: list[bool] = []
    beaten = threading.Event()

    def unbook(ctx: Context, done: str) -> None:
        beaten.wait(60)
        seen.append(ctx.cancelled)

    mesh = stage.mesh()
    actions = does(book=lambda: "seat 7", pay=fails, unbook=unbook, ship=lambda: None)
    run = mesh.start_spec(SIDE_BY_SIDE, "placed", {}, actions=actions)
    with mesh.worker(concurrency=1, lease="60ms"):
        while "attempt_heartbeat" not in [entry.type for entry in mesh.journal(run)]:
            pass
        beaten.set()
        mesh.wait_for(run, timeout="60s")

    assert [False] == seen


def fails() -> None:
    raise Fail("card declined")


# --- with a clock that only the test moves

UNDOABLE = chain(node("book", output="book", compensate=True), node("ship"))
#: Seconds on the test's clock from one heartbeat to the next.
A_THIRD = 20.0


class Ticks:
    """A monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def beating(stage: Stage) -> tuple[Mesh, Callable[[], None]]:
    """A mesh, and what makes the heartbeats of its steps come due."""
    ticks = Ticks()
    mesh = stage.mesh(ports=Ports(monotonic=ticks))

    def beat() -> None:
        ticks.now += A_THIRD
        for beats in mesh.engine._here.heartbeats.values():
            beats.beat_due()

    return mesh, beat


def begun(mesh: Mesh, book: Callable[..., object], unbook: Callable[..., object]) -> Run:
    """A run whose booking can be undone."""
    actions = does(book=book, ship=lambda: None)
    actions.add("undo.book", unbook)
    return mesh.start_spec(UNDOABLE, "placed", {}, actions=actions)


@pytest.mark.parametrize("is_async", [True, False])
def test_a_cancelled_run_reaches_its_running_step(stage: Stage, is_async: bool) -> None:
    """By the next heartbeat: both flags are up, an async step is interrupted, nothing is kept."""
    mesh, beat = beating(stage)
    seen: list[tuple[bool, bool]] = []
    finished: list[str] = []

    def book(ctx: Context) -> str:
        stage.mesh().cancel(ctx.run_id)
        beat()
        seen.append((ctx.lost, ctx.cancelled))
        finished.append("book")
        return "too late"

    async def book_async(ctx: Context) -> str:
        stage.mesh().cancel(ctx.run_id)
        try:
            await asyncio.to_thread(beat)
            await asyncio.Event().wait()
        finally:
            seen.append((ctx.lost, ctx.cancelled))
        return "never"

    run = begun(mesh, book_async if is_async else book, lambda done: None)
    mesh.drain()

    snapshot = mesh.inspect(run)
    assert (("cancelled", {}), [(True, True)]) == ((snapshot.status, snapshot.context), seen)
    assert ([] if is_async else ["book"]) == finished


def test_an_async_step_of_a_run_that_undoes_is_told_and_not_interrupted(stage: Stage) -> None:
    """Its result counts, so it may come to its end; and the lease is kept meanwhile."""
    mesh, beat = beating(stage)
    seen: list[object] = []

    async def book(ctx: Context) -> str:
        mesh.cancel(ctx.run_id, by="olga", compensate=True)
        stage.clock.advance(A_THIRD)
        await asyncio.to_thread(beat)
        seen.append((ctx.lost, ctx.cancelled))
        await asyncio.sleep(0)
        return "seat 7"

    run = begun(mesh, book, lambda done: seen.append(done))  # noqa: PLW0108  # by name, not by position
    mesh.drain()

    assert ("cancelled", [(False, True), "seat 7"]) == (mesh.inspect(run).status, seen)
    assert "attempt_heartbeat" in [entry.type for entry in mesh.journal(run)]


@pytest.mark.parametrize("ending", [Fail("stopped half-way"), Defer("not now", for_="1s")])
def test_what_stops_half_way_is_listed_and_not_undone(stage: Stage, ending: Exception) -> None:
    """Nobody knows what it did: a person must look; a deferral is no way back in."""
    mesh, beat = beating(stage)
    seen: list[object] = []

    def book(ctx: Context) -> object:
        mesh.cancel(ctx.run_id, by="olga", compensate=True)
        beat()
        seen.append(ctx.cancelled)  # an assertion here would be the step's failure
        return ending

    def unbook(done: str) -> None:
        seen.append(done)

    run = begun(mesh, book, unbook)

    assert 1 == mesh.drain()
    compensation = mesh.inspect(run).compensation
    assert compensation is not None
    assert [True] == seen
    assert [("book", "effect_unknown")] == [(one.step, one.reason) for one in compensation.recovery]


def test_a_callback_is_told_when_undoing_is_abandoned(stage: Stage) -> None:
    """Then the run is over, and what it was doing is listed."""
    mesh, beat = beating(stage)
    seen: list[tuple[bool, bool]] = []

    def unbook(ctx: Context, done: str) -> None:
        beat()
        seen.append((ctx.lost, ctx.cancelled))
        mesh.cancel(run, by="olga", abandon=True)
        beat()
        seen.append((ctx.lost, ctx.cancelled))

    run = begun(mesh, lambda: "seat 7", unbook)
    mesh.drain(limit=1)
    mesh.cancel(run, by="olga", compensate=True)
    mesh.drain()

    compensation = mesh.inspect(run).compensation
    assert compensation is not None
    assert [(False, False), (True, True)] == seen
    assert ["abandoned"] == [one.reason for one in compensation.recovery]


def test_a_draining_worker_lets_its_steps_finish_undisturbed(stage: Stage) -> None:
    """What they return is recorded, so they must not be told to stop half-way."""
    seen: list[bool] = []
    asked = threading.Event()
    mesh, beat = beating(stage)
    worker = mesh.worker(concurrency=1)

    def book(ctx: Context) -> str:
        worker.drain_soon()
        beat()
        seen.append(ctx.cancelled)
        asked.set()
        return "seat 7"

    with worker:
        run = begun(mesh, book, lambda done: None)
        assert asked.wait(60)

    assert ([False], {"book": "seat 7"}) == (seen, mesh.inspect(run).context)
    assert "attempt_visible" == mesh.inspect(run).reason
