"""How meshes and workers end: who may wait for it, and what they wait for."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from squidmesh import Mesh, Notice, Refused, Run, Worker
from squidmesh.workers import eventloop
from squidmesh.workers.line import StepSignals
from squidmesh_storage.memory import MemoryJournal
from support.held import PATIENCE
from support.stage import Stage, begin
from support.workflows import chain, step

ONE = chain(step("a"))

#: A host that ends while its worker performs a step, and has stopped nothing.
HOST: Final = """
import sys, threading
from squidmesh import Mesh, Workflow, manual, step

inside = threading.Event()

def hold():
    inside.set()
    threading.main_thread().join()

class Held(Workflow, name="tests.Held"):
    asked = manual()
    held = step(hold, action="hold")

mesh = Mesh.open(sys.argv[1], workflows=[Held])
mesh.start(Held.asked)
worker = mesh.worker()
if sys.argv[2] == "start":
    worker.start()
else:
    threading.Thread(target=worker.run, daemon=True).start()
inside.wait()
sys.exit(3)
"""

#: A verb that waits for the steps of a worker, and its own name.
Ending = Callable[[Mesh, Worker], None]
ENDINGS: dict[str, Ending] = {
    "Worker.stop": lambda mesh, worker: worker.stop(),
    "Mesh.close": lambda mesh, worker: mesh.close(),
}


@pytest.fixture(params=ENDINGS)
def end(request: pytest.FixtureRequest) -> Ending:
    """Each of them."""
    return ENDINGS[request.param]


async def stubborn(leave: threading.Event) -> None:
    """Go on until it may leave, whoever cancels it."""
    while not leave.is_set():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.001)


def problem_of(mesh: Mesh, run: Run) -> str:
    """What the run has failed with."""
    error = mesh.inspect(run).error
    return "" if error is None else error.message


def test_a_step_cannot_wait_for_its_own_end(stage: Stage, end: Ending) -> None:
    """It is told so at once, and nothing was done: the worker goes on."""
    mesh = stage.mesh()
    with mesh.worker(concurrency=1) as worker:
        run = mesh.wait_for(begin(mesh, ONE, a=lambda: end(mesh, worker)), timeout="20s")

        assert "cannot wait for its own worker" in problem_of(mesh, run)
        assert mesh.workers()[0].takes_work


def test_an_async_step_cannot_wait_for_its_own_end(stage: Stage, end: Ending) -> None:
    """Nor hold up the loop that all the others run on."""
    mesh = stage.mesh()

    async def a() -> None:
        end(mesh, worker)

    with mesh.worker() as worker:
        run = mesh.wait_for(begin(mesh, ONE, a=a), timeout="20s")

        assert "cannot wait for its own worker" in problem_of(mesh, run)


def test_a_hook_cannot_wait_for_its_own_end(stage: Stage, end: Ending) -> None:
    """A worker lets the call that is on its way end, before it ends."""
    mesh, told, answers = stage.mesh(), threading.Event(), list[str]()

    @mesh.on("run_completed", name="end")
    def stop(notice: Notice) -> None:
        try:
            end(mesh, worker)
        except Refused as refused:
            answers.append(refused.code)
        told.set()

    with mesh.worker() as worker:
        begin(mesh, ONE, a=lambda: 1)
        assert told.wait(PATIENCE)

    assert ["waits_for_itself"] == answers


def test_a_step_may_ask_its_worker_to_drain(stage: Stage) -> None:
    """That waits for nothing; the step ends and is recorded."""
    mesh = stage.mesh()
    worker = mesh.worker().start()
    run = begin(mesh, ONE, a=worker.drain_soon)
    mesh.wait_for(run, timeout="20s")
    worker.stop()

    assert "completed" == mesh.inspect(run).status


def test_a_step_may_close_another_mesh(stage: Stage) -> None:
    """Whose workers it made itself: it is none of their steps."""
    mesh = stage.mesh()

    def a() -> str:
        inner = Mesh(MemoryJournal())
        with inner.worker():
            ended = inner.wait_for(begin(inner, chain(step("b")), b=lambda: 1), timeout="20s")
        inner.close()
        return ended.status

    with mesh.worker():
        run = mesh.wait_for(begin(mesh, chain(step("a", output="a")), a=a), timeout="20s")

    assert {"a": "completed"} == mesh.inspect(run).context


def test_an_async_step_that_does_not_stop_is_left_behind(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its time is over, and its worker can be stopped all the same; a warning names it."""
    monkeypatch.setattr(eventloop, "GRACE", 0.01)
    leave = threading.Event()
    mesh = stage.mesh()

    with mesh.worker(concurrency=1):
        run = begin(mesh, chain(evolve(step("a"), timeout_ms=1)), a=partial(stubborn, leave))
        mesh.wait_for(run, timeout="20s")
    leave.set()

    assert "stubborn() was told to stop and goes on; it is left behind" in caplog.messages


class Looked(Future[eventloop.Ending]):
    """A step that goes on at so many looks, and then ends."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def result(self, timeout: float | None = None) -> eventloop.Ending:
        """Nothing yet, or that it has ended."""
        self.looks -= 1
        if self.looks >= 0:
            raise TimeoutError
        return eventloop.Ending(value=7)


class Interrupted(StepSignals):
    """Of a step that was told to stop, and goes on."""

    ignored = True


def test_an_async_step_is_left_behind_at_the_second_look() -> None:
    """It may have been told just before the first, and be about to end."""
    assert eventloop.Ending(value=7) == eventloop._ending(Looked(1), None, Interrupted())
    with pytest.raises(TimeoutError):
        eventloop._ending(Looked(2), None, Interrupted())
    assert eventloop.Ending(value=7) == eventloop._ending(Looked(9), None, StepSignals())


def test_an_async_step_is_cancelled_when_its_thread_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its claim is given back: nobody else is to perform it beside this one."""
    inside, ended, loop = threading.Event(), threading.Event(), eventloop.EventLoop()

    async def held() -> None:
        inside.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def interrupted(*_: object) -> None:
        assert inside.wait(PATIENCE)
        raise KeyboardInterrupt

    monkeypatch.setattr(eventloop, "_ending", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.run(held(), StepSignals())

    assert ended.wait(PATIENCE)
    loop.close()


def test_what_an_async_step_leaves_running_does_not_hold_up_a_mesh_that_closes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is cancelled, and need not mind."""
    monkeypatch.setattr(eventloop, "GRACE", 0.01)
    tasks = list[asyncio.Task[None]]()

    async def leaves() -> None:
        tasks.append(asyncio.create_task(stubborn(threading.Event())))
        await asyncio.sleep(0)

    mesh = stage.mesh()
    begin(mesh, ONE, a=leaves)
    mesh.drain()
    mesh.close()

    assert "stubborn() was told to stop and goes on; it is left behind" in caplog.messages


@pytest.mark.parametrize("how", ["start", "run"])
def test_a_process_that_ends_lets_running_steps_end_first(tmp_path: Path, how: str) -> None:
    """Its workers drain by themselves, also where an autoreloader ends it."""
    url = f"sqlite:///{tmp_path}/j"

    ended = subprocess.run([sys.executable, "-c", HOST, url, how], check=False, timeout=60)

    with Mesh.open(url) as mesh:
        assert (3, ["completed"]) == (ended.returncode, [run.status for run in mesh.runs().items])
