"""Workers: threads, slots, heartbeats, draining, and signals."""

import logging
import signal
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from squidmesh import Context, Mesh, StorageError, Worker
from squidmesh.ports import Ports, Site
from squidmesh.workers.heartbeat import Heartbeats
from squidmesh.workers.line import StepSignals
from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.api import Journal, Wakeups
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal
from support import stoppable
from support.held import PATIENCE, HeldStep
from support.stage import Stage, begin, claimed, does, types
from support.stoppable import Slow
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b", output="b"))
_SCRIPT = Path(stoppable.__file__)


def test_a_worker_wakes_at_once_for_new_work(stage: Stage) -> None:
    """Inside one process nobody waits for a poll; runs of several slots overlap."""
    together = threading.Barrier(3, timeout=PATIENCE)
    mesh = stage.mesh()
    actions = does(a=together.wait, b=lambda: 2)

    with mesh.worker(concurrency=3):
        runs = [mesh.start_spec(SPEC, "placed", {}, actions=actions) for _ in range(3)]
        ended = {mesh.wait_for(run, timeout="60s").status for run in runs}

    assert {"completed"} == ended


def test_a_worker_takes_what_others_started(stage: Stage) -> None:
    """Also what was there before it."""
    run = begin(stage.mesh(), SPEC, a=lambda: 1, b=lambda: 2)
    mesh = stage.mesh(actions=does(a=lambda: 1, b=lambda: 2))

    with mesh.worker():
        assert "completed" == mesh.wait_for(run, timeout="60s").status


def test_a_draining_worker_settles_what_runs_and_takes_nothing_more(stage: Stage) -> None:
    """The step ends and is recorded; its successor is left to others, unclaimed."""
    held = HeldStep()
    mesh = stage.mesh()
    worker = mesh.worker(concurrency=1).start()
    run = begin(mesh, SPEC, a=held.step, b=lambda: 2)
    waiting = begin(mesh, chain(step("b")), b=mesh.actions.resolve("do.b").fn)  # type: ignore[union-attr]  # registered above
    held.until_inside()
    worker.drain_soon()
    held.leave.set()
    worker.stop()

    assert ({"a": 1}, ("b",)) == (mesh.inspect(run).context, mesh.inspect(run).waiting_on)
    assert "attempt_visible" == mesh.inspect(run).reason == mesh.inspect(waiting).reason


def test_closing_a_mesh_waits_for_a_worker_that_drains_already(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its journal is there until the last step is settled."""
    held = HeldStep()
    mesh = stage.mesh()
    worker = mesh.worker(concurrency=1).start()
    begin(mesh, SPEC, a=held.step, b=lambda: 2)
    held.until_inside()
    worker.drain_soon()
    while mesh.workers()[0].takes_work:
        pass
    stop = worker.stop

    def waited_for() -> None:
        held.leave.set()
        stop()

    monkeypatch.setattr(worker, "stop", waited_for)
    mesh.close()
    held.leave.set()
    stop()

    assert "" == caplog.text


def test_a_start_that_meets_a_closing_worker_gives_its_claim_back(stage: Stage) -> None:
    """The run is there, and somebody else takes its first attempt at once."""
    mesh = stage.mesh()
    worker = mesh.worker(concurrency=1).start()
    while worker.reserve("default") is None:
        pass  # it is looking for work itself just now
    worker.stop()
    run = begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)

    worker.fill(claimed(mesh))

    assert "attempt_visible" == mesh.inspect(run).reason
    assert 2 == stage.mesh(actions=does(a=lambda: 1, b=lambda: 2)).drain()


def test_a_worker_works_once(stage: Stage) -> None:
    """A second start would share the slots of the first."""
    worker = stage.mesh().worker()
    with worker, pytest.raises(RuntimeError, match="works once"):
        worker.start()
    with pytest.raises(RuntimeError, match="works once"):
        worker.start()
    worker.stop()


def test_a_worker_that_never_began_is_stopped_at_once(stage: Stage) -> None:
    """There is nothing to wait for."""
    stage.mesh().worker().stop()


class Away(MemoryJournal):
    """A storage that is away for its first claims."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 2

    def claimable(self, *arguments: Any, **options: Any) -> Any:
        """Say no, twice."""
        if self.away:
            self.away -= 1
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        return super().claimable(*arguments, **options)


def test_a_worker_outlives_a_storage_that_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, tries again, and works on."""
    monkeypatch.setattr("squidmesh.workers.worker.AFTER_ERROR", 0.0)
    monkeypatch.setattr("squidmesh.workers.loop.SHORTEST_REST", 0.001)
    stage = Stage(None)
    mesh = stage.mesh(journal=Away())
    run = begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)

    with caplog.at_level(logging.ERROR), mesh.worker():
        assert "completed" == mesh.wait_for(run, timeout="60s").status

    assert 2 == sum("nothing could be claimed" in one.message for one in caplog.records)
    stage.close()


class Deaf(MemoryJournal):
    """A storage that cannot be listened to."""

    def listen(self, queues: object) -> AbstractContextManager[Wakeups]:
        """Say no."""
        raise StorageError("the journal is closed", "storage_error", {})


@pytest.mark.parametrize("on_main_thread", [True, False])
def test_a_worker_that_cannot_begin_says_so(on_main_thread: bool) -> None:
    """`run` raises instead of waiting for ever, or ending as if all were well."""
    stage = Stage(None)
    worker = stage.mesh(journal=Deaf()).worker()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except StorageError as error:
            raised.append(error)

    if on_main_thread:
        run()
    else:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(PATIENCE)

    assert ["the journal is closed"] == [str(error) for error in raised]
    stage.close()


def test_a_worker_of_a_closed_mesh_does_not_start(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever starts it hears why, and nobody has to look for it in a log."""
    mesh = stage.mesh()
    mesh.close()
    worker = mesh.worker()
    with pytest.raises(StorageError, match="is closed"):
        worker.start()
    worker.stop()

    assert [] == caplog.records


def test_closing_a_mesh_drains_its_workers(stage: Stage) -> None:
    """Also one that runs in the foreground of another thread."""
    mesh = stage.mesh()
    worker = Worker(mesh, concurrency=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    run = begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)
    mesh.wait_for(run, timeout="60s")

    mesh.close()
    thread.join(PATIENCE)

    assert not thread.is_alive()


# --- heartbeats


class Ticks:
    """A monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def beating(stage: Stage) -> tuple[Mesh, Heartbeats, Ticks]:
    """Heartbeats of a lease of 60 s, beaten by hand."""
    ticks = Ticks()
    mesh = stage.mesh(ports=Ports(monotonic=ticks))
    return mesh, Heartbeats(mesh.door, lease_ms=60_000), ticks


def test_a_lease_is_renewed_every_third_of_it(stage: Stage) -> None:
    """And not before: a short step costs no write."""
    mesh, beats, ticks = beating(stage)
    run = begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)
    claim = claimed(mesh)

    with beats.keeping(claim, StepSignals()):
        ticks.now = 19.0
        assert 1.0 == beats.beat_due()
        written = types(mesh, run)
        stage.clock.advance(20)
        ticks.now = 20.0
        assert 20.0 == beats.beat_due()

    assert [*written, "attempt_heartbeat"] == types(mesh, run)
    ticks.now = 60.0
    beats.beat_due()
    assert [*written, "attempt_heartbeat"] == types(mesh, run)
    beats.stop()


def test_the_next_beat_is_that_of_whichever_lease_is_the_first_to_need_it(stage: Stage) -> None:
    """A step that began later has its lease renewed later."""
    mesh, beats, ticks = beating(stage)
    actions = does(a=lambda: 1, b=lambda: 2)
    for _ in range(2):
        mesh.start_spec(SPEC, "placed", {}, actions=actions)

    with beats.keeping(claimed(mesh), StepSignals()):
        ticks.now = 15.0
        with beats.keeping(claimed(mesh), StepSignals()):
            waits = []
            for instant in (15.0, 20.0, 35.0):
                ticks.now = instant
                waits.append(beats.beat_due())

    assert [5.0, 15.0, 5.0] == waits
    beats.stop()


def test_a_beat_that_took_long_is_followed_by_the_next_at_once(stage: Stage) -> None:
    """A lease that nobody waits with may still live."""
    ticks = Ticks()

    def site(reached: Site) -> None:
        if reached == "heartbeat.after":
            ticks.now += 25

    mesh = stage.mesh(ports=Ports(monotonic=ticks, site=site))
    beats = Heartbeats(mesh.door, lease_ms=60_000)
    begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)
    with beats.keeping(claimed(mesh), StepSignals()):
        ticks.now = 20.0

        assert 0.0 == beats.beat_due()

    beats.stop()


def test_a_refused_heartbeat_tells_the_step(stage: Stage) -> None:
    """Lost to another worker, or to the end of the run."""
    mesh, beats, ticks = beating(stage)
    other = stage.mesh(actions=does(a=lambda: 1))
    begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)
    signals = StepSignals()
    claim = claimed(mesh)

    with beats.keeping(claim, signals):
        stage.clock.now = claim.lease_until
        claimed(other, owner="ben")
        ticks.now = 20.0
        beats.beat_due()

    assert (True, False) == (signals.lost, signals.cancelled)
    beats.stop()


def test_one_heartbeat_that_fails_does_not_end_the_others(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it fails with."""
    failing: list[Site] = ["heartbeat.before"]

    def site(reached: Site) -> None:
        if reached in failing:
            failing.clear()
            raise RuntimeError("a bug")

    ticks = Ticks()
    mesh = stage.mesh(ports=Ports(monotonic=ticks, site=site))
    beats = Heartbeats(mesh.door, lease_ms=60_000)
    actions = does(a=lambda: 1, b=lambda: 2)
    runs = [mesh.start_spec(SPEC, "placed", {}, actions=actions) for _ in range(2)]
    claims = [claimed(mesh), claimed(mesh)]

    with (
        beats.keeping(claims[0], StepSignals()),
        beats.keeping(claims[1], StepSignals()),
        caplog.at_level(logging.ERROR),
    ):
        ticks.now = 20.0
        beats.beat_due()

    beaten = [types(mesh, run).count("attempt_heartbeat") for run in runs]
    assert 1 == sum(beaten)
    assert "has no heartbeat" in caplog.text
    beats.stop()


def test_heartbeats_stop_at_once(stage: Stage) -> None:
    """Not after a third of the lease; also before they began."""
    mesh, beats, _ = beating(stage)
    begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)
    with beats.keeping(claimed(mesh), StepSignals()):
        stopping = threading.Thread(target=beats.stop)
        stopping.start()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()


def test_a_mesh_at_rest_has_no_heartbeat(stage: Stage) -> None:
    """A third of a lease after its last step, and also if nobody closes it."""
    mesh = stage.mesh()
    beats = Heartbeats(mesh.door, lease_ms=3)
    begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)
    claim = claimed(mesh)
    for _ in range(2):
        with beats.keeping(claim, StepSignals()):
            thread = beats._thread
            assert thread is not None
        thread.join(PATIENCE)

        assert (False, None) == (thread.is_alive(), beats._thread)
        assert thread.daemon  # a process that ends does not wait for it


def test_a_long_step_keeps_its_lease(stage: Stage) -> None:
    """Under a lease far shorter than the step, nobody else may claim it."""
    mesh = stage.mesh()

    def a(ctx: Context) -> int:
        while types(mesh, run).count("attempt_heartbeat") < 3:
            pass
        return 3

    run = begin(mesh, SPEC, a=a, b=lambda: 2)
    mesh.execute_next(lease="60ms")

    assert {"a": 3} == mesh.inspect(run).context


def test_without_heartbeats_none_is_written(stage: Stage) -> None:
    """`heartbeat=False`, and any verb with `now=`: time is the caller's then."""
    mesh = stage.mesh()
    run = begin(mesh, SPEC, a=lambda: 1, b=lambda: 2)

    mesh.execute_next(heartbeat=False)
    mesh.execute_next(now=stage.clock.now)

    assert "completed" == mesh.inspect(run).status
    assert {} == mesh.engine._here.heartbeats


# --- signals, in a process of its own


def begun(file: Path, ends: str) -> "subprocess.Popen[str]":
    """A worker process in the middle of a step."""
    process = subprocess.Popen(
        [sys.executable, str(_SCRIPT), str(file), ends],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "begun\n" == process.stdout.readline()
    return process


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A journal with two runs of the stoppable workflow."""
    path = tmp_path / "journal.db"
    with Mesh(SqliteJournal(path), workflows=[Slow]) as mesh:
        mesh.start(Slow.asked)
        mesh.start(Slow.asked)
    return path


def seen(file: Path) -> list[tuple[str, dict[str, object]]]:
    """Status reasons and contexts of the runs, as another process sees them."""
    journal: Journal = SqliteJournal(file)
    with Mesh(journal) as mesh:
        shown = [mesh.inspect(run) for run in mesh.runs().items]
    return sorted(((one.reason, dict(one.context)) for one in shown), key=_order)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_worker(file: Path, number: signal.Signals) -> None:
    """The running step ends and is settled, nothing more is claimed, and the exit is clean."""
    process = begun(file, "when-asked")
    process.send_signal(number)

    assert ("drained\n", "") == process.communicate(timeout=PATIENCE)

    assert 0 == process.returncode
    assert [("attempt_visible", {}), ("attempt_visible", {"one": 1})] == seen(file)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(file: Path, number: signal.Signals) -> None:
    """Nothing is settled; the lease runs out, and somebody else takes over."""
    process = begun(file, "never")
    while process.poll() is None:
        process.send_signal(number)

    process.communicate(timeout=PATIENCE)

    assert -number == process.returncode
    assert [("attempt_claimed", {}), ("attempt_visible", {})] == seen(file)


def _order(shown: tuple[str, dict[str, object]]) -> tuple[str, int]:
    return shown[0], len(shown[1])
