"""Waiting for a run: when its journal is looked at."""

import pytest

from squidmesh import Mesh, Workflow, manual, step
from squidmesh.views.waiting import (
    FIRST_LOOK_CLAIMED,
    FIRST_LOOK_ELSEWHERE,
    AwaitMove,
    ReadRun,
    waiting,
)
from squidmesh_core.ids import RunId


def nothing() -> None:
    """As little as a step can do."""


class One(Workflow):
    """One step."""

    go = manual()

    only = step(nothing)


class Two(Workflow):
    """Two steps."""

    go = manual()

    one = step(nothing)
    two = step(nothing)

    one.then(two)


def first_wait(mesh: Mesh, run_id: str) -> float:
    """Seconds of the first wait for a run."""
    asked = waiting(
        mesh.door.memory, RunId(run_id), status=None, timeout=None, monotonic=lambda: 0.0
    )
    request = next(asked)
    assert isinstance(request, AwaitMove)
    return request.seconds


@pytest.fixture
def mesh() -> Mesh:
    """A mesh without a worker."""
    return Mesh.open("memory://", workflows=[One])


def test_a_run_that_nobody_has_claimed_is_looked_at_soon(mesh: Mesh) -> None:
    """Another process will perform it, and says nothing when it has."""
    run = mesh.start(One.go)

    assert FIRST_LOOK_ELSEWHERE == first_wait(mesh, run.id)


def test_a_run_that_somebody_holds_is_looked_at_later(mesh: Mesh) -> None:
    """Mostly this process does, and then tells us of each move."""
    run = mesh.start(One.go)
    assert mesh.claim(owner="somebody") is not None

    assert FIRST_LOOK_CLAIMED == first_wait(mesh, run.id)


def test_a_run_that_this_process_moves_is_not_read_meanwhile() -> None:
    """However long it takes, once the process has taken it, it tells of each move itself."""
    with Mesh.open("memory://", workflows=[Two]) as mesh:
        run = mesh.start(Two.go)
        asked = waiting(
            mesh.door.memory, RunId(run.id), status=None, timeout=None, monotonic=lambda: 0.0
        )
        rests = [next(asked)]
        claim = mesh.claim(owner="here")
        assert claim is not None
        rests.append(asked.send(None))
        mesh.complete(claim, None)
        rests.append(asked.send(None))

    assert [FIRST_LOOK_ELSEWHERE, FIRST_LOOK_CLAIMED, FIRST_LOOK_CLAIMED] == [
        rest.seconds if isinstance(rest, AwaitMove) else rest for rest in rests
    ]


def test_a_run_that_nobody_moves_here_is_read_at_each_look() -> None:
    """The looks grow further apart."""
    with Mesh.open("memory://", workflows=[One]) as mesh:
        run = mesh.start(One.go)
        asked = waiting(
            mesh.door.memory, RunId(run.id), status=None, timeout=None, monotonic=lambda: 0.0
        )
        first, read = next(asked), asked.send(None)
        second = asked.send(mesh.door.memory.get(RunId(run.id)))

    assert isinstance(read, ReadRun)
    assert isinstance(first, AwaitMove)
    assert isinstance(second, AwaitMove)
    assert first.seconds < second.seconds
