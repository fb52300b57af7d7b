"""Damaged runs are quarantined, newer ones left alone, and all others go on."""

import sqlite3
from collections.abc import Callable
from datetime import datetime

import pytest
from attrs import evolve

from squidmesh import Mesh, Run, StorageError
from squidmesh.workers import taking
from squidmesh.workers.claim import Claim
from squidmesh_core import canonical
from squidmesh_core.decide import claim_row
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import AttemptClaimed
from squidmesh_core.protocol.rows import AttemptRow, Head, RowChanges
from squidmesh_storage.api import Batch, Committed, Quarantine
from support.damage import (
    DAMAGES,
    DOOMSDAY,
    NEWER,
    add_newer_append,
    forged,
    rewrite,
    rewrite_definition,
    say_codec,
)
from support.stage import Stage, claimed, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b", output="b"))
OTHER = chain(step("a"))


def one() -> int:
    """Give 1."""
    return 1


ACTIONS = does(a=one, b=one)


def held(stage: Stage) -> tuple[Mesh, Run, Claim]:
    """A run with four appends whose first step somebody holds, and a mesh that knows it."""
    mesh = stage.mesh(actions=ACTIONS)
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    claim = mesh.heartbeat(mesh.heartbeat(claimed(mesh)))
    return mesh, run, claim


def damage(stage: Stage, run: Run, name: str) -> Revision:
    """Harm a run; the revision at which it shows."""
    journal, case = stage.journal(), DAMAGES[name]
    records = journal.load(RunId(run.id), whole=True).records
    rewrite(stage, journal, RunId(run.id), case.harm(records))
    return case.shows_at(records)


def refusal(call: Callable[[], object]) -> StorageError:
    """What a verb is refused with."""
    with pytest.raises(StorageError) as caught:
        call()
    return caught.value


def assert_quarantined(error: StorageError, run: Run, revision: Revision | None) -> None:
    """The refusal names the run, where it breaks, and why."""
    assert "run_quarantined" == error.code
    assert {"run_id": run.id, "revision": revision} == {
        name: error.details[name] for name in ("run_id", "revision")
    }
    assert error.details["reason"]


def _of(verb: Callable[..., object], run: Run) -> object:
    """What a verb gives of one run; `prune` has that as an option."""
    return verb(run=run) if verb.__name__ == "prune" else verb(run)


# --- where it shows


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_quarantined_with_its_revision(stage: Stage, name: str) -> None:
    """Whatever was done to it, whoever reads it first marks it for everybody."""
    _, run, _ = held(stage)
    revision = damage(stage, run, name)
    mesh = stage.mesh()

    assert_quarantined(refusal(lambda: mesh.cancel(run)), run, revision)

    mark = stage.journal().survey().quarantined[RunId(run.id)]
    assert revision == mark.revision
    (listed,) = mesh.runs().items
    assert f"revision {revision}: {mark.reason}" == listed.quarantined


@pytest.mark.parametrize("name", DAMAGES)
def test_the_others_go_on_beside_a_damaged_run(stage: Stage, name: str) -> None:
    """They are claimed, listed, commanded and ended; and so is nothing of the damaged one."""
    _, bad, _ = held(stage)
    damage(stage, bad, name)
    stage.clock.advance(90)  # the damaged one's lease is past: it comes first in claim order
    mesh = stage.mesh(actions=ACTIONS)
    good = mesh.start_spec(OTHER, "placed", {}, actions=ACTIONS)
    cancelled = mesh.start_spec(OTHER, "placed", {}, actions=ACTIONS, at=stage.clock.advance(1))

    assert "cancelled" == mesh.cancel(cancelled).status
    assert 1 == mesh.drain() + mesh.drain()

    assert "completed" == mesh.inspect(good).status
    assert {bad.id, good.id, cancelled.id} == {run.id for run in mesh.runs().items}
    assert [bad.id] == [run.id for run in mesh.runs().items if run.quarantined]


def test_a_run_whose_journal_is_gone_is_damaged_and_not_unknown(stage: Stage) -> None:
    """Whoever asks for it is told, whether he knew it before or not; the others go on."""
    knows, run, _ = held(stage)
    rewrite(stage, stage.journal(), RunId(run.id), ())
    mesh = stage.mesh(actions=ACTIONS)
    good = mesh.start_spec(OTHER, "placed", {}, actions=ACTIONS)

    for verb in (mesh.inspect, mesh.explain, mesh.cancel, mesh.journal, knows.pause, mesh.prune):
        error = refusal(lambda verb=verb: _of(verb, run))  # type: ignore[misc]  # lambdas cannot be annotated
        assert_quarantined(error, run, Revision(1))
        assert "gone" in str(error)
    stage.clock.advance(90)
    mesh.drain()
    assert "completed" == mesh.inspect(good).status
    assert [RunId(run.id)] == [*stage.journal().survey().quarantined]


def test_a_start_with_the_key_of_a_run_whose_journal_is_gone_is_refused(stage: Stage) -> None:
    """It was begun before, and nobody knows how far it came."""
    run = stage.mesh().start_spec(OTHER, "placed", {}, actions=ACTIONS, key="order-1")
    rewrite(stage, stage.journal(), RunId(run.id), ())
    mesh = stage.mesh(actions=ACTIONS)
    assert not mesh.verify().clean

    error = refusal(lambda: mesh.start_spec(OTHER, "placed", {}, actions=ACTIONS, key="order-1"))

    assert_quarantined(error, run, Revision(1))


@pytest.mark.parametrize("codec", [CODEC_VERSION + 1, 9_999])
def test_a_run_of_a_later_codec_is_left_alone(stage: Stage, codec: int) -> None:
    """By name, whether this process knew it before or not; it is not marked, and others go on."""
    knows, run, _ = held(stage)
    say_codec(stage, stage.journal(), RunId(run.id), codec)
    mesh = stage.mesh(actions=ACTIONS)
    good = mesh.start_spec(OTHER, "placed", {}, actions=ACTIONS)

    for verb in (mesh.inspect, mesh.cancel, knows.inspect):
        error = refusal(lambda verb=verb: verb(run))  # type: ignore[misc]  # lambdas cannot be annotated
        assert "newer_entries" == error.code
        assert (codec, CODEC_VERSION) == (error.details["codec"], error.details["known"])
    explained = mesh.explain(run)
    assert "newer_entries" == explained.reason
    assert f"entries of codec {codec}" in explained.summary
    mesh.drain()
    assert "completed" == mesh.inspect(good).status
    assert {run.id: True, good.id: False} == {one.id: one.newer for one in mesh.runs().items}
    assert stage.journal().survey().quarantined == {}


def test_a_codec_that_never_was_is_damage(stage: Stage) -> None:
    """The run is marked, as for any other row that cannot be."""
    _, run, _ = held(stage)
    say_codec(stage, stage.journal(), RunId(run.id), 0)
    mesh = stage.mesh(actions=ACTIONS)

    error = refusal(lambda: mesh.inspect(run))

    revision = stage.journal().load(RunId(run.id)).head.revision
    assert_quarantined(error, run, revision)
    assert [RunId(run.id)] == [*stage.journal().survey().quarantined]
    assert mesh.claim(owner="ana") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(lambda _: None, "is not stored", id="gone"),
        pytest.param(lambda text: text.replace("do.a", "do.z"), "was changed", id="changed"),
        pytest.param(lambda text: text[:-9], "is no JSON", id="cut short"),
    ],
)
def test_a_run_without_its_definition_is_quarantined(
    stage: Stage, text: Callable[[str], str | None], reason: str
) -> None:
    """At the entry that names it; runs of another definition go on."""
    mesh, run, _ = held(stage)
    good = mesh.start_spec(OTHER, "placed", {}, actions=ACTIONS)
    stored = mesh.door.journal.definition(run.fingerprint)
    assert stored is not None
    rewrite_definition(stage, mesh.door.journal, run.fingerprint, text(stored))
    cold = stage.mesh(actions=ACTIONS)

    error = refusal(lambda: cold.inspect(run))

    started = next(e.revision for e in cold.journal(run) if e.type == "run_started")
    assert_quarantined(error, run, started)
    assert reason in str(error)
    cold.drain()
    assert "completed" == cold.inspect(good).status


@pytest.mark.parametrize(
    "garbled",
    [
        pytest.param("body = cast(x'5bfffe5d' as text)", id="bytes that are no text"),
        pytest.param("at = 4611686018427387904", id="an instant that no calendar has"),
    ],
)
def test_what_no_record_can_hold_is_damage_of_one_run(stage: Stage, garbled: str) -> None:
    """Neither the list nor a claim of another run trips over it."""
    if stage.folder is None:
        pytest.skip("what is in memory is a record")
    _, bad, _ = held(stage)
    good = stage.mesh(actions=ACTIONS).start_spec(OTHER, "placed", {}, actions=ACTIONS)
    with sqlite3.connect(stage.file) as connection:
        connection.execute(
            f"update squidmesh_journal set {garbled} where run_id = ?",  # a constant above
            (bad.id,),
        )
    connection.close()
    stage.clock.advance(90)
    mesh = stage.mesh(actions=ACTIONS)

    mesh.drain()

    assert "completed" == mesh.inspect(good).status
    assert_quarantined(refusal(lambda: mesh.inspect(bad)), bad, Revision(1))


def test_a_claim_that_damage_makes_impossible_is_one_runs_matter(stage: Stage) -> None:
    """No lease can follow the last of all instants; the runs behind it are claimed."""
    writer = stage.mesh()
    bad = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS, priority=-1)
    good = writer.start_spec(OTHER, "placed", {}, actions=ACTIONS)
    (record,) = writer.door.journal.load(RunId(bad.id)).records
    rewrite(stage, writer.door.journal, RunId(bad.id), [evolve(record, at=DOOMSDAY)])
    mesh = stage.mesh(actions=ACTIONS)

    mesh.drain()
    mesh.drain()

    assert "completed" == mesh.inspect(good).status
    assert_quarantined(refusal(lambda: mesh.cancel(bad)), bad, Revision(1))


def test_a_run_that_trips_over_a_bug_of_ours_is_stopped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its journal is right, so no revision is named; the others go on."""
    writer = stage.mesh()
    bad = writer.start_spec(SPEC, "placed", {}, actions=ACTIONS, priority=-1)
    good = writer.start_spec(OTHER, "placed", {}, actions=ACTIONS)
    honest = claim_row

    def buggy(row: AttemptRow, head: Head, offer: Offer, now: datetime) -> AttemptClaimed | None:
        if row.run_id == bad.id:
            raise KeyError("planted")
        return honest(row, head, offer, now)

    monkeypatch.setattr(taking, "claim_row", buggy)
    mesh = stage.mesh(actions=ACTIONS)

    mesh.drain()

    assert "completed" == mesh.inspect(good).status
    error = refusal(lambda: mesh.cancel(bad))
    assert_quarantined(error, bad, None)
    assert "KeyError: 'planted'" == error.details["reason"]


# --- who is refused


COMMANDS: dict[str, Callable[[Mesh, Run, Claim], object]] = {
    "cancel": lambda mesh, run, _: mesh.cancel(run),
    "pause": lambda mesh, run, _: mesh.pause(run),
    "heartbeat": lambda mesh, _, claim: mesh.heartbeat(claim),
    "complete": lambda mesh, _, claim: mesh.complete(claim, 1),
    "fail": lambda mesh, _, claim: mesh.fail(claim, "no"),
    "defer": lambda mesh, _, claim: mesh.defer(claim, "later", for_="1s"),
    "a start under its id": lambda mesh, run, _: mesh.start_spec(
        SPEC, "placed", {}, actions=ACTIONS, run_id=run.id
    ),
    "replay": lambda mesh, run, _: mesh.replay(run),
    "inspect": lambda mesh, run, _: mesh.inspect(run),
    "wait_for": lambda mesh, run, _: mesh.wait_for(run, status="paused", timeout="1ms"),
    "reindex": lambda mesh, run, _: mesh.reindex(run),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_process_that_knows_the_run_is_refused_too(stage: Stage, command: str) -> None:
    """The mark counts, also where all that was read before and the tail are fine."""
    warm, run, claim = held(stage)
    revision = damage(stage, run, "a byte of a body flipped")
    refusal(lambda: stage.mesh().inspect(run))
    before = stage.journal().stored(RunId(run.id), Revision(0), 99)

    assert_quarantined(refusal(lambda: COMMANDS[command](warm, run, claim)), run, revision)

    assert before == stage.journal().stored(RunId(run.id), Revision(0), 99)


def test_a_journal_that_lost_its_end_is_found_by_who_knew_it(stage: Stage) -> None:
    """A chain that is cut is still a chain; only memory tells that there was more."""
    warm, run, _ = held(stage)
    records = stage.journal().load(RunId(run.id)).records
    rewrite(stage, warm.door.journal, RunId(run.id), records[:-2])

    assert_quarantined(refusal(lambda: warm.cancel(run)), run, records[-2].first)


def test_a_journal_that_was_rewritten_is_found_by_who_knew_it(stage: Stage) -> None:
    """Every hash fits, and yet it is another history."""
    warm, run, _ = held(stage)
    records = stage.journal().load(RunId(run.id)).records
    body = records[1].body.replace('"owner":"ana"', '"owner":"eve"')
    rewrite(stage, warm.door.journal, RunId(run.id), forged(records, 1, body=body))

    assert_quarantined(refusal(lambda: warm.inspect(run)), run, records[-1].last)


def test_a_mark_without_a_revision_is_shown_as_it_is(stage: Stage) -> None:
    """As for a run that trips over a bug of ours."""
    mesh, run, _ = held(stage)
    mesh.door.journal.quarantine(RunId(run.id), Quarantine(revision=None, reason="KeyError: 'x'"))

    assert_quarantined(refusal(lambda: mesh.cancel(run)), run, None)
    assert "KeyError: 'x'" == mesh.runs().items[0].quarantined


def test_a_storage_that_takes_no_mark_does_not_hide_the_damage(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads learns what is wrong with the run, not with the disk."""
    _, run, _ = held(stage)
    revision = damage(stage, run, "a byte of a body flipped")
    mesh = stage.mesh()

    def refuse(run_id: RunId, mark: Quarantine | None) -> None:
        raise StorageError("read-only", "storage_error", {})

    monkeypatch.setattr(mesh.door.journal, "quarantine", refuse)

    assert_quarantined(refusal(lambda: mesh.inspect(run)), run, revision)


# --- newer processes


@pytest.mark.parametrize("name", NEWER)
def test_newer_entries_leave_the_run_alone_and_mark_nothing(stage: Stage, name: str) -> None:
    """Commands say so, lists show it once it was met, and the others go on."""
    _, newer, _ = held(stage)
    records = stage.journal().load(RunId(newer.id)).records
    change, _ = NEWER[name]
    body = change(records[2].body)
    rewrite(stage, stage.journal(), RunId(newer.id), forged(records, 2, body=body))
    stage.clock.advance(90)
    mesh = stage.mesh(actions=ACTIONS)
    good = mesh.start_spec(OTHER, "placed", {}, actions=ACTIONS)
    mesh.drain()

    for verb in (mesh.cancel, mesh.inspect, mesh.pause):
        error = refusal(lambda verb=verb: verb(newer))  # type: ignore[misc]  # lambdas cannot be annotated
        assert ("newer_entries", records[2].first) == (error.code, error.details["revision"])
    assert "completed" == mesh.inspect(good).status
    assert {newer.id: True, good.id: False} == {run.id: run.newer for run in mesh.runs().items}
    assert stage.journal().survey().quarantined == {}


def test_what_a_newer_process_appended_to_costs_no_delivery(stage: Stage) -> None:
    """An older one does not claim it even once, however often it looks."""
    mesh = stage.mesh()
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    record = add_newer_append(mesh.door.journal.load(RunId(run.id)).records)
    batch = Batch(
        record=record,
        expected=Revision(record.first - 1),
        rows=RowChanges(),
        codec=CODEC_VERSION + 1,
    )
    assert isinstance(mesh.door.journal.append((batch,))[0], Committed)
    old = stage.mesh(actions=ACTIONS)

    assert 0 == old.drain()

    assert record == stage.journal().stored(RunId(run.id), Revision(0), 99)[-1]
    (listed,) = old.runs().items
    assert listed.newer


def test_a_forged_body_reads_as_json_text() -> None:
    """What the cases above change is really there to be changed."""
    for name, (change, _) in NEWER.items():
        body = canonical.encode([{"type": "attempt_heartbeat", "v": 1}])
        assert body != change(body), name
