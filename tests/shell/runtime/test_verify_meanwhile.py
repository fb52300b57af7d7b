"""What verifying says where a newer process goes on meanwhile, or the storage goes away."""

import pytest

from squidmesh import Run, StorageUnavailable
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import IndexRows
from support.damage import add_newer_append, rewrite
from support.stage import Stage, does
from support.workflows import chain, step

SPEC = chain(step("a"))
ACTIONS = does(a=lambda: 1)


def begun(stage: Stage) -> Run:
    """A run that waits for a worker."""
    return stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS)


def test_what_a_newer_process_appends_meanwhile_is_named_and_no_row_is_judged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are for those who can read it."""
    run_id = RunId(begun(stage).id)
    journal = stage.journal()
    mesh = stage.mesh(journal=journal)
    records = journal.load(run_id, whole=True).records
    honest = journal.rows_of

    def overtaken(run_id: RunId) -> IndexRows:
        rewrite(stage, journal, run_id, [*records, add_newer_append(records)])
        return honest(run_id)

    monkeypatch.setattr(journal, "rows_of", overtaken)
    (verified,) = mesh.verify(run_id).results

    assert ("newer", "run_teleported v1", ()) == (verified.verdict, verified.reason, verified.rows)
    assert records[-1].last + 1 == verified.revision
    assert {} == journal.survey().quarantined


def test_a_storage_that_goes_away_says_nothing_of_a_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked is told, and no run is marked."""
    runs = sorted(begun(stage).id for _ in range(2))
    journal = stage.journal()
    mesh = stage.mesh(journal=journal)
    honest = journal.stored

    def away(run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        if run_id == runs[1]:
            raise StorageUnavailable("away", "storage_unavailable")
        return honest(run_id, after, limit)

    with monkeypatch.context() as broken:
        broken.setattr(journal, "stored", away)
        for asked in (None, runs[1]):
            with pytest.raises(StorageUnavailable):
                mesh.verify(asked)

    assert {} == journal.survey().quarantined
    assert mesh.verify().clean
