"""Runs in files: what was written comes back as it was, and nothing else is taken in."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from squidmesh import (
    ConfigError,
    IdempotencyConflict,
    Mesh,
    Refused,
    Run,
    RunNotFound,
    Sensitive,
    StorageUnavailable,
    Workflow,
    approval,
    manual,
    pause,
    step,
)
from squidmesh_core.checker import bundle as bundles
from squidmesh_core.checker import export as exports
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_storage.api import Batch, Outcome
from support.stage import Stage, claimed

CARD = "card-4711-0815"
ELSEWHERE = {"memory": "sqlite", "sqlite": "memory"}


@dataclass(frozen=True)
class Placed:
    """An order."""

    sku: str
    card: Sensitive[str] = "no card"
    limit: Sensitive[int] = 0


@dataclass(frozen=True)
class Plained:
    """An order without secrets."""

    sku: str


def reserve(sku: str) -> str:
    """Put it aside."""
    return f"reserved {sku}"


def release(done: str) -> None:
    """Put it back."""


def charge(card: str, limit: int) -> str:
    """Tell more than one should."""
    return f"charged {card}, {limit > 0}"


class Order(Workflow, name="filed.Order"):
    """Reserve, ask, charge."""

    placed = manual(Placed)
    order = placed.payload
    reserved = step(reserve).takes(order.sku).undo(release)
    review = approval("Sell it?")
    charged = step(charge).takes(order.card, order.limit)
    sorry = step(release, action="filed.sorry").takes(order.sku)
    reserved.then(review).then(charged)
    review.on_reject(sorry)


class Plain(Workflow, name="filed.Plain"):
    """Nothing is secret."""

    asked = manual(Plained)
    counted = pause("Count")
    done = step(reserve, action="filed.plain").takes(asked.payload.sku)
    counted.then(done)


@pytest.fixture
def elsewhere(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage on the other adapter."""
    made = Stage(tmp_path_factory.mktemp("elsewhere")) if stage.folder is None else Stage()
    yield made
    made.close()


def placed(sku: str) -> Placed:
    """An order with secrets."""
    return Placed(sku, CARD, 47114711)


def runs_everywhere(mesh: Mesh) -> dict[str, Run]:
    """Runs that stand in many places, by where."""
    names = ("cancelled", "undoing", "completed", "pruned", "asked", "held")
    runs = {name: mesh.start(Order.placed, placed(name), key=name) for name in names}
    mesh.drain()
    mesh.cancel(runs["cancelled"], by="op")
    mesh.cancel(runs["pruned"])
    mesh.prune(run=runs["pruned"])
    mesh.pause(runs["held"])
    mesh.approve(runs["completed"], by="ana", note=f"seen {CARD}")
    mesh.drain()
    mesh.cancel(runs["undoing"], compensate=True)
    runs["claimed"] = mesh.start(Order.placed, placed("claimed"), priority=-9)
    assert runs["claimed"].id == claimed(mesh).run_id
    runs["fresh"] = mesh.start(Order.placed, placed("fresh"), key="fresh", priority=9)
    return runs


def stored(mesh: Mesh, run: Run) -> tuple[AppendRecord, ...]:
    """The journal of a run."""
    return mesh.door.journal.load(RunId(run.id), whole=True).records


def taken_over(mesh: Mesh, run: Run) -> list[Any]:
    """What a fork has of its source."""
    told = [entry.data.get("reused_from") for entry in mesh.journal(run)]
    return [one for one in told if one is not None]


# --- export and restore


def test_what_is_restored_is_what_was_exported(
    stage: Stage, elsewhere: Stage, tmp_path: Path
) -> None:
    """Journals byte by byte, the rows they imply, and nothing for the checker to find."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    runs = runs_everywhere(mesh)
    file = tmp_path / "all.jsonl"

    counted = mesh.export(file), other.restore(file), other.restore(file)

    listed = len(mesh.runs(limit=100).items)
    assert (listed + 1, listed + 1, 0) == counted  # a tombstone is not listed
    assert {name: stored(mesh, run) for name, run in runs.items()} == {
        name: stored(other, run) for name, run in runs.items()
    }
    assert [run.to_dict() for run in mesh.runs(limit=100).items] == [
        run.to_dict() for run in other.runs(limit=100).items
    ]
    assert other.verify(checker=True).clean


def test_what_is_restored_goes_on(stage: Stage, elsewhere: Stage, tmp_path: Path) -> None:
    """Work is claimed, gates are answered, keys are known."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    runs = runs_everywhere(mesh)
    mesh.export(tmp_path / "all.jsonl")
    other.restore(tmp_path / "all.jsonl")
    elsewhere.clock.advance(600)

    other.drain()
    other.approve(runs["fresh"], by="ana")
    other.approve(runs["claimed"], by="ana")
    other.drain()

    ends = {name: other.inspect(run).status for name, run in runs.items() if name != "pruned"}
    assert {
        "asked": "paused",
        "cancelled": "cancelled",
        "claimed": "completed",
        "completed": "completed",
        "fresh": "completed",
        "held": "paused",
        "undoing": "cancelled",
    } == ends
    again = other.start(Order.placed, placed("asked"), key="asked")
    assert (runs["asked"].id, True) == (again.id, again.duplicate)


def test_whoever_restores_again_after_a_crash_completes_it(
    stage: Stage, elsewhere: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stopped; nothing of a run is seen or claimed before it is whole."""
    mesh = stage.mesh(Order)
    runs = runs_everywhere(mesh)
    file = tmp_path / "all.jsonl"
    mesh.export(file)
    broken = elsewhere.mesh(Order)
    journal = broken.door.journal
    whole = journal.append
    turns = max(len(stored(mesh, run)) for run in runs.values())

    def appends_once(batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        monkeypatch.setattr(journal, "append", fails)
        return whole(batches)

    def fails(batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        raise StorageUnavailable("gone", "storage_unavailable", {})

    for _ in range(turns - 1):
        monkeypatch.setattr(journal, "append", appends_once)
        with pytest.raises(StorageUnavailable):
            broken.restore(file)
        for run in broken.runs(limit=100).items:
            assert stored(mesh, run) == stored(broken, run)
    monkeypatch.undo()

    assert 0 < elsewhere.mesh(Order).restore(file)
    other = elsewhere.mesh(Order)
    assert {name: stored(mesh, run) for name, run in runs.items()} == {
        name: stored(other, run) for name, run in runs.items()
    }
    assert other.verify(checker=True).clean


@pytest.mark.parametrize("how", ["went on elsewhere", "is behind here"])
def test_a_run_that_is_here_with_another_journal_stops_it_all(
    stage: Stage, elsewhere: Stage, tmp_path: Path, how: str
) -> None:
    """Nothing is stored, and nothing here is touched."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    mine = mesh.start(Order.placed, placed("mine"))
    mesh.export(tmp_path / "first.jsonl")
    other.restore(tmp_path / "first.jsonl")
    mesh.start(Order.placed, placed("new"))
    mesh.pause(mine)
    if how == "went on elsewhere":
        other.cancel(mine)
    mesh.export(tmp_path / "second.jsonl")
    before = stored(other, mine)

    with pytest.raises(IdempotencyConflict) as caught:
        other.restore(tmp_path / "second.jsonl")

    assert {"run_id": mine.id} == caught.value.details
    assert [mine.id] == [run.id for run in other.runs().items]
    assert before == stored(other, mine)


def test_a_run_that_went_on_here_is_left_as_it_is(
    stage: Stage, elsewhere: Stage, tmp_path: Path
) -> None:
    """Its journal begins with what the file has."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    run = mesh.start(Order.placed, placed("mine"))
    mesh.export(tmp_path / "all.jsonl")
    other.restore(tmp_path / "all.jsonl")
    other.cancel(run)

    assert 0 == other.restore(tmp_path / "all.jsonl")
    assert "cancelled" == other.inspect(run).status


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "[]\n",
        lambda text: text[:-20],
        lambda text: text.replace("reserved", "reversed", 1),
        lambda text: "\n".join(text.splitlines()[1:]),
        lambda text: "\n".join(text.splitlines()[:1] + text.splitlines()[2:]),
        lambda text: text + "\udcff",
    ],
    ids=["empty", "foreign", "cut", "altered", "no definition", "append missing", "no UTF-8"],
)
def test_a_file_that_is_not_as_it_was_written_stores_nothing(
    stage: Stage, elsewhere: Stage, tmp_path: Path, spoil: type[str]
) -> None:
    """One code, and it says which file and why; an empty export is an export of nothing."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    runs_everywhere(mesh)
    file = tmp_path / "all.jsonl"
    mesh.export(file)
    text = spoil(file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    if not text:
        assert 0 == other.restore(file)
        return

    with pytest.raises(ConfigError) as caught:
        other.restore(file)

    assert ("invalid_bundle", str(file)) == (caught.value.code, caught.value.details["path"])
    assert () == other.runs().items
    assert () == other.door.journal.run_ids(None, 10)


# --- bundle and load


def test_a_bundle_has_no_secrets_and_the_same_run(
    stage: Stage, elsewhere: Stage, tmp_path: Path
) -> None:
    """Masked where they stand and wherever else they turn up; the rest as it was."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    run = runs_everywhere(mesh)["completed"]
    file = mesh.bundle(run, tmp_path / "one.sqm")

    text = file.read_text(encoding="utf-8")
    loaded = other.load(file)
    mine, theirs = mesh.inspect(run), other.inspect(loaded)

    assert [] == [secret for secret in (CARD, "47114711") if secret in text]
    assert (run.id, "completed", False) == (loaded.id, loaded.status, loaded.duplicate)
    assert {"sku": "completed", "card": "•••", "limit": "•••"} == theirs.input
    assert (mine.applied, mine.steps, mine.at_revision) == (
        theirs.applied,
        theirs.steps,
        theirs.at_revision,
    )
    assert "seen •••" == theirs.command_history[1].comment
    assert other.verify(checker=True).clean


@pytest.mark.parametrize("where", ["fresh", "asked", "claimed", "held"])
def test_an_active_run_is_held_when_it_is_loaded(
    stage: Stage, elsewhere: Stage, tmp_path: Path, where: str
) -> None:
    """Nobody here performs anything of it, until somebody resumes it."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    run = runs_everywhere(mesh)[where]
    elsewhere.clock.advance(600)

    loaded = other.load(mesh.bundle(run, tmp_path / "one.sqm"))

    assert "paused" == loaded.status
    assert 0 == other.drain()
    assert "hold" in {gate.kind for gate in other.inspect(run).gates}
    assert other.verify(checker=True).clean
    other.resume(run, by="ana")
    assert (where not in {"asked", "held"}) == bool(other.drain())


def test_a_run_that_is_undoing_its_steps_cannot_be_loaded(
    stage: Stage, elsewhere: Stage, tmp_path: Path
) -> None:
    """It cannot be held, and nothing is undone twice."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    run = runs_everywhere(mesh)["undoing"]
    mesh.bundle(run, tmp_path / "one.sqm")

    with pytest.raises(Refused) as caught:
        other.load(tmp_path / "one.sqm")

    assert "compensating" == caught.value.code
    assert () == other.door.journal.run_ids(None, 10)


def test_loading_again_changes_nothing(stage: Stage, elsewhere: Stage, tmp_path: Path) -> None:
    """Neither elsewhere, nor where the bundle was made: a run at work is not held."""
    mesh, other = stage.mesh(Plain), elsewhere.mesh(Plain)
    run = mesh.start(Plain.asked, Plained("mug"))
    file = mesh.bundle(run, tmp_path / "one.sqm")

    loads = [other.load(file), other.load(file), mesh.load(file)]
    other.resume(run, by="ana")
    loads.append(other.load(file))

    assert [False, True, True, True] == [one.duplicate for one in loads]
    assert ["pause"] == [gate.kind for gate in mesh.inspect(run).gates]
    assert ["pause"] == [gate.kind for gate in other.inspect(run).gates]


def test_a_run_with_secrets_is_not_loaded_where_it_is(stage: Stage, tmp_path: Path) -> None:
    """What was masked makes it another journal."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, placed("mug"))
    mesh.bundle(run, tmp_path / "one.sqm")

    with pytest.raises(IdempotencyConflict):
        mesh.load(tmp_path / "one.sqm")


def test_a_pruned_run_can_be_bundled(stage: Stage, elsewhere: Stage, tmp_path: Path) -> None:
    """What is left of it."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    run = runs_everywhere(mesh)["pruned"]

    loaded = other.load(mesh.bundle(run, tmp_path / "one.sqm"))

    assert loaded.pruned_at is not None


def test_a_bundle_of_a_fork_has_what_the_fork_took_over(
    stage: Stage, elsewhere: Stage, tmp_path: Path
) -> None:
    """Every value that its source put out, but for the secrets in them."""
    mesh, other = stage.mesh(Order), elsewhere.mesh(Order)
    run = runs_everywhere(mesh)["completed"]
    fork = mesh.replay(run, from_step=Order.charged, allow_irreversible=True)

    loaded = other.load(mesh.bundle(fork, tmp_path / "one.sqm"))

    mine, theirs = taken_over(mesh, fork), taken_over(other, loaded)
    assert "reserved completed" == mine[0]["value"]
    assert json.loads(json.dumps(mine).replace(CARD, "•••")) == theirs


def test_exports_and_bundles_are_told_apart(stage: Stage, tmp_path: Path) -> None:
    """Each has a verb of its own."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, placed("mine"))
    mesh.export(tmp_path / "all.jsonl")
    mesh.bundle(run, tmp_path / "one.sqm")
    for verb, name in ((mesh.load, "all.jsonl"), (mesh.restore, "one.sqm")):
        with pytest.raises(ConfigError) as caught:
            verb(tmp_path / name)
        assert "invalid_bundle" == caught.value.code


def test_files_are_read_without_a_mesh(stage: Stage, tmp_path: Path) -> None:
    """The core's readers take them."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, placed("mine"))
    mesh.export(tmp_path / "all.jsonl")
    mesh.bundle(run, tmp_path / "one.sqm")

    with (tmp_path / "all.jsonl").open(encoding="utf-8") as file:
        assert {RunId(run.id): stored(mesh, run)} == exports.read(file).runs
    with (tmp_path / "one.sqm").open(encoding="utf-8") as file:
        assert stored(mesh, run)[-1].hash == bundles.read(file).source


# --- files


def test_a_file_is_written_whole_or_not_at_all(stage: Stage, tmp_path: Path) -> None:
    """What was there stays, and nothing lies about."""
    mesh = stage.mesh(Order)
    file = tmp_path / "one.sqm"
    file.write_text("the last one", encoding="utf-8")
    with pytest.raises(RunNotFound):
        mesh.bundle("0193e2a0-7b3c-7d10-8f00-123456789abc", file)
    with pytest.raises(ConfigError):
        mesh.export(tmp_path / "nowhere" / "all.jsonl")
    with pytest.raises(ConfigError):
        mesh.load(tmp_path / "nothing.sqm")

    assert [file] == sorted(path for path in tmp_path.iterdir() if "journal.db" not in path.name)
    assert "the last one" == file.read_text(encoding="utf-8")


def test_a_file_is_its_owners(stage: Stage, tmp_path: Path) -> None:
    """Nobody else on the machine reads it."""
    mesh = stage.mesh(Order)
    mesh.export(tmp_path / "all.jsonl")

    assert 0o600 == (tmp_path / "all.jsonl").stat().st_mode & 0o777


def test_a_pipe_is_written_to_and_stays_one(stage: Stage, tmp_path: Path) -> None:
    """Whoever bundles to `/dev/stdout` gets the bundle there, and keeps the device."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, placed("piped"))
    pipe, file = tmp_path / "pipe", tmp_path / "one.sqm"
    os.mkfifo(pipe)
    mesh.bundle(run, file)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        mesh.bundle(run, pipe)

        assert file.read_bytes() == os.read(reader, 1 << 16)
    finally:
        os.close(reader)

    assert pipe.is_fifo()


def test_a_link_is_followed(stage: Stage, tmp_path: Path) -> None:
    """What it points to is written, and it goes on pointing there."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, placed("linked"))
    file, link = tmp_path / "one.sqm", tmp_path / "latest.sqm"
    link.symlink_to(file)

    assert link == mesh.bundle(run, link)
    assert link.is_symlink()
    assert file.is_file()


@pytest.mark.parametrize("name", ["one\0two", "half\ud800"])
def test_a_name_that_no_file_can_have_is_refused(stage: Stage, name: str) -> None:
    """Written or read, it is an option that is wrong."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, placed("named"))
    for verb in (lambda: mesh.bundle(run, name), lambda: mesh.load(name)):
        with pytest.raises(ConfigError, match="no file can be called that"):
            verb()


def test_what_is_no_text_is_no_bundle_and_no_export(stage: Stage, tmp_path: Path) -> None:
    """The message says so, and quotes no codec."""
    mesh = stage.mesh(Order)
    file = tmp_path / "picture.png"
    file.write_bytes(b"\x89PNG\r\n\xff")
    for verb in (mesh.load, mesh.restore):
        with pytest.raises(ConfigError, match="it is no text") as caught:
            verb(file)

        assert "invalid_bundle" == caught.value.code


def test_a_database_is_not_written_over(stage: Stage, tmp_path: Path) -> None:
    """Most likely it is the one that is being read, and its name came first on the line."""
    mesh = stage.mesh()
    database = tmp_path / "orders.db"
    Mesh.open(f"sqlite:///{database}").close()
    before = database.read_bytes()

    with pytest.raises(ConfigError, match="a database is there"):
        mesh.export(database)

    assert before == database.read_bytes()
