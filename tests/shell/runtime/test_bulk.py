"""Many runs steered at once: each decided about alone, nothing done twice, nothing in a plan."""

from datetime import timedelta
from typing import cast

import pytest
from attrs import evolve

from squidmesh import (
    Bulk,
    ConfigError,
    Mesh,
    RevisionConflict,
    Run,
    RunNotFound,
    StorageUnavailable,
)
from squidmesh.door.handle import Handled
from squidmesh.steering.bulk import Which
from squidmesh_core.ids import RunId, replay_run_id
from squidmesh_storage.api import Quarantine
from support.stage import Stage, does
from support.workflows import chain, step

SPEC = chain(step("a", output="a"), step("b"))
FOR_GOOD = chain(step("a", irreversible=True, compensatable=False))
ACTIONS = does(a=lambda: 1, b=lambda: 2)


def begun(stage: Stage, count: int) -> tuple[Mesh, list[Run]]:
    """So many runs, a second apart; the newest first, as lists have them."""
    mesh, runs = stage.mesh(), list[Run]()
    for _ in range(count):
        runs.insert(0, mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS, tags=("vip",)))
        stage.clock.advance(1)
    return mesh, runs


def cancelled(stage: Stage, count: int) -> tuple[Mesh, list[Run]]:
    """The same, once they are over."""
    mesh, runs = begun(stage, count)
    mesh.cancel_all(runs)
    return mesh, runs


def outcomes(told: Bulk) -> list[tuple[str, str]]:
    """Run and outcome of each."""
    return [(item.id, item.outcome) for item in told.items]


def revisions(mesh: Mesh, runs: list[Run]) -> list[int]:
    """How far each run has come."""
    return [mesh.inspect(run).at_revision for run in runs]


# --- cancel


def test_all_that_a_filter_lets_through_are_cancelled(stage: Stage) -> None:
    """With what follows of each, and who said so in each journal."""
    mesh, runs = begun(stage, 3)

    told = mesh.cancel_all({"tag": "vip"}, by="ana", note="flood")

    assert ("cancel", False, None) == (told.verb, told.planned, told.next)
    assert [(run.id, "done") for run in runs] == outcomes(told)
    assert {("running", "cancelled")} == {(item.before, item.after) for item in told.items}
    assert {("the run ends here, cancelled",)} == {item.effects for item in told.items}
    assert ["cancelled"] * 3 == [mesh.inspect(run).status for run in runs]
    assert {"ana"} == {mesh.inspect(run).command_history[-1].actor for run in runs}


def test_a_plan_says_the_same_and_writes_nothing(stage: Stage) -> None:
    """Decided by the decider that is asked in earnest afterwards."""
    mesh, runs = begun(stage, 3)
    before = revisions(mesh, runs)

    planned = mesh.cancel_all({"tag": "vip"}, plan=True)
    unchanged = revisions(mesh, runs)
    done = mesh.cancel_all({"tag": "vip"})

    assert planned.planned
    assert before == unchanged
    assert planned.items == done.items


def test_a_no_to_one_run_stops_no_other(stage: Stage) -> None:
    """It is told with its code, as of an unknown run and an unreadable one; each is asked once."""
    mesh, runs = begun(stage, 4)
    mesh.cancel(runs[1])
    damaged = RunId(runs[2].id)
    mesh.door.journal.quarantine(damaged, Quarantine(revision=None, reason="struck by lightning"))
    nobody = RunId("0190f0e0-0000-7000-8000-000000000001")

    told = stage.mesh().cancel_all([*runs, nobody, runs[0]])

    codes = [item.code for item in told.items]
    assert [None, "invalid_transition", "run_quarantined", None, "not_found"] == codes
    assert ["done", "refused", "refused", "done", "refused"] == [
        item.outcome for item in told.items
    ]
    assert all(item.message for item in told.those("refused"))
    assert [("cancelled", "cancelled"), (None, None)] == [
        (item.before, item.after) for item in told.items[1:3]
    ]


def test_runs_that_are_over_are_left_out_unless_they_are_asked_for(stage: Stage) -> None:
    """Nobody who cancels what runs wants to hear of last year's."""
    mesh, runs = begun(stage, 2)
    mesh.cancel(runs[0])

    assert [runs[1].id] == [item.id for item in mesh.cancel_all({"tag": "vip"}).items]
    told = mesh.cancel_all({"status": "cancelled"})
    assert [(run.id, "refused") for run in runs] == outcomes(told)


def test_the_same_key_again_does_nothing_twice(stage: Stage) -> None:
    """What was cut off in the middle is called again as it was."""
    mesh, runs = begun(stage, 3)
    first = mesh.cancel_all(runs[:2], key="k-1")
    before = revisions(mesh, runs[:2])

    again = mesh.cancel_all(runs, key="k-1")

    assert ["done", "done"] == [item.outcome for item in first.items]
    assert ["already", "already", "done"] == [item.outcome for item in again.items]
    assert before == revisions(mesh, runs[:2])


def test_pages_go_on_where_the_last_one_ended(stage: Stage) -> None:
    """Also under a filter that a cancelled run fits no longer."""
    mesh, runs = begun(stage, 5)
    told: list[str] = []
    cursor = None
    while True:
        page = mesh.cancel_all({"status": "running"}, limit=2, cursor=cursor)
        told += [item.id for item in page.items]
        assert len(page.items) <= 2
        cursor = page.next
        if cursor is None:
            break

    assert [run.id for run in runs] == told


def test_the_options_are_those_of_one(stage: Stage) -> None:
    """What is undone first, and where that may be given up."""
    mesh = stage.mesh()
    undoable = chain(evolve(step("a", output="a"), compensate="do.b"), step("b"))
    run = mesh.start_spec(undoable, "placed", {}, actions=ACTIONS)
    mesh.execute_next()

    undoing = mesh.cancel_all([run], compensate=True)
    again = mesh.cancel_all([run])
    ended = mesh.cancel_all([run], abandon=True)

    assert ("compensating", ("undone, in this order: 'a'",)) == (
        undoing.items[0].after,
        undoing.items[0].effects,
    )
    assert ["compensating", None] == [again.items[0].code, ended.items[0].code]
    assert "cancelled" == ended.items[0].after


# --- replay


def test_all_that_a_filter_lets_through_are_replayed(stage: Stage) -> None:
    """Each under the id that its source and the key make."""
    mesh, runs = cancelled(stage, 2)

    told = mesh.replay_all({"status": "cancelled"}, key="k-1", by="ana")

    assert [replay_run_id(RunId(run.id), "k-1") for run in runs] == [i.begun for i in told.items]
    assert {("done", "cancelled", "cancelled")} == {
        (item.outcome, item.before, item.after) for item in told.items
    }
    new = [mesh.inspect(cast("str", item.begun)) for item in told.items]
    assert [run.id for run in runs] == [one.run.replayed_from for one in new]


def test_the_same_key_replays_nothing_twice(stage: Stage) -> None:
    """Not even the replays that fit the same filter by now."""
    mesh, _ = cancelled(stage, 2)
    first = mesh.replay_all({"status": "cancelled"}, key="k-1")
    mesh.cancel_all([cast("str", item.begun) for item in first.items])

    again = mesh.replay_all({"status": "cancelled"}, key="k-1")
    planned = mesh.replay_all({"status": "cancelled"}, key="k-1", plan=True)

    assert ["already", "already"] == [item.outcome for item in again.items]
    assert [item.begun for item in first.items] == [item.begun for item in again.items]
    assert again.items == planned.items
    assert 4 == len(mesh.runs().items)


def test_pages_of_replays_go_on_where_the_last_one_ended(stage: Stage) -> None:
    """Until there are no more; runs that have begun meanwhile are on none of them."""
    mesh, runs = cancelled(stage, 3)

    first = mesh.replay_all({"status": "cancelled"}, key="k-1", limit=2)
    second = mesh.replay_all({"status": "cancelled"}, key="k-1", limit=2, cursor=first.next)

    assert [(run.id, "done") for run in runs] == [*outcomes(first), *outcomes(second)]
    assert (True, None) == (first.next is not None, second.next)


def test_a_run_that_is_not_there_stops_no_other_replay(stage: Stage) -> None:
    """It is told with its code, in its place, in a plan as well."""
    mesh, runs = cancelled(stage, 1)
    nobody = RunId("0190f0e0-0000-7000-8000-000000000001")

    for plan in (True, False):
        told = mesh.replay_all([nobody, runs[0]], key="k-1", plan=plan)
        assert [(nobody, "refused"), (runs[0].id, "done")] == outcomes(told)
        assert ["not_found", None] == [item.code for item in told.items]


def test_a_plan_of_replays_says_what_would_run_again(stage: Stage) -> None:
    """And begins none."""
    mesh, runs = cancelled(stage, 1)

    told = mesh.replay_all(runs, key="k-1", plan=True)

    assert (("begins at the beginning",), None) == (told.items[0].effects, told.items[0].begun)
    assert 1 == len(mesh.runs().items)


def test_an_unsafe_replay_is_refused_among_others(stage: Stage) -> None:
    """In a plan as in earnest; the one word that overrides is that of `replay`."""
    mesh = stage.mesh()
    run = mesh.start_spec(FOR_GOOD, "placed", {}, actions=ACTIONS)
    mesh.drain()
    safe = mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS)
    mesh.cancel(safe)

    planned = mesh.replay_all([run, safe], key="k-1", plan=True)
    done = mesh.replay_all([run, safe], key="k-1")
    forced = mesh.replay_all([run], key="k-2", allow_irreversible=True)

    for told in (planned, done):
        assert [("refused", "unsafe_replay"), ("done", None)] == [
            (item.outcome, item.code) for item in told.items
        ]
    assert ["done"] == [item.outcome for item in forced.items]


def test_active_runs_are_left_out_of_replays(stage: Stage) -> None:
    """Unless they are named: then each is refused."""
    mesh, runs = begun(stage, 1)

    assert () == mesh.replay_all({"tag": "vip"}, key="k-1").items
    assert ["invalid_replay_source"] == [i.code for i in mesh.replay_all(runs, key="k").items]


def test_a_key_that_belongs_to_another_replay_is_a_no(stage: Stage) -> None:
    """To that run alone."""
    mesh, runs = cancelled(stage, 2)
    mesh.replay(runs[0], key="k-1", by="bo")

    told = mesh.replay_all(runs, key="k-1", by="ana")
    planned = mesh.replay_all(runs, key="k-1", by="ana", plan=True)

    assert ["idempotency_conflict", None] == [item.code for item in told.items]
    assert ["idempotency_conflict", None] == [item.code for item in planned.items]


# --- what is wrong


@pytest.mark.parametrize(
    "which", [{}, {"workflow": None}, {"colour": "red"}, {"status": "lost"}, "all", 7, [""] * 501]
)
def test_a_wrong_choice_is_named(stage: Stage, which: object) -> None:
    """An empty filter, too: nobody means all runs there are."""
    mesh, runs = begun(stage, 1)

    with pytest.raises(ConfigError) as caught:
        mesh.cancel_all(cast("Which", which))

    assert "invalid_option" == caught.value.code
    assert "running" == mesh.inspect(runs[0]).status


def test_wrong_options_are_named_before_anything_is_read(stage: Stage) -> None:
    """Whether a run is there or not."""
    mesh, runs = begun(stage, 1)

    with pytest.raises(ConfigError, match="cursor"):
        mesh.cancel_all(runs, cursor="x")
    with pytest.raises(ConfigError, match="opposite"):
        mesh.cancel_all([], compensate=True, abandon=True)
    with pytest.raises(ConfigError, match="plan"):
        mesh.cancel_all([], plan=cast("bool", "yes"))
    with pytest.raises(ConfigError, match="limit"):
        mesh.cancel_all({"tag": "vip"}, limit=501)
    with pytest.raises(ConfigError, match="key"):
        mesh.replay_all([], key=cast("str", None))
    with pytest.raises(ConfigError, match="plan"):
        mesh.replay_all([], key="k-1", plan=cast("bool", "yes"))
    with pytest.raises(ConfigError, match="note"):
        mesh.replay_all([], key="k-1", note=cast("str", 7))
    with pytest.raises(RunNotFound):
        mesh.cancel_all(["zebra"])
    assert "running" == mesh.inspect(runs[0]).status


def test_a_storage_that_fails_ends_the_command(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done stays done, and the same call goes on."""
    mesh, runs = cancelled(stage, 2)
    door, fresh = mesh.door, mesh.door.fresh

    def away(run_id: RunId) -> object:
        if run_id == runs[1].id:
            raise StorageUnavailable("away", "storage_unavailable")
        return fresh(run_id)

    with monkeypatch.context() as broken:
        broken.setattr(door, "fresh", away)
        with pytest.raises(StorageUnavailable):
            mesh.replay_all(runs, key="k-1")

    assert ["already", "done"] == [i.outcome for i in mesh.replay_all(runs, key="k-1").items]


def test_what_the_door_raises_of_one_run_is_told_of_that_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours is raised, when all others have had their turn."""
    mesh, runs = begun(stage, 1)
    answers: list[Handled | Exception] = [RunNotFound("gone", "not_found")]
    monkeypatch.setattr(mesh.door, "handle_all", lambda *_, **__: answers)

    assert ["not_found"] == [item.code for item in mesh.cancel_all(runs).items]
    answers[:] = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        mesh.cancel_all(runs)
    # Nobody has said no: in a host's transaction, this one is to be rolled back.
    answers[:] = [RevisionConflict("others were first", "revision_conflict")]
    with pytest.raises(RevisionConflict):
        mesh.cancel_all(runs)


def test_the_instant_can_be_given(stage: Stage) -> None:
    """For tests, as with every command."""
    mesh, runs = begun(stage, 1)
    at = stage.clock.now + timedelta(hours=1)

    mesh.cancel_all(runs, now=at)

    assert at == mesh.inspect(runs[0]).run.ended_at
