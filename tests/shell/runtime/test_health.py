"""Health: how a journal and the work in it stand, asked once."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from squidmesh import Mesh, StorageError
from squidmesh.ports import Ports
from squidmesh.workers.registry import Presence
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Batch, Committed, Quarantine, Survey
from squidmesh_storage.sqlite import MIGRATIONS
from support.damage import add_newer_append
from support.stage import EPOCH, Stage, claimed, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b", output="b"))


def one() -> int:
    """Give 1."""
    return 1


ACTIONS = does(a=one, b=one)


def test_an_empty_journal_is_healthy(stage: Stage) -> None:
    """Nothing runs, nothing waits, nothing is wrong."""
    health = stage.mesh().health()

    assert health.ok
    assert (health.runs, health.quarantined, health.newer) == ({}, {}, ())
    assert (health.oldest_ms, health.unperformable, health.problem) == (None, {}, None)


def test_runs_are_counted_by_status(stage: Stage) -> None:
    """As the lists show them."""
    mesh = stage.mesh(actions=ACTIONS)
    for _ in range(3):
        mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh.drain(limit=2)
    mesh.cancel(mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS))

    assert {"running": 2, "completed": 1, "cancelled": 1} == dict(mesh.health().runs)


def test_the_oldest_claimable_attempt_has_an_age(stage: Stage) -> None:
    """What is held or comes later does not wait."""
    mesh = stage.mesh()
    mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    claimed(mesh)
    mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS, at=EPOCH + timedelta(hours=1))
    assert mesh.health().oldest_ms is None

    mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    stage.clock.advance(7.5)

    assert 7_500 == mesh.health().oldest_ms


def test_work_that_nobody_here_performs_is_counted_by_action(stage: Stage) -> None:
    """Waiting or held; of this mesh's own actions nothing is said."""
    writer = stage.mesh()
    for _ in range(2):
        writer.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    claimed(writer)

    assert {"do.a": 2} == dict(stage.mesh(actions=does(b=one)).health().unperformable)
    assert {} == dict(stage.mesh(actions=does(a=one)).health().unperformable)


def test_clocks_are_compared(stage: Stage) -> None:
    """The storage's is 90 s ahead of this host's."""
    ports = Ports(host_time=lambda: EPOCH - timedelta(seconds=90))

    assert 90_000 == stage.mesh(ports=ports).health().clock_ms


def test_quarantined_and_newer_runs_are_named(stage: Stage) -> None:
    """The first make a journal unhealthy, the second only need another process."""
    mesh = stage.mesh()
    newer, bad = (RunId(mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS).id) for _ in range(2))
    record = add_newer_append(mesh.door.journal.load(newer).records)
    batch = Batch(
        record=record,
        expected=Revision(record.first - 1),
        rows=RowChanges(),
        codec=CODEC_VERSION + 1,
    )
    assert isinstance(mesh.door.journal.append((batch,))[0], Committed)

    health = stage.mesh().health()
    assert (True, (newer,)) == (health.ok, health.newer)

    mark = Quarantine(revision=Revision(1), reason="made up")
    mesh.door.journal.quarantine(bad, mark)
    health = stage.mesh().health()
    assert (False, {bad: mark}) == (health.ok, dict(health.quarantined))


def test_a_storage_that_does_not_answer_is_a_finding(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks how things stand gets an answer, also then."""
    mesh = stage.mesh()

    def away() -> Survey:
        raise StorageError("no disk", "storage_error", {})

    monkeypatch.setattr(mesh.door.journal, "survey", away)

    health = mesh.health()

    assert (False, "no disk") == (health.ok, health.problem)
    assert mesh.door.journal.url == health.url


def test_sqlite_tells_its_version_settings_and_sizes(stage: Stage) -> None:
    """A journal in memory has none of them."""
    health = stage.mesh().health()

    if stage.folder is None:
        assert (health.schema, health.facts) == (None, {})
    else:
        assert MIGRATIONS[-1].number == health.schema
        assert ("wal", 2, 0) == tuple(
            health.facts[name] for name in ("journal_mode", "synchronous", "wal_autocheckpoint")
        )
        assert stage.file.stat().st_size == health.facts["file_bytes"]
        assert health.facts["log_bytes"]


def test_what_nobody_serves_or_performs_is_counted(stage: Stage) -> None:
    """In any process: a queue with work in it, and an action that work needs."""
    mesh = stage.mesh()
    mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS, queue="mail")
    mesh.pause_queue("mail")
    assert ({"default": 1, "mail": 1}, {"do.a": 2}) == (
        mesh.health().unserved,
        mesh.health().unperformed,
    )

    with stage.mesh(actions=does(b=one)).worker(queues=("default",)):
        health = mesh.health()

    assert (1, ("mail",)) == (health.workers, health.paused)
    assert ({"mail": 1}, {"do.a": 2}) == (health.unserved, health.unperformed)
    assert health.ok


def test_a_worker_that_drains_is_none_that_takes_work(stage: Stage) -> None:
    """What it still performs says nothing of what waits."""
    mesh = stage.mesh()
    mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    here = Presence(
        mesh.door,
        owner="host:1:ana",
        queues=("default",),
        concurrency=1,
        actions=ACTIONS.performable,
    )
    here.begin()
    assert (1, {}, {}) == seen_to(mesh)

    here.stop()

    assert (0, {"default": 1}, {"do.a": 1}) == seen_to(mesh)


def seen_to(mesh: Mesh) -> tuple[int, Mapping[str, int], Mapping[str, int]]:
    """Workers, and what waits without one, by queue and by action."""
    health = mesh.health()
    return health.workers, health.unserved, health.unperformed
