"""The index is derived: dropping it and rebuilding gives equal rows."""

from collections.abc import Callable

import pytest
from attrs import evolve
from hypothesis import given

from squidmesh import RunNotFound
from squidmesh.door.door import Door
from squidmesh.door.handle import batch_of
from squidmesh.door.reindex import reindex
from squidmesh.ports import Ports
from squidmesh_core.ids import AppendId, Fingerprint
from squidmesh_core.protocol.chain import origin
from squidmesh_core.protocol.entries import Entry, RunStarted
from squidmesh_core.protocol.rows import CorrelationRow, Head, IndexRows
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import changes
from squidmesh_storage.api import Checkpoint, Committed, Journal
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.plays import plays
from support.scenario import RUN, Scenario
from support.stage import EPOCH, Stage, begin, claimed, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b"))


def nothing() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    "opened",
    [
        pytest.param(MemoryJournal, id="memory"),
        pytest.param(lambda: SqliteJournal(":memory:"), id="sqlite"),
    ],
)
@given(run=plays())
def test_dropping_the_index_and_rebuilding_gives_equal_rows(
    opened: Callable[[], Journal], run: Scenario
) -> None:
    """Over random histories, append by append; those of held attempts are equal too."""
    journal = opened()
    door = Door(journal, Ports())
    door.memory.keep_spec(run.spec)
    written(journal, run)
    before = journal.rows_of(RUN)

    garble(journal)
    assert before != journal.rows_of(RUN)
    assert 1 == reindex(door)

    assert before == journal.rows_of(RUN)
    journal.close()


def written(journal: Journal, run: Scenario) -> None:
    """Append the history of a play as the door would, each append with its rows."""
    state, digest = RunState(run_id=RUN), origin(RUN)
    for number, after in enumerate(run.states[1:]):
        entries = [named(entry, run) for entry in run.journal[state.revision : after.revision]]
        folded = fold(state, entries)
        batch = batch_of(
            RUN,
            Head(revision=state.revision, hash=digest, at=EPOCH),
            entries,
            changes(state, folded, run.spec),
            AppendId(f"append-{number}"),
        )
        assert isinstance(journal.append((batch,))[0], Committed)
        state, digest = folded, batch.record.hash


def named(entry: Entry, run: Scenario) -> Entry:
    """The entry, with the definition that the play really has."""
    if isinstance(entry, RunStarted):
        return evolve(entry, definition=Fingerprint(run.spec.fingerprint))
    return entry


def garble(journal: Journal) -> None:
    """Drop what can be dropped, and put nonsense in the place of the rest."""
    run = journal.rows_of(RUN).run
    assert run is not None
    nonsense = evolve(run, status="paused", queue="nowhere", tags=("none",), ended_at=EPOCH)
    found_by = CorrelationRow(run_id=RUN, workflow="none", node="none", correlation="none")
    head = journal.load(RUN, whole=True).head
    assert journal.index(RUN, head.revision, IndexRows(run=nonsense, correlations=(found_by,)))
    journal.put_checkpoint(
        RUN, Checkpoint(revision=head.revision, hash=head.hash, codec_version=1, body="garbled")
    )


def test_all_runs_are_rebuilt_and_work_goes_on(stage: Stage) -> None:
    """Also what is claimed: nobody else takes it before its lease ends."""
    mesh = stage.mesh()
    actions = does(a=nothing, b=nothing)
    runs = [mesh.start_spec(SPEC, "placed", {}, actions=actions) for _ in range(3)]
    claim = claimed(mesh)
    before = [mesh.door.journal.rows_of(run.id) for run in runs]
    for run, rows in zip(runs, before, strict=True):
        head = mesh.door.journal.load(run.id).head
        assert mesh.door.journal.index(run.id, head.revision, evolve(rows, attempts=()))
    assert mesh.claim(owner="ben") is None

    assert 3 == stage.mesh().reindex()

    assert before == [mesh.door.journal.rows_of(run.id) for run in runs]
    assert claim.run_id != claimed(mesh, owner="ben").run_id


def test_one_run_is_rebuilt_by_its_id(stage: Stage) -> None:
    """The others are not looked at."""
    mesh = stage.mesh()
    run = begin(mesh, SPEC, a=nothing, b=nothing)

    assert 1 == mesh.reindex(run)
    with pytest.raises(RunNotFound):
        mesh.reindex("0193e2a0-7b3c-7d10-8f00-123456789abc")


def test_a_row_that_promises_too_much_is_mended_by_whoever_meets_it(stage: Stage) -> None:
    """A stale row of an attempt that is settled does not stop the queue behind it."""
    mesh = stage.mesh()
    actions = does(a=nothing, b=nothing)
    first = mesh.start_spec(SPEC, "placed", {}, actions=actions, priority=-1)
    stale = mesh.door.journal.rows_of(first.id).attempts
    mesh.execute_next()
    mesh.execute_next()
    ended = mesh.door.journal.rows_of(first.id)
    head = mesh.door.journal.load(first.id).head
    held = tuple(evolve(row, held_until=EPOCH) for row in stale)
    assert mesh.door.journal.index(first.id, head.revision, evolve(ended, attempts=held))
    second = mesh.start_spec(SPEC, "placed", {}, actions=actions)

    claim = claimed(stage.mesh(actions=actions), owner="ben")

    assert second.id == claim.run_id
    assert ended == mesh.door.journal.rows_of(first.id)


def test_a_row_of_an_attempt_that_was_settled_is_never_performed_again(stage: Stage) -> None:
    """Even a row that looks unclaimed: the claim counts for nothing, and nobody performs it."""
    performed: list[str] = []
    mesh = stage.mesh()
    actions = does(a=lambda: performed.append("a"), b=nothing)
    run = mesh.start_spec(SPEC, "placed", {}, actions=actions)
    stale = mesh.door.journal.rows_of(run.id)
    mesh.execute_next()
    head = mesh.door.journal.load(run.id).head
    assert mesh.door.journal.index(run.id, head.revision, stale)

    stage.mesh(actions=actions).drain()

    assert ["a"] == performed
