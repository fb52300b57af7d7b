"""A process that knows a run reads what others have appended since, once, and judges that too."""

import pytest

from squidmesh import Mesh, Run, StorageError
from squidmesh.workers.claim import Claim
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_storage.api import Loaded
from support.damage import forged, rewrite
from support.stage import Stage, claimed, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b", output="b"))


def held(stage: Stage) -> tuple[Mesh, Run, Claim]:
    """A run whose first step somebody holds, and a mesh that knows it."""
    mesh = stage.mesh()
    run = mesh.start_spec(SPEC, "placed", {}, actions=does(a=lambda: 1, b=lambda: 2))
    return mesh, run, mesh.heartbeat(claimed(mesh))


def stored(stage: Stage, run: Run) -> list[AppendRecord]:
    """The appends of a run."""
    return [*stage.journal().load(RunId(run.id), whole=True).records]


def refusal(mesh: Mesh, run: Run) -> tuple[str, object, object]:
    """What a mesh says of a run that cannot be read: code, revision and reason."""
    with pytest.raises(StorageError) as caught:
        mesh.inspect(run)
    error = caught.value
    return error.code, error.details["revision"], error.details["reason"]


def test_what_others_appended_is_read_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look asks for what comes after the last one, however long the run is."""
    warm, run, claim = held(stage)
    before = warm.inspect(run).at_revision
    stage.mesh().heartbeat(claim)
    journal, asked = warm.door.journal, list[Revision]()
    load = journal.load

    def spied(run_id: RunId, after: Revision, *, whole: bool = False) -> Loaded:
        asked.append(after)
        return load(run_id, after, whole=whole)

    monkeypatch.setattr(journal, "load", spied)
    for _ in range(3):
        warm.inspect(run)

    assert [before, before + 1, before + 1] == asked


def test_a_journal_that_lost_its_end_is_marked_for_those_who_never_knew(stage: Stage) -> None:
    """What is left of it is a whole journal, so nobody else could find out."""
    warm, run, _ = held(stage)
    records = stored(stage, run)
    rewrite(stage, stage.journal(), RunId(run.id), records[:-1])
    assert "running" == stage.mesh().inspect(run).status

    said = refusal(warm, run)

    assert ("run_quarantined", records[-1].first) == said[:2]
    assert said == refusal(stage.mesh(), run)


def test_another_journal_that_is_longer_is_found_by_who_knew_the_first(stage: Stage) -> None:
    """Its hashes fit each other, and not what was read before."""
    warm, run, claim = held(stage)
    stage.mesh().heartbeat(claim)
    records = stored(stage, run)
    body = records[1].body.replace('"owner":"ana"', '"owner":"eve"')
    rewrite(stage, stage.journal(), RunId(run.id), forged(records, 1, body=body))

    code, revision, reason = refusal(warm, run)

    assert ("run_quarantined", records[-1].first) == (code, revision)
    assert "the journal is not the one that was read before" == reason


def test_an_append_that_names_what_the_definition_has_not_is_damage(stage: Stage) -> None:
    """Also to a process that has read all before it."""
    warm, run, claim = held(stage)
    stage.mesh().complete(claim, 1)
    records = stored(stage, run)
    body = records[-1].body.replace('"b"', '"z"').replace(":b", ":z")
    rewrite(stage, stage.journal(), RunId(run.id), forged(records, -1, body=body))

    said = refusal(warm, run)

    assert "run_quarantined" == said[0]
    assert said == refusal(stage.mesh(), run)
