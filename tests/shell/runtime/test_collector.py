"""The garbage collector rests while a long run is read, and only then."""

import gc
from collections.abc import Iterator, Sequence

import pytest

from squidmesh import Run, StorageError
from squidmesh.door import checkpoints, collector, recall
from squidmesh.views import reading
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import decode, entries_of
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.checkpoint import thaw
from squidmesh_core.state.run import RunState
from support.stage import Stage, claimed, does
from support.workflows import chain, step

SPEC = chain(step("a"))


@pytest.fixture
def run(stage: Stage) -> Run:
    """A run of some 30 entries."""
    mesh = stage.mesh()
    begun = mesh.start_spec(SPEC, "placed", {}, actions=does(a=lambda: 1))
    claim = claimed(mesh)
    for _ in range(25):
        claim = mesh.heartbeat(claim)
    return begun


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the collector was on, each time that an append was read."""
    seen: list[bool] = []

    def noted(record: AppendRecord) -> Sequence[Entry]:
        seen.append(gc.isenabled())
        return entries_of(record)

    monkeypatch.setattr(recall, "entries_of", noted)
    return seen


@pytest.fixture
def everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run is too short to rest for."""
    monkeypatch.setattr(collector, "LONG", 1)


@pytest.fixture
def host_wants_none() -> Iterator[None]:
    """The host has turned the collector off."""
    gc.disable()
    yield
    gc.enable()


def test_a_short_run_is_nothing_to_rest_for(stage: Stage, run: Run, awake: list[bool]) -> None:
    """What a worker claims is short, nearly always."""
    stage.mesh().inspect(run)

    assert {True} == set(awake)


@pytest.mark.usefixtures("everything_is_long")
def test_it_rests_while_a_long_run_is_read(stage: Stage, run: Run, awake: list[bool]) -> None:
    """Afterwards it goes on."""
    stage.mesh().inspect(run)

    assert ({False}, True) == (set(awake), gc.isenabled())


@pytest.mark.usefixtures("everything_is_long")
def test_it_rests_while_a_checkpoint_is_read(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of a long run is read from one."""
    monkeypatch.setattr(checkpoints, "GROWTH", 20)
    stage.mesh().inspect(run)
    awake: list[bool] = []

    def noted(body: str, run_id: RunId) -> RunState:
        awake.append(gc.isenabled())
        return thaw(body, run_id)

    monkeypatch.setattr(checkpoints, "thaw", noted)

    stage.mesh().inspect(run)

    assert ([False], True) == (awake, gc.isenabled())


@pytest.mark.usefixtures("everything_is_long")
def test_it_goes_on_after_a_run_that_cannot_be_read(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error is no reason to leave it off."""

    def damaged(_: AppendRecord) -> Sequence[Entry]:
        raise recall.unreadable(run.id, "it was damaged", None)

    monkeypatch.setattr(recall, "entries_of", damaged)

    with pytest.raises(StorageError):
        stage.mesh().inspect(run)
    assert gc.isenabled()


@pytest.mark.usefixtures("everything_is_long", "host_wants_none")
def test_who_turned_it_off_finds_it_off(stage: Stage, run: Run) -> None:
    """The host's process is the host's."""
    stage.mesh().inspect(run)

    assert not gc.isenabled()


@pytest.mark.usefixtures("everything_is_long")
def test_it_rests_while_the_past_of_a_run_is_read(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The past is always read from the beginning."""
    awake: list[bool] = []

    def noted(body: str, *, run_id: RunId, first: Revision) -> tuple[Entry, ...]:
        awake.append(gc.isenabled())
        return decode(body, run_id=run_id, first=first)

    monkeypatch.setattr(reading, "decode", noted)

    stage.mesh().inspect(run, at=20)

    assert ({False}, True) == (set(awake), gc.isenabled())
