"""Reading runs back: checkpoints, damage, and what newer processes wrote."""

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from squidmesh import Mesh, Run, StorageError
from squidmesh.door import checkpoints as checkpoints_module
from squidmesh_core import canonical
from squidmesh_core.checker import bundle as bundles
from squidmesh_core.ids import AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord, link
from squidmesh_core.protocol.rows import RowChanges
from squidmesh_core.values import Constant
from squidmesh_storage.api import Batch, Checkpoint, Committed
from support.damage import rewrite, rewrite_definition
from support.stage import Stage, begin, claimed, does, entries, types
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b", output="b"))


def one() -> int:
    """Give 1."""
    return 1


ACTIONS = does(a=one, b=one)


@pytest.fixture(autouse=True)
def early_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of 20 entries is long here."""
    monkeypatch.setattr(checkpoints_module, "GROWTH", 20)


def long_run(stage: Stage, *, beats: int = 25, **options: object) -> Run:
    """A run whose first step is held and has beaten often."""
    mesh = stage.mesh()
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS, **options)  # type: ignore[arg-type]  # start options
    claim = claimed(mesh)
    for _ in range(beats):
        claim = mesh.heartbeat(claim)
    return run


def checkpointed(stage: Stage) -> tuple[Run, Checkpoint]:
    """A long run that a cold process has read."""
    run = long_run(stage)
    mesh = stage.mesh()
    assert mesh.door.journal.checkpoint(run.id) is None
    mesh.inspect(run)
    checkpoint = mesh.door.journal.checkpoint(run.id)
    assert checkpoint is not None
    return run, checkpoint


def test_a_cold_read_of_a_long_run_leaves_a_checkpoint(stage: Stage) -> None:
    """The next cold read folds only what came after, to the same state."""
    run, checkpoint = checkpointed(stage)
    stage.clock.advance(90)
    mesh = stage.mesh(actions=ACTIONS)
    mesh.drain()

    assert Revision(29) == checkpoint.revision
    assert checkpoint == mesh.door.journal.load(run.id).checkpoint
    cold = stage.mesh()
    assert mesh.inspect(run) == cold.inspect(run)
    assert "completed" == cold.inspect(run).status


def test_a_short_run_leaves_none(stage: Stage) -> None:
    """It would cost more than it saves."""
    run = long_run(stage, beats=3)

    mesh = stage.mesh()
    mesh.inspect(run)

    assert mesh.door.journal.checkpoint(run.id) is None


GARBLED: dict[str, Callable[[Checkpoint], Checkpoint]] = {
    "nonsense": lambda one: evolve(one, body="garbled"),
    "nothing": lambda one: evolve(one, body=""),
    "cut short": lambda one: evolve(one, body=one.body[:-2]),
    "a word changed": lambda one: evolve(one, body=one.body.replace("orders", "others")),
    "a digit changed": lambda one: evolve(one, body=one.body.replace(":[2", ":[3")),
    "no state": lambda one: evolve(one, body=one.body[:64] + "null"),
    "another codec": lambda one: evolve(one, codec_version=one.codec_version + 1),
    "another history": lambda one: evolve(one, hash="00" * 32),
    "another revision": lambda one: evolve(one, revision=Revision(one.revision - 1)),
}


@pytest.mark.parametrize("how", GARBLED)
def test_a_garbled_checkpoint_changes_nothing(stage: Stage, how: str) -> None:
    """Whatever was done to it: the journal is the only truth."""
    run, checkpoint = checkpointed(stage)
    expected = stage.mesh().inspect(run)
    mesh = stage.mesh(actions=ACTIONS)
    garbled = GARBLED[how](checkpoint)
    mesh.door.journal.put_checkpoint(run.id, garbled)

    assert garbled != checkpoint
    assert expected == mesh.inspect(run)
    stage.clock.advance(90)
    assert 2 == mesh.drain()


def test_a_checkpoint_of_another_run_is_not_believed(stage: Stage) -> None:
    """Even when somebody made its row fit."""
    run, checkpoint = checkpointed(stage)
    other = long_run(stage)
    head = stage.journal().load(other.id).head
    stage.journal().put_checkpoint(
        other.id, evolve(checkpoint, revision=head.revision, hash=head.hash)
    )

    assert other.id == stage.mesh().inspect(other).id
    assert run.id == stage.mesh().inspect(run).id


def test_a_storage_that_will_not_take_a_checkpoint_does_not_stop_a_reader(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It only saves time."""
    run = long_run(stage)
    mesh = stage.mesh()

    def refuse(run_id: str, checkpoint: Checkpoint) -> None:
        raise StorageError("read-only", "storage_error", {})

    monkeypatch.setattr(mesh.door.journal, "put_checkpoint", refuse)

    assert "running" == mesh.inspect(run).status


def test_the_past_and_the_journal_are_whole_behind_a_checkpoint(stage: Stage) -> None:
    """Reading leaves it where it is."""
    run, checkpoint = checkpointed(stage)
    mesh = stage.mesh()

    assert list(range(1, 30)) == [entry.revision for entry in mesh.journal(run)]
    assert [28, 29] == [entry.revision for entry in mesh.journal(run, after=27)]
    assert 3 == mesh.inspect(run, at=3).at_revision
    assert checkpoint == mesh.door.journal.checkpoint(run.id)


def behind_a_checkpoint(stage: Stage) -> Run:
    """A run that is over, and whose first step was done long before its checkpoint."""
    mesh = stage.mesh()
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh.complete(claimed(mesh), 1)
    claim = claimed(mesh)
    for _ in range(25):
        claim = mesh.heartbeat(claim)
    stage.mesh().inspect(run)
    mesh.complete(claim, 2)
    assert mesh.door.journal.load(RunId(run.id)).checkpoint is not None
    return run


def test_a_fork_takes_over_what_was_done_before_a_checkpoint(stage: Stage) -> None:
    """Its source is read from the first entry on."""
    run = behind_a_checkpoint(stage)
    mesh = stage.mesh(actions=ACTIONS)

    fork = mesh.replay(run, from_step="b")
    mesh.drain()

    assert {"a": 1, "b": 1} == mesh.inspect(fork).context
    assert "completed" == mesh.inspect(fork).status


def test_a_bundle_has_what_was_done_before_a_checkpoint(stage: Stage, tmp_path: Path) -> None:
    """Whoever loads it has no checkpoint, and needs none."""
    run = behind_a_checkpoint(stage)
    mesh = stage.mesh()

    with mesh.bundle(run, tmp_path / "one.sqm").open(encoding="utf-8") as file:
        records = bundles.read(file).records

    assert (1, mesh.inspect(run).at_revision) == (records[0].first, records[-1].last)


def test_a_keyed_start_finds_a_run_behind_its_checkpoint(stage: Stage) -> None:
    """A cold process that is asked for the same start again sees the run as it is."""
    run = long_run(stage, key="order:1")
    stage.mesh().inspect(run)

    again = stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS, key="order:1")

    assert (run.id, True, "running") == (again.id, again.duplicate, again.status)


def test_a_takeover_of_a_long_run_by_a_cold_process(stage: Stage) -> None:
    """The run is read before the claim transaction, not inside it, and goes on."""
    run = long_run(stage)
    stage.clock.advance(120)

    ended = stage.mesh(actions=ACTIONS)
    assert 2 == ended.drain()

    assert "completed" == ended.inspect(run).status


# --- damage


def damaged(stage: Stage, mesh: Mesh, run: Run) -> None:
    """Change a byte of what is stored."""
    journal, run_id = mesh.door.journal, RunId(run.id)
    first, *others = journal.load(run_id, whole=True).records
    harmed = evolve(first, body=first.body.replace("placed", "plaxed"))
    rewrite(stage, journal, run_id, [harmed, *others])


def test_a_damaged_run_is_set_aside_and_the_others_go_on(stage: Stage) -> None:
    """Its neighbours are claimed, listed and ended; it is refused with a reason."""
    writer = stage.mesh()
    bad = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS, priority=-1)
    good = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    damaged(stage, writer, bad)
    mesh = stage.mesh(actions=ACTIONS)

    assert 2 == mesh.drain() + mesh.drain()

    assert "completed" == mesh.inspect(good).status
    assert {bad.id, good.id} == {run.id for run in mesh.runs().items}
    for verb in (mesh.inspect, mesh.cancel, lambda run: list(mesh.journal(run))):
        with pytest.raises(StorageError) as caught:
            verb(bad)
        assert "run_quarantined" == caught.value.code
    assert mesh.claim(owner="ana") is None


def test_many_damaged_runs_do_not_hide_one_good(stage: Stage) -> None:
    """One claim looks past all of them."""
    writer = stage.mesh()
    for _ in range(4):
        bad = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS, priority=-1)
        claimed(writer)
        damaged(stage, writer, bad)
    good = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    stage.clock.advance(90)

    assert good.id == claimed(stage.mesh(actions=ACTIONS), owner="ben").run_id


def test_a_run_whose_definition_is_gone_is_set_aside(stage: Stage) -> None:
    """It cannot be worked on, and the others go on."""
    writer = stage.mesh()
    bad = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS, priority=-1)
    other = chain(step("a"))
    good = begin(writer, other, a=one)
    mesh = stage.mesh(actions=ACTIONS)
    rewrite_definition(stage, mesh.door.journal, SPEC.fingerprint, None)

    mesh.drain()
    mesh.drain()

    assert "completed" == mesh.inspect(good).status
    with pytest.raises(StorageError, match="definition"):
        mesh.inspect(bad)


# --- newer processes


def newer_entry(mesh: Mesh, run: Run) -> None:
    """Append what only a newer squidmesh understands."""
    head = mesh.door.journal.load(run.id).head
    body = canonical.encode([{"type": "run_teleported", "v": 1, "at": head.at.isoformat()}])
    record = AppendRecord(
        run_id=run.id,
        first=Revision(head.revision + 1),
        last=Revision(head.revision + 1),
        append_id=AppendId("newer"),
        at=head.at,
        body=body,
        hash=link(head.hash, body),
    )
    batch = Batch(record=record, expected=head.revision, rows=RowChanges())
    assert isinstance(mesh.door.journal.append((batch,))[0], Committed)


def test_a_run_with_newer_entries_is_left_alone_and_the_others_go_on(stage: Stage) -> None:
    """No mark is set: a newer process works on it, this one never takes it twice."""
    writer = stage.mesh()
    newer = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS, priority=-1)
    newer_entry(writer, newer)
    good = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh = stage.mesh(actions=ACTIONS)
    for _ in range(4):
        mesh.drain()
        stage.clock.advance(90)

    assert "completed" == mesh.inspect(good).status
    with pytest.raises(StorageError) as caught:
        mesh.inspect(newer)
    assert "newer_entries" == caught.value.code
    loaded = mesh.door.journal.load(newer.id)
    assert loaded.quarantined is None
    assert 3 == len(loaded.records)  # the start, the newer one, and one claim in vain


def test_a_definition_of_a_newer_release_leaves_its_run_alone(stage: Stage) -> None:
    """What cannot be read may be right: nothing is marked, nothing is lost."""
    writer = stage.mesh()
    run = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    text = writer.door.journal.definition(Fingerprint(SPEC.fingerprint))
    assert text is not None
    newer = text[:-1] + ',"telepathy":true}'
    rewrite_definition(stage, writer.door.journal, SPEC.fingerprint, newer)

    with pytest.raises(StorageError) as caught:
        stage.mesh().inspect(run)

    assert "newer_entries" == caught.value.code
    assert "running" == writer.inspect(run).status
    assert types(writer, run)
    assert entries(stage.journal(), run.id)


def test_a_definition_reads_back_as_it_was_written(stage: Stage) -> None:
    """Its text tags integers of 64 bits, and maps that look like such a tag."""
    seen: list[dict[str, object]] = []
    odd = {"large": Constant(value=2**60), "map": Constant(value={"$int": "5"})}
    spec = chain(step("a", output="a"), step("b", output="b", input=odd))
    actions = does(a=one, b=lambda **given: seen.append(given))
    stage.mesh().start_spec(spec, "placed", {}, actions=actions)

    assert 2 == stage.mesh(actions=actions).drain()
    assert [{"large": 2**60, "map": {"$int": "5"}}] == seen
