"""The registry: who works on a journal, as far as each says so itself."""

import logging
import os
from datetime import timedelta

import pytest

from squidmesh import Mesh
from squidmesh.ports import Ports
from squidmesh.workers.registry import REFRESH, SILENT_AFTER, SWEPT_AFTER, Presence
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.protocol.codec import CODEC_VERSION
from support.held import HeldStep
from support.stage import Stage, begin, does
from support.workflows import chain, step

ONE = chain(step("a", output="a"))


class Watch:
    """A monotonic clock that stands still between tests' turns at it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def presence(mesh: Mesh, owner: str = "host:1:ana") -> Presence:
    """A worker's record of itself, without a worker."""
    return Presence(
        mesh.door,
        owner=owner,
        queues=("default", "mail"),
        concurrency=3,
        actions=mesh.actions.performable,
    )


def test_a_worker_is_registered_for_as_long_as_it_works(stage: Stage) -> None:
    """With what it can do; everybody on the journal sees it."""
    mesh, other = stage.mesh(actions=does(a=lambda: 1)), stage.mesh()

    with mesh.worker(concurrency=3, queues=("default", "mail")) as worker:
        (info,) = other.workers()

    assert () == other.workers()
    assert (worker.owner, os.getpid(), 3) == (info.owner, info.pid, info.concurrency)
    assert ("default", "mail") == info.queues
    assert (("do.a",), CODEC_VERSION) == (info.actions, info.codec)
    assert stage.clock.now == info.started_at == info.seen_at
    assert info.takes_work


def test_a_worker_gives_a_sign_every_half_minute(stage: Stage) -> None:
    """Not more often: an idle worker costs next to nothing."""
    watch = Watch()
    mesh = stage.mesh(ports=Ports(monotonic=watch))
    here = presence(mesh)
    here.begin()

    for seconds, version in ((0.1, 1), (REFRESH - 0.2, 1), (0.2, 2), (REFRESH - 0.1, 2), (1, 3)):
        watch.seconds += seconds
        stage.clock.advance(seconds)
        here.keep()
        (record,) = mesh.door.journal.records("worker")

        assert version == record.version

    (info,) = mesh.workers()
    assert stage.clock.now == info.seen_at


def test_what_is_registered_later_is_told_with_the_next_sign(stage: Stage) -> None:
    """Actions may join a mesh while its worker works."""
    watch = Watch()
    mesh = stage.mesh(ports=Ports(monotonic=watch))
    here = presence(mesh)
    here.begin()
    begin(mesh, ONE, a=lambda: 1)
    watch.seconds += REFRESH

    here.keep()

    assert ("do.a",) == mesh.workers()[0].actions


def test_a_worker_without_a_sign_is_silent_and_is_swept_away_after_a_day(stage: Stage) -> None:
    """It serves nothing, as far as anybody can tell; the next worker clears up."""
    mesh = stage.mesh()
    presence(mesh).begin()

    stage.clock.advance(SILENT_AFTER - timedelta(microseconds=1))
    assert not mesh.workers()[0].silent
    stage.clock.advance(timedelta(microseconds=1))
    assert mesh.workers()[0].silent
    assert not mesh.workers()[0].takes_work
    assert () == mesh.queues()

    stage.clock.advance(SWEPT_AFTER - SILENT_AFTER - timedelta(microseconds=1))
    presence(mesh, "host:2:ben").begin()
    assert 2 == len(mesh.workers())
    stage.clock.advance(timedelta(microseconds=1))
    presence(mesh, "host:3:cleo").begin()
    assert ["host:2:ben", "host:3:cleo"] == [info.owner for info in mesh.workers()]


def test_a_draining_worker_takes_no_work(stage: Stage) -> None:
    """It is there until its last step has settled."""
    held = HeldStep()
    mesh = stage.mesh()
    worker = mesh.worker(concurrency=1).start()
    run = begin(mesh, ONE, a=held.step)
    held.until_inside()
    worker.drain_soon()
    while not mesh.workers()[0].stopping:
        pass  # it is on its way
    assert not mesh.workers()[0].takes_work

    held.leave.set()
    worker.stop()

    assert ("completed", ()) == (mesh.wait_for(run, timeout="60s").status, mesh.workers())


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"host":1}'])
def test_a_record_that_cannot_be_read_is_nobody(stage: Stage, body: str) -> None:
    """And goes when the next worker begins."""
    mesh = stage.mesh()
    mesh.door.journal.put_record("worker", "who", body)
    assert () == mesh.workers()

    presence(mesh).begin()

    assert ["host:1:ana"] == [record.key for record in mesh.door.journal.records("worker")]


def test_a_worker_works_though_it_cannot_register(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its record is for people; nothing depends on it."""
    mesh = stage.mesh()

    def away(*_: object, **__: object) -> bool:
        raise StorageUnavailable("away", "storage_unavailable")

    for verb in ("put_record", "drop_record", "records"):
        monkeypatch.setattr(mesh.door.journal, verb, away)

    with caplog.at_level(logging.DEBUG, "squidmesh.worker"), mesh.worker():
        run = begin(mesh, ONE, a=lambda: 1)
        assert "completed" == mesh.wait_for(run, timeout="60s").status

    assert "gave no sign of life: away" in caplog.text
    assert "is still registered: away" in caplog.text
    monkeypatch.undo()
