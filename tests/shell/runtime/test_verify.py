"""Verify: all of it is read again; damage is marked, and what is mended is lifted."""

from collections.abc import Callable

import pytest
from attrs import evolve

from squidmesh import Mesh, Run, RunNotFound, StorageError
from squidmesh.door import checkpoints as checkpoints_module
from squidmesh.door import recall as recall_module
from squidmesh.door import reindex
from squidmesh.door.checkpoints import checkpoint_of, thawed
from squidmesh.door.requests import drive
from squidmesh.upkeep import verifying
from squidmesh_core.ids import BEGINNING, AttemptKey, Revision, RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, IndexRows, RunRow
from squidmesh_storage.api import Checkpoint, Journal, Quarantine
from support.damage import (
    DAMAGES,
    NEWER,
    Records,
    add_newer_append,
    forged,
    rewrite,
    rewrite_definition,
    say_codec,
)
from support.stage import EPOCH, Stage, claimed, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b", output="b"))


def one() -> int:
    """Give 1."""
    return 1


ACTIONS = does(a=one, b=one)


@pytest.fixture(autouse=True, params=[1, 500])
def pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many appends are read at once."""
    monkeypatch.setattr(verifying, "PAGE", request.param)


def held(stage: Stage) -> tuple[RunId, Records]:
    """A run with four appends whose first step somebody holds."""
    mesh = stage.mesh()
    run = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh.heartbeat(mesh.heartbeat(claimed(mesh)))
    run_id = RunId(run.id)
    return run_id, mesh.door.journal.load(run_id, whole=True).records


def begun(stage: Stage) -> Run:
    """A run that waits for a worker."""
    return stage.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS)


# --- what is right


def test_what_is_right_is_clean(stage: Stage) -> None:
    """Held, waiting and ended runs; how much was read is told."""
    mesh = stage.mesh(actions=ACTIONS)
    ended = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh.drain()
    run_id, records = held(stage)
    begun(stage)

    report = stage.mesh().verify(checker=True)

    entries = records[-1].last + mesh.inspect(ended).at_revision + 3
    assert ({"ok": 3}, (), entries) == (report.verdicts, report.results, report.entries)
    assert report.clean
    (verified,) = stage.mesh().verify(run_id).results
    assert ("ok", records[-1].last, False) == (verified.verdict, verified.revision, verified.lifted)


def test_an_empty_journal_is_clean(stage: Stage) -> None:
    """There is nothing that could be wrong."""
    report = stage.mesh().verify()

    assert (0, True) == (report.runs, report.clean)


def test_a_run_that_is_not_there_cannot_be_verified(stage: Stage) -> None:
    """Neither right nor wrong."""
    with pytest.raises(RunNotFound):
        stage.mesh().verify("0193e2a0-7b3c-7d10-8f00-123456789abc")


def test_what_is_appended_meanwhile_is_read_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a later head are not taken for wrong ones."""
    worker = stage.mesh()
    run = worker.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh = stage.mesh()
    honest = mesh.door.journal.rows_of
    moves: list[Callable[[], object]] = [lambda: worker.cancel(run), lambda: claimed(worker)]

    def busy(run_id: RunId) -> IndexRows:
        if moves:
            moves.pop()()
        return honest(run_id)

    monkeypatch.setattr(mesh.door.journal, "rows_of", busy)

    (verified,) = mesh.verify(run).results

    assert ("ok", worker.inspect(run).at_revision) == (verified.verdict, verified.revision)


def test_what_differs_is_found_though_something_is_appended_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are read again, and held against the later head."""
    run_id, records = held(stage)
    mesh = stage.mesh()
    journal = mesh.door.journal
    honest = journal.rows_of
    moves: list[Callable[[], object]] = [lambda: stage.mesh().pause(run_id)]

    def busy(run_id: RunId) -> IndexRows:
        if moves:
            moves.pop()()
            head = journal.load(run_id).head.revision
            assert journal.index(run_id, head, _other_run(honest(run_id)))
        return honest(run_id)

    monkeypatch.setattr(journal, "rows_of", busy)

    (found,) = mesh.verify(run_id).results

    assert ("index_differs", ("run",)) == (found.verdict, found.rows)
    assert found.revision > records[-1].last


def test_a_run_that_is_removed_meanwhile_is_none_of_those_verified(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was named before it went; the others are judged all the same."""
    mesh = stage.mesh()
    gone, left = RunId(begun(stage).id), begun(stage)
    head = mesh.door.journal.load(gone).head.revision
    honest = mesh.door.journal.run_ids

    def named(after: RunId | None, limit: int) -> tuple[RunId, ...]:
        found = honest(after, limit)
        mesh.door.journal.remove(gone, head, None)
        return found

    monkeypatch.setattr(mesh.door.journal, "run_ids", named)

    report = mesh.verify()

    assert ({"ok": 1}, True) == (report.verdicts, report.clean)
    assert "running" == mesh.inspect(left).status


# --- damage


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_marked_and_lifted_once_it_is_mended(stage: Stage, name: str) -> None:
    """The revision is named; the others are clean; afterwards the run goes on to its end."""
    run_id, records = held(stage)
    begun(stage)
    journal, case = stage.journal(), DAMAGES[name]
    rewrite(stage, journal, run_id, case.harm(records))
    mesh = stage.mesh(actions=ACTIONS)

    report = mesh.verify()

    (found,) = report.results
    assert {"ok": 1, "damaged": 1} == report.verdicts
    assert (run_id, case.shows_at(records)) == (found.run_id, found.at_revision)
    assert found.at_revision is not None
    assert found.revision < found.at_revision
    mark = Quarantine(revision=found.at_revision, reason=str(found.reason))
    assert {run_id: mark} == journal.survey().quarantined

    rewrite(stage, journal, run_id, records)
    with pytest.raises(StorageError):
        mesh.inspect(run_id)
    (mended,) = mesh.verify().results
    assert (run_id, "ok", True) == (mended.run_id, mended.verdict, mended.lifted)
    stage.clock.advance(90)
    mesh.drain()
    assert "completed" == mesh.inspect(run_id).status


def test_a_journal_that_is_gone_is_missed(stage: Stage) -> None:
    """The index lists the run: it is named, marked, and goes on once its journal is back."""
    run_id, records = held(stage)
    begun(stage)
    journal = stage.journal()
    rewrite(stage, journal, run_id, ())
    mesh = stage.mesh(actions=ACTIONS)

    (found,) = mesh.verify().results

    reason = "the index lists it, and its journal is gone"
    assert (run_id, "damaged", 0, 1, reason) == (
        found.run_id, found.verdict, found.revision, found.at_revision, found.reason,
    )  # fmt: skip
    assert (found,) == mesh.verify(run_id).results
    mark = Quarantine(revision=Revision(1), reason=reason)
    assert {run_id: mark} == mesh.health().quarantined

    rewrite(stage, journal, run_id, records)
    (mended,) = mesh.verify().results
    assert (run_id, "ok", True) == (mended.run_id, mended.verdict, mended.lifted)
    stage.clock.advance(90)
    mesh.drain()
    assert "completed" == mesh.inspect(run_id).status


@pytest.mark.parametrize("pages", [1, 2, 500])
def test_every_run_is_verified_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """Listed ones, those that the index does not know, and those whose journal is gone."""
    monkeypatch.setattr(reindex, "_PAGE", pages)
    listed, unlisted, gone, last = (RunId(begun(stage).id) for _ in range(4))
    journal = stage.journal()
    assert journal.index(unlisted, journal.load(unlisted).head.revision, IndexRows())
    rewrite(stage, journal, gone, ())

    report = stage.mesh().verify()

    assert {"ok": 2, "index_differs": 1, "damaged": 1} == report.verdicts
    assert {unlisted: "index_differs", gone: "damaged"} == {
        one.run_id: one.verdict for one in report.results
    }
    assert {listed, last}.isdisjoint(one.run_id for one in report.results)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda _: None, id="gone"),
        pytest.param(lambda text: text.replace("do.a", "do.z"), id="changed"),
        pytest.param(lambda text: text[:-9], id="cut short"),
    ],
)
def test_a_definition_is_read_as_it_is_stored(
    stage: Stage, text: Callable[[str], str | None]
) -> None:
    """Also by a process that has it in memory; put back, it lifts the mark."""
    run = begun(stage)
    mesh = stage.mesh()
    mesh.inspect(run)
    stored = mesh.door.journal.definition(run.fingerprint)
    assert stored is not None
    rewrite_definition(stage, mesh.door.journal, run.fingerprint, text(stored))

    (found,) = mesh.verify().results

    assert ("damaged", 2) == (found.verdict, found.at_revision)
    rewrite_definition(stage, mesh.door.journal, run.fingerprint, stored)
    assert mesh.verify().clean
    assert "running" == mesh.inspect(run).status


def test_a_body_that_is_not_canonical_is_damage(stage: Stage) -> None:
    """Its hash fits and it can be read: somebody else than squidmesh wrote it."""
    run_id, records = held(stage)
    loose = forged(records, 1, body=records[1].body.replace('"v":1', '"v": 1'))
    rewrite(stage, stage.journal(), run_id, loose)

    (found,) = stage.mesh().verify().results

    assert ("damaged", records[1].first) == (found.verdict, found.at_revision)
    assert "canonical" in str(found.reason)


def test_a_report_is_made_where_nobody_can_write(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that is looked at read-only."""
    run_id, records = held(stage)
    rewrite(stage, stage.journal(), run_id, records[1:])
    mesh = stage.mesh()

    def refuse(run_id: RunId, mark: Quarantine | None) -> None:
        raise StorageError("read-only", "storage_error", {})

    monkeypatch.setattr(mesh.door.journal, "quarantine", refuse)

    assert {"damaged": 1} == mesh.verify().verdicts


def test_what_the_definition_does_not_have_is_damage(stage: Stage) -> None:
    """A step of another name, forged so well that all of its keys and hashes fit."""
    run_id, records = held(stage)
    told = [
        evolve(one, body=one.body.replace(":a", ":z").replace('"step":"a"', '"step":"z"'))
        for one in records
    ]
    rewrite(stage, stage.journal(), run_id, forged(told, 0, body=told[0].body))
    mesh = stage.mesh(actions=ACTIONS)

    (found,) = mesh.verify().results

    assert ("damaged", 3) == (found.verdict, found.at_revision)
    assert "'z' is no such node" in str(found.reason)
    with pytest.raises(StorageError, match="is no such node"):
        mesh.inspect(run_id)
    assert "run_quarantined" == mesh.explain(run_id).reason


# --- newer entries


@pytest.mark.parametrize("name", NEWER)
def test_newer_entries_are_named_and_nothing_is_marked(stage: Stage, name: str) -> None:
    """Type, version and revision; health counts it from now on."""
    run_id, records = held(stage)
    change, reason = NEWER[name]
    rewrite(stage, stage.journal(), run_id, forged(records, 2, body=change(records[2].body)))
    mesh = stage.mesh()

    report = mesh.verify()

    (found,) = report.results
    assert ({"newer": 1}, False) == (report.verdicts, report.clean)
    assert (reason, records[2].first) == (found.reason, found.at_revision)
    assert records[-1].last == found.revision
    assert stage.journal().survey().quarantined == {}
    assert (run_id,) == mesh.health().newer


def test_a_run_that_was_left_alone_is_worked_on_once_it_is_right_again(stage: Stage) -> None:
    """By the same process: what it left alone it looks at no more, unless it is told."""
    run = RunId(begun(stage).id)
    records = stage.journal().load(run, whole=True).records
    rewrite(stage, stage.journal(), run, (*records, add_newer_append(records)))
    mesh = stage.mesh(actions=ACTIONS)
    assert {"newer": 1} == mesh.verify().verdicts
    rewrite(stage, stage.journal(), run, records)
    assert 0 == mesh.drain()

    assert mesh.verify().clean

    mesh.drain()
    assert "completed" == mesh.inspect(run).status


@pytest.mark.parametrize(
    ("codec", "verdict"), [(CODEC_VERSION + 1, "newer"), (9_999, "newer"), (0, "damaged")]
)
def test_a_codec_that_this_release_does_not_know_is_found(
    stage: Stage, codec: int, verdict: str
) -> None:
    """A later one is another process's to read, one that never was is damage; nothing is lost."""
    run_id, records = held(stage)
    begun(stage)
    journal = stage.journal()
    say_codec(stage, journal, run_id, codec)
    mesh = stage.mesh(actions=ACTIONS)

    (found,) = mesh.verify().results

    assert (run_id, verdict, records[-1].last) == (
        found.run_id, found.verdict, found.at_revision,
    )  # fmt: skip
    assert f"codec {codec}" in str(found.reason)
    assert records == journal.stored(run_id, BEGINNING, 99)
    say_codec(stage, journal, run_id, CODEC_VERSION)
    (mended,) = mesh.verify(run_id).results
    assert ("ok", verdict == "damaged") == (mended.verdict, mended.lifted)
    stage.clock.advance(90)
    mesh.drain()
    assert "completed" == mesh.inspect(run_id).status


def test_damage_behind_newer_entries_is_found(stage: Stage) -> None:
    """The chain is judged to its end, whoever can read what it links."""
    run_id, records = held(stage)
    change, _ = NEWER["an unknown type"]
    newer = list(forged(records, 2, body=change(records[2].body)))
    newer[3] = evolve(newer[3], hash="00" * 32)
    rewrite(stage, stage.journal(), run_id, newer)

    (found,) = stage.mesh().verify().results

    assert ("damaged", records[3].first) == (found.verdict, found.at_revision)


# --- the index


def _other_run(rows: IndexRows) -> IndexRows:
    assert isinstance(rows.run, RunRow)
    return evolve(rows, run=evolve(rows.run, status="completed"))


def _attempt(change: Callable[[AttemptRow], AttemptRow]) -> Callable[[IndexRows], IndexRows]:
    return lambda rows: evolve(rows, attempts=tuple(change(row) for row in rows.attempts))


WRONG_ROWS: dict[str, tuple[Callable[[IndexRows], IndexRows], str]] = {
    "another status": (_other_run, "run"),
    "no run": (lambda rows: evolve(rows, run=None), "run"),
    "no attempts": (lambda rows: evolve(rows, attempts=()), "{run}:a:1"),
    "an attempt that was never": (
        _attempt(lambda row: evolve(row, attempt_key=AttemptKey(f"{row.run_id}:z:1"))),
        "{run}:z:1",
    ),
    "another queue": (_attempt(lambda row: evolve(row, queue="nowhere")), "{run}:a:1"),
    "unclaimed": (_attempt(lambda row: evolve(row, held_until=None)), "{run}:a:1"),
    "held too long": (
        _attempt(
            lambda row: evolve(
                row, held_until=row.held_until and row.held_until.max.replace(tzinfo=EPOCH.tzinfo)
            )
        ),
        "{run}:a:1",
    ),
    "a correlation that was never": (
        lambda rows: evolve(
            rows,
            correlations=(
                CorrelationRow(
                    run_id=rows.attempts[0].run_id, workflow="orders", node="n", correlation="7"
                ),
            ),
        ),
        "n: 7",
    ),
}


@pytest.mark.parametrize("name", WRONG_ROWS)
def test_wrong_index_rows_are_named_and_reindex_mends_them(stage: Stage, name: str) -> None:
    """The run itself is right: nothing is marked."""
    run_id, records = held(stage)
    wrong, row = WRONG_ROWS[name]
    journal = stage.journal()
    right = journal.rows_of(run_id)
    assert journal.index(run_id, records[-1].last, wrong(right))
    mesh = stage.mesh()

    (found,) = mesh.verify().results

    assert "index_differs" == found.verdict
    assert row.format(run=run_id) in found.rows
    assert journal.survey().quarantined == {}
    mesh.reindex()
    assert mesh.verify().clean
    assert right == journal.rows_of(run_id)


def test_the_row_of_a_held_attempt_may_lag(stage: Stage) -> None:
    """Its lease is a lower bound (specs/protocol.md §8.10)."""
    run_id, records = held(stage)
    journal = stage.journal()
    rows = _attempt(lambda row: evolve(row, held_until=EPOCH))(journal.rows_of(run_id))
    assert journal.index(run_id, records[-1].last, rows)

    assert stage.mesh().verify().clean


# --- the checkpoint


def checkpointed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[Mesh, RunId, Checkpoint]:
    """A run with a checkpoint inside its journal."""
    run_id, _ = held(stage)
    monkeypatch.setattr(checkpoints_module, "GROWTH", 1)
    mesh = stage.mesh(actions=ACTIONS)
    mesh.inspect(run_id)
    stage.clock.advance(90)
    claimed(mesh)
    stored = mesh.door.journal.checkpoint(run_id)
    assert stored is not None
    return mesh, run_id, stored


def test_a_checkpoint_that_holds_the_state_is_usable(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is compared with what the journal says at its revision."""
    mesh, run_id, stored = checkpointed(stage, monkeypatch)

    (found,) = mesh.verify(run_id).results

    assert ("ok", "usable") == (found.verdict, found.checkpoint)
    assert stored == mesh.door.journal.checkpoint(run_id)


def _lying(stored: Checkpoint, journal: Journal, run_id: RunId) -> Checkpoint:
    """A checkpoint that can be read, and holds another state than the journal."""
    state = thawed(run_id, stored)
    assert state is not None
    return checkpoint_of(evolve(state, context={**state.context, "a": 2}), stored.hash)


UNUSABLE: dict[str, Callable[[Checkpoint, Journal, RunId], Checkpoint]] = {
    "garbled": lambda one, _, __: evolve(one, body="garbled"),
    "of another history": lambda one, _, __: evolve(one, hash="00" * 32),
    "of another revision": lambda one, _, __: evolve(one, revision=Revision(one.revision - 1)),
    "from the future": lambda one, _, __: evolve(one, revision=Revision(99)),
    "that lies": _lying,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_checkpoint_that_is_not_usable_is_dropped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The run is as right as without one; even one that reads well and lies is found."""
    mesh, run_id, stored = checkpointed(stage, monkeypatch)
    journal = mesh.door.journal
    journal.put_checkpoint(run_id, UNUSABLE[name](stored, journal, run_id))

    report = mesh.verify()

    (found,) = report.results
    assert ("ok", "unusable", True) == (found.verdict, found.checkpoint, report.clean)
    assert journal.checkpoint(run_id) is None


def test_what_nobody_may_change_is_reported_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark that is over, and a checkpoint that cannot be used: whoever may only read sees them."""
    mesh, run_id, stored = checkpointed(stage, monkeypatch)
    journal = mesh.door.journal
    unusable, mark = evolve(stored, body="garbled"), Quarantine(revision=None, reason="a mistake")
    journal.put_checkpoint(run_id, unusable)
    journal.quarantine(run_id, mark)

    def refuse(*_: object) -> None:
        raise StorageError("read-only", "storage_error", {})

    with monkeypatch.context() as only_reads:
        only_reads.setattr(journal, "quarantine", refuse)
        only_reads.setattr(journal, "delete_checkpoint", refuse)
        (found,) = mesh.verify().results

    assert ("ok", "unusable", False) == (found.verdict, found.checkpoint, found.lifted)
    assert (unusable, {run_id: mark}) == (
        journal.checkpoint(run_id), journal.survey().quarantined,
    )  # fmt: skip


def test_a_checkpoint_of_another_release_is_not_judged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote it can use it."""
    mesh, run_id, stored = checkpointed(stage, monkeypatch)
    other = evolve(stored, codec_version=stored.codec_version + 1, body="?")
    mesh.door.journal.put_checkpoint(run_id, other)

    (found,) = mesh.verify(run_id).results

    assert ("ok", "of_another_release") == (found.verdict, found.checkpoint)
    assert other == mesh.door.journal.checkpoint(run_id)


# --- the checker


def test_a_journal_that_breaks_a_rule_is_reported_if_asked(stage: Stage) -> None:
    """It can be read and nothing is marked; the rule and the revision are named."""
    run_id, records = held(stage)
    body = records[2].body.replace('"claim_id":"', '"claim_id":"0')
    rewrite(stage, stage.journal(), run_id, forged(records, 2, body=body))
    mesh = stage.mesh()

    assert "rules_broken" not in mesh.verify().verdicts
    (found,) = mesh.verify(checker=True).results

    assert "rules_broken" == found.verdict
    assert ("C6", records[2].first) in [(one.rule, one.revision) for one in found.violations]
    assert stage.journal().survey().quarantined == {}


def test_recall_and_verify_tell_the_same(stage: Stage) -> None:
    """What a command is refused with is what the report says."""
    run_id, records = held(stage)
    rewrite(stage, stage.journal(), run_id, DAMAGES["two rows swapped"].harm(records))
    mesh = stage.mesh()

    with pytest.raises(StorageError) as caught:
        drive(recall_module.recall(mesh.door.memory, run_id), mesh.door.journal, mesh.door.ports)
    (found,) = mesh.verify().results

    assert (found.at_revision, found.reason) == (
        caught.value.details["revision"],
        caught.value.details["reason"],
    )
