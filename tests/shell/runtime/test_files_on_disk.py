"""Files that hosts name: on the disk before they take the place of another, or not there at all."""

import os
import tempfile
from pathlib import Path

import pytest

from squidmesh import Mesh, StorageUnavailable
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from support.stage import Stage, does
from support.workflows import chain, step

SPEC = chain(step("a"))


def with_runs(stage: Stage, count: int) -> Mesh:
    """A mesh with so many runs that wait for a worker."""
    mesh, actions = stage.mesh(), does(a=lambda: 1)
    for _ in range(count):
        mesh.start_spec(SPEC, "placed", {}, actions=actions)
    return mesh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where nothing but files of the test is."""
    made = tmp_path / "folder"
    made.mkdir()
    return made


def test_a_file_is_made_beside_the_one_that_it_replaces(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rename from the folder of temporary files may lead from one file system to another."""
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))

    assert 1 == with_runs(stage, 1).export(folder / "all.jsonl")

    assert ["all.jsonl"] == os.listdir(folder)


def test_a_file_is_on_the_disk_before_it_replaces_another(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut would leave an empty file where a whole one was."""
    file, sizes = folder / "all.jsonl", list[tuple[int, int]]()
    file.write_text("the last one", encoding="utf-8")
    fsync = os.fsync
    mesh = with_runs(stage, 1)

    def spied(number: int) -> None:
        sizes.append((os.fstat(number).st_size, file.stat().st_size))
        fsync(number)

    monkeypatch.setattr(os, "fsync", spied)
    mesh.export(file)

    assert [(file.stat().st_size, len("the last one"))] == sizes


def test_an_export_that_fails_half_way_leaves_what_was_there(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing beside it."""
    mesh, file = with_runs(stage, 2), folder / "all.jsonl"
    file.write_text("the last one", encoding="utf-8")
    journal = mesh.door.journal
    honest, asked = journal.stored, list[RunId]()

    def away(run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        asked.append(run_id)
        if run_id != asked[0]:
            raise StorageUnavailable("away", "storage_unavailable")
        return honest(run_id, after, limit)

    monkeypatch.setattr(journal, "stored", away)
    with pytest.raises(StorageUnavailable):
        mesh.export(file)

    assert 2 == len(set(asked))
    assert ["all.jsonl"] == os.listdir(folder)
    assert "the last one" == file.read_text(encoding="utf-8")
