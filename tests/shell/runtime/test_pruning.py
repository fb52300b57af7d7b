"""Pruning on every adapter: what goes, what stays, and who meets what is left."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Unpack

import pytest
from attrs import evolve

from squidmesh import (
    ActionRegistry,
    ConfigError,
    Mesh,
    Pruned,
    Run,
    SquidmeshError,
    StorageUnavailable,
)
from squidmesh.ports import Ports
from squidmesh.starting import StartOptions
from squidmesh.upkeep import pruned
from squidmesh.upkeep.pruning import PAGE
from squidmesh.workers.heartbeat import Heartbeats
from squidmesh.workers.line import StepSignals
from squidmesh_core.definition.spec import Field, ManualTrigger
from squidmesh_core.ids import BEGINNING, Revision, RunId, retry_run_id
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.entries import RunPruned
from squidmesh_core.values import RetryPolicy
from squidmesh_storage.api import Loaded
from support.damage import add_newer_append, rewrite, rewrite_definition
from support.stage import EPOCH, Stage, claimed, does, entries
from support.workflows import chain, receive, step

DAY = timedelta(days=1)
SPEC = chain(step("a", output="a"), step("b", output="b"))
OTHER = evolve(
    SPEC, triggers=(ManualTrigger(name="placed", payload=(Field(name="n", type="integer"),)),)
)
ONCE = RetryPolicy(max_attempts=1)
TRIP = chain(step("a", output="a", compensate=True, compensate_retry=ONCE), step("b"))


def one() -> int:
    """Give 1."""
    return 1


def broken() -> None:
    """Fail, always."""
    raise ValueError("it broke")


ACTIONS = does(a=one, b=one)


def started(mesh: Mesh, **options: Unpack[StartOptions]) -> Run:
    """A run of two steps, under a key or an id if one is given."""
    return mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS, **options)


def finished(mesh: Mesh, **options: Unpack[StartOptions]) -> Run:
    """Such a run, worked to its end."""
    run = started(mesh, **options)
    mesh.drain()
    return run


def refused(call: Callable[[], object]) -> tuple[str, object]:
    """The code that something is refused with, and its reason."""
    with pytest.raises(SquidmeshError) as caught:
        call()
    return caught.value.code, caught.value.details.get("reason")


# --- by age


def test_what_ended_long_ago_goes(stage: Stage) -> None:
    """Counted by workflow and status; what ended later stays, and so does what is active."""
    mesh = stage.mesh(actions=ACTIONS)
    old, keyed = finished(mesh), finished(mesh, key="A-1")
    stage.clock.advance(DAY)
    cancelled = mesh.cancel(started(mesh))
    active = mesh.start_spec(chain(receive("word")), "placed", {}, actions=ACTIONS)
    lengths = [len(entries(mesh.door.journal, run.id)) for run in (old, keyed, cancelled)]
    stage.clock.advance(9 * DAY)
    young = finished(mesh)
    stage.clock.advance(85 * DAY)
    said = mesh.prune("90d")

    assert (3, sum(lengths), 1, {}) == (said.runs, said.entries, said.tombstones, said.kept)
    assert [("cancelled", 1), ("completed", 2)] == list(said.statuses.items())
    assert {"orders": 3} == said.workflows
    assert (EPOCH, EPOCH + DAY, EPOCH + 5 * DAY) == (said.oldest, said.newest, said.before)
    assert {young.id, active.id} == {run.id for run in mesh.runs().items}
    assert ["not_found", "not_found"] == [
        refused(partial(mesh.inspect, run))[0] for run in (old, cancelled)
    ]
    assert mesh.inspect(keyed).run.pruned_at == stage.clock.now
    assert mesh.verify(checker=True).clean


def test_a_plan_says_the_same_and_does_nothing(stage: Stage) -> None:
    """Not even a thing is written; afterwards the same runs go."""
    mesh = stage.mesh(actions=ACTIONS)
    runs = [finished(mesh), finished(mesh, key="A-1")]
    stage.clock.advance(DAY)
    before = [entries(mesh.door.journal, run.id) for run in runs]
    plan = mesh.prune("1h", plan=True)

    assert before == [entries(mesh.door.journal, run.id) for run in runs]
    done = mesh.prune("1h")
    assert (True, False) == (plan.planned, done.planned)
    assert facts(plan) == facts(done)
    assert (0, 0, {}, None, None) == facts(mesh.prune("1h"))[:1] + facts(mesh.prune("1h"))[2:]


def facts(said: Pruned) -> tuple[object, ...]:
    """What a plan and what came of it have in common."""
    return said.runs, said.entries, said.tombstones, said.workflows, said.oldest, said.newest


def unlucky() -> ActionRegistry:
    """The actions of a trip that fails and cannot be undone."""
    actions = does(a=one, b=broken)
    actions.add("undo.a", broken)
    return actions


def left_undone(stage: Stage) -> tuple[Mesh, Run]:
    """A run that failed a day ago, and could not be undone."""
    actions = unlucky()
    mesh = stage.mesh(actions=actions)
    run = mesh.start_spec(TRIP, "placed", {}, actions=actions)
    mesh.drain()
    stage.clock.advance(DAY)
    assert "failed" == mesh.inspect(run).status
    return mesh, run


def test_many_pages_are_walked() -> None:
    """Runs that are kept do not hide those that ended after them."""
    stage = Stage(None)
    mesh, kept = left_undone(stage)
    for _ in range(PAGE + 5):
        mesh.cancel(mesh.start_spec(SPEC, "placed", {}, actions=mesh.actions))
    stage.clock.advance(DAY)

    for plan in (True, False):
        said = mesh.prune("1h", plan=plan)
        assert (PAGE + 5, {RunId(kept.id): "unrecovered"}) == (said.runs, said.kept_runs)
    stage.close()


def test_what_was_not_undone_keeps_a_run_until_it_is_taken_up(stage: Stage) -> None:
    """Then both go, and taking it up once more is refused: nothing begins again."""
    mesh, run = left_undone(stage)
    kept = mesh.prune("1h")
    again = mesh.retry_compensation(run)
    mesh.drain()
    stage.clock.advance(DAY)
    said = mesh.prune("1h")

    assert (0, {"unrecovered": 1}) == (kept.runs, kept.kept)
    assert retry_run_id(RunId(run.id)) == again.id
    # What undoes ends with something left as well here, and waits for somebody in its turn.
    assert (1, {RunId(again.id): "unrecovered"}) == (said.runs, said.kept_runs)
    assert "not_found" == refused(lambda: mesh.retry_compensation(run))[0]


def test_an_unreadable_run_stays(stage: Stage) -> None:
    """A damaged one, and one that a newer squidmesh wrote; the others go."""
    mesh = stage.mesh(actions=ACTIONS)
    newer, damaged, sound = (RunId(finished(mesh).id) for _ in range(3))
    stage.clock.advance(DAY)
    journal = mesh.door.journal
    for run_id in (newer, damaged):
        records = journal.load(run_id, whole=True).records
        harmed = (*records, add_newer_append(records)) if run_id == newer else records[1:]
        rewrite(stage, journal, run_id, harmed)
    said = stage.mesh(actions=ACTIONS).prune("1h")

    assert {newer: "unreadable", damaged: "unreadable"} == said.kept_runs
    assert (1, "not_found") == (said.runs, refused(lambda: stage.mesh().inspect(sound))[0])


def test_all_that_stay_are_counted_and_the_first_are_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of a million runs fits on a page."""
    mesh = stage.mesh(actions=ACTIONS)
    damaged = [RunId(finished(mesh).id) for _ in range(3)]
    stage.clock.advance(DAY)
    for run_id in damaged:
        rewrite(stage, mesh.door.journal, run_id, mesh.door.journal.load(run_id).records[1:])
    monkeypatch.setattr(pruned, "MOST_NAMED", 2)
    said = stage.mesh(actions=ACTIONS).prune("1h")

    assert ({"unreadable": 3}, sorted(damaged)[:2]) == (said.kept, list(said.kept_runs))


def test_what_was_taken_up_goes_though_that_run_is_damaged(stage: Stage) -> None:
    """It is there, and that is all that is asked."""
    mesh, run = left_undone(stage)
    again = RunId(mesh.retry_compensation(run).id)
    records = mesh.door.journal.load(again).records
    rewrite(stage, mesh.door.journal, again, [evolve(records[0], hash="0" * 64), *records[1:]])

    assert (1, {}) == ((said := stage.mesh().prune("1h")).runs, said.kept)


@pytest.mark.parametrize("reads", [0, 1])
def test_a_storage_that_is_away_ends_the_round(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    """While a run is read, or while it is looked whether it was taken up."""
    mesh, run = left_undone(stage)
    journal = mesh.door.journal
    loads: list[RunId] = []

    def load(run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        if len(loads) == reads:
            raise StorageUnavailable("away", "storage_unavailable", {})
        loads.append(run_id)
        return honest(run_id, after, whole=whole)

    honest = journal.load
    with monkeypatch.context() as away:
        away.setattr(journal, "load", load)
        assert "storage_unavailable" == refused(lambda: mesh.prune("1h"))[0]

    assert "failed" == mesh.inspect(run).status


# --- by name


def test_one_run_goes_by_name(stage: Stage) -> None:
    """Whatever its age and its end; a second time there is nothing to prune."""
    mesh, run = left_undone(stage)
    plan, said = mesh.prune(run=run, plan=True), mesh.prune(run=run.id)

    assert facts(plan) == facts(said)
    assert (1, None, {"failed": 1}) == (said.runs, said.before, said.statuses)
    assert "not_found" == refused(lambda: mesh.prune(run=run))[0]


def test_an_active_run_is_refused(stage: Stage) -> None:
    """In every state but its end, with nothing removed."""
    mesh = stage.mesh(actions=ACTIONS)
    run = started(mesh)
    claim = claimed(mesh)

    assert "invalid_transition" == refused(lambda: mesh.prune(run=run))[0]
    mesh.pause(run)
    assert "invalid_transition" == refused(lambda: mesh.prune(run=run))[0]
    mesh.resume(run)
    assert "running" == mesh.complete(claim, 1).status


def test_an_unreadable_run_is_not_pruned_by_name(stage: Stage) -> None:
    """Nobody can tell whether it is over."""
    mesh = stage.mesh(actions=ACTIONS)
    run = finished(mesh)
    rewrite_definition(stage, mesh.door.journal, SPEC.fingerprint, None)

    assert "run_quarantined" == refused(lambda: stage.mesh().prune(run=run))[0]


@pytest.mark.parametrize(
    ("older_than", "named"), [(None, False), ("90d", True), ("soon", False), ("-1s", False)]
)
def test_an_age_or_a_name_is_asked_for(stage: Stage, older_than: str | None, named: bool) -> None:
    """One of the two, and an age that is one; nothing is removed otherwise."""
    mesh = stage.mesh(actions=ACTIONS)
    run = finished(mesh)

    with pytest.raises(ConfigError, match="older_than"):
        mesh.prune(older_than, run=run if named else None)
    assert "completed" == mesh.inspect(run).status


# --- what is left


def test_the_same_start_finds_the_pruned_run(stage: Stage) -> None:
    """Under its key or its given id; another start is a conflict, in every process."""
    mesh = stage.mesh(actions=ACTIONS)
    given = "9f0c1e4a-53c9-7e9b-9d43-0d6b5c1ad001"  # of the version that is drawn otherwise
    options: list[StartOptions] = [{"key": "A-1"}, {"run_id": given}]
    for option in options:
        finished(mesh, **option)
    stage.clock.advance(DAY)
    assert (2, 0) == (mesh.prune("1h").runs, mesh.prune("0s").runs)

    for other in (mesh, stage.mesh(actions=ACTIONS)):
        for option in options:
            run = started(other, **option)
            begin = partial(other.start_spec, OTHER, "placed", {"n": 1}, actions=ACTIONS)
            seen = (run.duplicate, run.status, run.pruned_at)
            assert (True, "completed", stage.clock.now) == seen
            assert "idempotency_conflict" == refused(partial(begin, **option))[0]
    assert 0 == mesh.drain()


def test_a_drawn_id_leaves_a_tombstone_only_while_it_is_young(stage: Stage) -> None:
    """Its start may still be under way a second time; an hour later it is not."""
    mesh = stage.mesh(actions=ACTIONS)
    young, old = finished(mesh), started(mesh)
    mesh.prune(run=young)
    stage.clock.advance(timedelta(hours=1))
    mesh.drain()
    mesh.prune(run=old)

    assert [RunPruned] == [type(entry) for entry in entries(mesh.door.journal, young.id)]
    assert "not_found" == refused(lambda: entries(mesh.door.journal, old.id))[0]


def test_what_is_left_can_be_looked_at(stage: Stage) -> None:
    """Identity, end and times; what it was given and gave is said to be gone."""
    mesh = stage.mesh(actions=ACTIONS)
    run = finished(mesh, key="A-1")
    stage.clock.advance(DAY)
    mesh.prune("1h")
    seen = mesh.inspect(run)

    assert ("completed", EPOCH, stage.clock.now) == (
        seen.status,
        seen.run.ended_at,
        seen.run.pruned_at,
    )
    assert ["run_pruned"] == [entry.type for entry in mesh.journal(run)]
    assert run.id == mesh.wait_for(run, timeout="0s").id
    assert ("terminal_run", "pruned") == refused(lambda: mesh.inspect(run, at=EPOCH))
    assert ("terminal_run", "pruned") == refused(lambda: mesh.cancel(run))
    assert ("terminal_run", "pruned") == refused(lambda: mesh.prune(run=run))
    assert ("invalid_replay_source", "pruned") == refused(lambda: mesh.replay(run))
    assert (1, 0) == (mesh.reindex(), len(mesh.runs().items))


def test_a_pruned_replay_is_found_by_its_key(stage: Stage) -> None:
    """Though its source is gone as well."""
    mesh = stage.mesh(actions=ACTIONS)
    source = finished(mesh)
    replay = mesh.replay(source, key="again")
    mesh.drain()
    stage.clock.advance(DAY)
    mesh.prune("1h")
    same = mesh.replay(source, key="again")

    assert (replay.id, True) == (same.id, same.duplicate)
    assert "idempotency_conflict" == refused(lambda: mesh.replay(source, key="again", by="eve"))[0]


# --- whoever still knows the run


@pytest.mark.parametrize("key", ["A-1", None])
def test_a_process_that_knew_the_run_meets_what_is_left(stage: Stage, key: str | None) -> None:
    """A worker whose run was ended and pruned elsewhere settles nothing, and begins nothing."""
    mesh, other = stage.mesh(actions=ACTIONS), stage.mesh(actions=ACTIONS)
    run = started(mesh, key=key)
    claim = claimed(mesh)
    stage.clock.advance(timedelta(hours=2))
    other.cancel(run)
    other.prune(run=run)
    code = "not_found" if key is None else "terminal_run"

    assert code == refused(lambda: mesh.complete(claim, 1))[0]
    assert code == refused(lambda: mesh.heartbeat(claim))[0]
    assert code == refused(lambda: mesh.pause(run))[0]
    if key is None:
        assert code == refused(lambda: mesh.inspect(run))[0]
    else:
        assert "cancelled" == mesh.inspect(run).status
    assert {} == dict(mesh.health().quarantined)


def test_a_journal_that_got_shorter_otherwise_is_damage(stage: Stage) -> None:
    """Only a tombstone explains it."""
    mesh, other = stage.mesh(actions=ACTIONS), stage.mesh(actions=ACTIONS)
    run = RunId(started(mesh).id)
    journal = other.door.journal
    (first,) = journal.load(run).records
    claimed(mesh)
    head = journal.load(run).head
    assert journal.remove(run, head.revision, first)

    assert "run_quarantined" == refused(lambda: mesh.inspect(run))[0]


def test_two_who_prune_do_not_count_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second finds the runs removed by somebody else."""
    mesh, other = stage.mesh(actions=ACTIONS), stage.mesh(actions=ACTIONS)
    runs = [finished(mesh), finished(mesh, key="A-1"), finished(mesh)]
    stage.clock.advance(DAY)
    journal = mesh.door.journal
    first: list[RunId] = []

    def remove(run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        if not first:
            first.append(run_id)
            assert 3 == other.prune("1h").runs
        return honest(run_id, revision, tombstone)

    honest = journal.remove
    monkeypatch.setattr(journal, "remove", remove)
    said = mesh.prune("1h")

    assert (0, {"elsewhere": 3}) == (said.runs, said.kept)
    assert {RunId(run.id) for run in runs} == set(said.kept_runs)


def test_a_removal_that_comes_second_by_name_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is gone, but not by this hand."""
    mesh = stage.mesh(actions=ACTIONS)
    run = finished(mesh)
    monkeypatch.setattr(mesh.door.journal, "remove", lambda *_: False)

    assert "not_found" == refused(lambda: mesh.prune(run=run))[0]


def test_an_interrupted_round_leaves_each_run_whole_or_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage goes away between two removals; pruning again goes on from there."""
    mesh = stage.mesh(actions=ACTIONS)
    runs = [finished(mesh, key=f"A-{n}") for n in range(3)]
    stage.clock.advance(DAY)
    journal = mesh.door.journal
    removed: list[RunId] = []

    def remove(run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        if removed:
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        removed.append(run_id)
        return honest(run_id, revision, tombstone)

    honest = journal.remove
    with monkeypatch.context() as away:
        away.setattr(journal, "remove", remove)
        assert "storage_unavailable" == refused(lambda: mesh.prune("1h"))[0]

    left = [mesh.inspect(run).run.pruned_at is None for run in runs]
    assert [False, True, True] == sorted(left)
    assert 2 == mesh.prune("1h").runs


def test_a_running_step_learns_that_its_run_is_gone(stage: Stage) -> None:
    """With the next heartbeat, as it learns of a cancel."""
    seconds = [0.0]
    mesh = stage.mesh(actions=ACTIONS, ports=Ports(monotonic=lambda: seconds[0]))
    run, other = started(mesh), stage.mesh(actions=ACTIONS)
    beats, signals = Heartbeats(mesh.door, lease_ms=60_000), StepSignals()
    with beats.keeping(claimed(mesh), signals):
        stage.clock.advance(timedelta(hours=2))
        other.cancel(run)
        other.prune(run=run)
        seconds[0] = 20.0
        beats.beat_due()
    beats.stop()

    assert (True, True) == (signals.lost, signals.cancelled)
