"""Watching: every entry once, in order, as it is committed, and then the end."""

import threading
from collections.abc import Generator
from itertools import islice

import pytest

from squidmesh import ActionRegistry, ConfigError, Mesh, Refused, Run, RunNotFound, StorageError
from squidmesh.views.stream import Stream
from squidmesh.views.waiting import FIRST_LOOK, LONGEST_LOOK
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import RunId
from squidmesh_storage.api import Quarantine
from support.stage import Stage, claimed, does
from support.workflows import chain, step

SPEC: Spec = chain(step("a", output="a"), step("b", output="b"))
ACTIONS: ActionRegistry = does(a=lambda: 1, b=lambda: 2)
UNKNOWN = "0193e2a0-7b3c-7d10-8f00-123456789abc"


def started(mesh: Mesh) -> Run:
    """A run that nobody works on."""
    return mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)


def test_a_finished_run_is_told_whole_and_ends(stage: Stage) -> None:
    """What is watched is what the journal has."""
    mesh = stage.mesh()
    run = started(mesh)
    mesh.drain(queues=["default"])
    journal = list(mesh.journal(run))

    told = list(mesh.watch(run))

    assert [(one.revision, one.type, one.at, one.data) for one in journal] == [
        (one.revision, one.type, one.at, one.data) for one in told
    ]
    assert told[2:] == list(mesh.watch(run, after=2))
    assert [] == list(mesh.watch(run, after=told[-1].revision))


def test_each_entry_gives_the_run_right_after_it(stage: Stage) -> None:
    """The same as an inspection at its revision, judged at its own instant."""
    mesh = stage.mesh()
    run = started(mesh)
    stage.clock.advance(5)
    mesh.drain(queues=["default"])
    stage.clock.advance(500)

    for entry in mesh.watch(run, after=1):
        expected = mesh.inspect(run, at=entry.revision, history=True)
        assert expected == entry.snapshot(history=True)
    assert [None, None] == [one.output for one in entry.snapshot().attempts]


def test_the_first_entry_gives_the_run_as_it_started(stage: Stage) -> None:
    """The request to start is told before the start that it came with; no entry is without a run."""
    mesh = stage.mesh()
    run = started(mesh)
    mesh.cancel(run)
    request, start, *_ = mesh.watch(run)

    assert (1, "run_signal_received") == (request.revision, request.type)
    assert (2, "run_started") == (start.revision, start.type)
    assert mesh.inspect(run, at=2) == request.snapshot() == start.snapshot()


def test_entries_come_as_they_are_committed(stage: Stage) -> None:
    """By another process, which cannot tell: whoever watches looks again."""
    mesh, other = stage.mesh(), stage.mesh(actions=ACTIONS)
    run = started(mesh)
    entries = mesh.watch(run)
    types = [next(entries).type for _ in range(3)]

    claim = claimed(other)
    claim_entry = next(entries)
    other.complete(claim, 1)
    types += [claim_entry.type, *(next(entries).type for _ in range(3))]
    other.cancel(run)
    types += [one.type for one in entries]

    assert "attempt_claimed" == claim_entry.type
    assert [one.type for one in mesh.journal(run)] == types
    assert "run_terminal" == types[-1]


def test_a_move_of_this_process_wakes_whoever_watches(stage: Stage) -> None:
    """Nobody waits for the next look."""
    mesh = stage.mesh()
    run = started(mesh)
    entries, ended = mesh.watch(run), threading.Event()
    before = [next(entries).type for _ in range(3)]
    after: list[str] = []

    def watch_to_the_end() -> None:
        after.extend(entry.type for entry in entries)
        ended.set()

    watcher = threading.Thread(target=watch_to_the_end)
    watcher.start()
    mesh.cancel(run)

    assert ended.wait(60)
    watcher.join()
    assert [one.type for one in mesh.journal(run)] == before + after


def test_what_cannot_be_watched_is_refused_at_once(stage: Stage) -> None:
    """By the call, not by the first step."""
    mesh = stage.mesh()
    run = started(mesh)
    with pytest.raises(RunNotFound):
        mesh.watch(UNKNOWN)
    with pytest.raises(ConfigError):
        mesh.watch(run, after=-1)
    stage.journal().quarantine(RunId(run.id), Quarantine(revision=None, reason="for the test"))
    with pytest.raises(StorageError) as caught:
        stage.mesh().watch(run)

    assert "run_quarantined" == caught.value.code


def test_a_run_that_is_pruned_under_the_watchers_eyes(stage: Stage) -> None:
    """Its end was not seen, and cannot be told any more."""
    mesh, other = stage.mesh(), stage.mesh()
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS, key="kept")
    entries = mesh.watch(run)
    assert 3 == len(list(islice(entries, 3)))
    other.cancel(run)
    other.prune(run=run)

    with pytest.raises(Refused, match="was pruned"):
        next(entries)
    assert ["run_pruned"] == [one.type for one in stage.mesh().watch(run)]


def test_a_watcher_that_goes_is_forgotten(stage: Stage) -> None:
    """Closing the iterator leaves nothing behind."""
    mesh = stage.mesh()
    run = started(mesh)
    entries = mesh.watch(run)
    next(entries)
    assert mesh.door.watchers._by_run
    assert isinstance(entries, Generator)
    entries.close()

    assert not mesh.door.watchers._by_run


def test_a_run_that_rests_is_looked_at_ever_more_seldom(stage: Stage) -> None:
    """Up to half a second apart; what comes is followed closely again."""
    mesh = stage.mesh()
    run = started(mesh)
    stream = Stream(RunId(run.id), 0)
    stream.read(mesh.door)

    quiet = [stream.rest() for _ in range(8)]
    mesh.pause(run)
    stream.read(mesh.door)

    assert sorted(quiet) == quiet
    assert (FIRST_LOOK, LONGEST_LOOK, FIRST_LOOK) == (quiet[0], quiet[-1], stream.rest())
