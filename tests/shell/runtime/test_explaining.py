"""`Mesh.explain`: what is around a run is gathered as workers would meet it."""

import asyncio

import pytest

from squidmesh import AsyncMesh, ConfigError, Defer, Mesh, Run, RunNotFound, Spec
from squidmesh.workers.registry import SILENT_AFTER, Presence
from squidmesh_core.errors import StorageError, StorageUnavailable
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.views.explanation import Explanation
from squidmesh_storage.api import Quarantine
from support.stage import LEASE, Stage, claimed, does
from support.workflows import approval, chain, log, pause, receive, route, step, workflow

ONE = chain(step("a", output="a"))
ACTIONS = does(a=lambda: 1, b=lambda: 2)
FOR_GOOD = chain(step("a"), step("b", irreversible=True, compensatable=False))
ASKING = workflow(
    pause("count"),
    approval("review"),
    receive("paid"),
    step("a"),
    step("b"),
    routes=(
        route("count", "review"),
        route("review", "paid"),
        route("review", "b", on="error"),
        route("paid", "a"),
    ),
)


def start(mesh: Mesh, spec: Spec = ONE, *, key: str | None = None) -> Run:
    """One run of a spec."""
    return mesh.start_spec(spec, "placed", {}, actions=ACTIONS, partition_key=key)


def work(mesh: Mesh, owner: str = "host:1:ana") -> Presence:
    """Somebody who says that it works on the default queue."""
    here = Presence(
        mesh.door,
        owner=owner,
        queues=("default",),
        concurrency=1,
        actions=ACTIONS.performable,
    )
    here.begin()
    return here


def told(found: Explanation) -> tuple[str, str | None]:
    """The reason, and what it is about."""
    return found.reason, found.node


def actions(found: Explanation) -> set[str]:
    """What may be done."""
    return {one.name for one in found.next_actions}


# --- workers


def test_without_a_worker_it_is_told_that_there_is_none(stage: Stage) -> None:
    """A mesh that could perform it is no worker, as long as nobody runs one."""
    mesh = stage.mesh(actions=ACTIONS)
    found = mesh.explain(start(mesh))

    assert ("no_capable_worker", "a") == told(found)
    assert "no worker serves queue 'default'" in found.summary


def test_a_worker_that_could_take_it_is_named(stage: Stage) -> None:
    """And the run is ready, nothing more."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)
    work(mesh)

    assert "attempt_visible" == mesh.explain(run).reason
    assert "workers for it: 'host:1:ana'" in mesh.explain(run).why


def test_a_worker_that_was_killed_is_no_worker(stage: Stage) -> None:
    """Its last sign is told, for that is where to look."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)
    work(mesh)
    stage.clock.advance(SILENT_AFTER)
    found = mesh.explain(run)

    assert "no_capable_worker" == found.reason
    assert "host:1:ana gave its last sign at" in found.summary


def test_a_lost_worker_is_told_with_its_lease(stage: Stage) -> None:
    """Whose it was, and when it ended."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)
    claimed(mesh, owner="ben")
    stage.clock.advance(LEASE)
    found = mesh.explain(run)

    assert ("expired_claim", "a") == told(found)
    assert "'a' was at work on ben" in found.summary


# --- queues


def test_a_paused_queue_is_told_with_who_did_it(stage: Stage) -> None:
    """And letting it go on is offered, and does."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)
    work(mesh)
    mesh.pause_queue("default", by="olga", note="stock-taking")
    found = mesh.explain(run)

    assert "queue_paused" == found.reason
    assert "is paused by olga since" in found.summary
    assert "stock-taking" in found.summary
    mesh.resume_queue("default")
    assert "attempt_visible" == mesh.explain(run).reason


def test_a_full_queue_is_told_with_who_fills_it(stage: Stage) -> None:
    """And a wider one is offered, and lets it start."""
    mesh = stage.mesh(actions=ACTIONS)
    mesh.set_queue("default", concurrency=1)
    first = start(mesh)
    claimed(mesh, owner="ben")
    run = start(mesh)
    work(mesh)
    found = mesh.explain(run)

    assert "queue_full" == found.reason
    assert f"the only slot of queue 'default' is taken: by 'a' of run {first.id} on ben" in (
        found.summary
    )
    assert "set_queue" in actions(found)
    mesh.set_queue("default", concurrency=2)
    assert "attempt_visible" == mesh.explain(run).reason


def test_each_who_fills_a_queue_is_told(stage: Stage) -> None:
    """With the worker that holds it, whichever run it is of."""
    mesh = stage.mesh(actions=ACTIONS)
    mesh.set_queue("default", concurrency=3)
    held = [(start(mesh), claimed(mesh, owner=owner)) for owner in ("ben", "cleo", "dora")]
    run = start(mesh)
    work(mesh)

    summary = mesh.explain(run).summary

    assert all(f"of run {one.id} on {claim.owner}" in summary for one, claim in held)


def test_a_full_key_is_told_apart_from_a_full_queue(stage: Stage) -> None:
    """The other key's run is ready."""
    mesh = stage.mesh(actions=ACTIONS)
    mesh.set_queue("default", per_key=1)
    start(mesh, key="acme")
    claimed(mesh)
    full, free = start(mesh, key="acme"), start(mesh, key="other")
    work(mesh)

    assert "queue_full" == mesh.explain(full).reason
    assert "attempt_visible" == mesh.explain(free).reason


def test_a_queue_that_is_too_fast_says_when_it_goes_on(stage: Stage) -> None:
    """It lets go by itself, so nothing is offered for it."""
    mesh = stage.mesh(actions=ACTIONS)
    mesh.set_queue("default", rate="1/m")
    start(mesh)
    claimed(mesh)
    run = start(mesh)
    work(mesh)
    found = mesh.explain(run)

    assert "queue_full" == found.reason
    assert "starts 1/m at most; the next may start at 00:01:00Z (in 1 min)" in found.summary
    assert "set_queue" not in actions(found)


def test_the_place_in_line_is_told(stage: Stage) -> None:
    """Who came first starts first."""
    mesh = stage.mesh(actions=ACTIONS)
    work(mesh)
    first = start(mesh)
    stage.clock.advance(1)
    start(mesh)
    stage.clock.advance(1)
    last = start(mesh)

    assert "2 others come before it in queue 'default'" in mesh.explain(last).summary
    assert "before it" not in mesh.explain(first).summary


def test_a_quarantined_run_stands_in_no_line(stage: Stage) -> None:
    """Nobody will claim it before it is whole again."""
    mesh = stage.mesh(actions=ACTIONS)
    work(mesh)
    first = start(mesh)
    stage.clock.advance(1)
    last = start(mesh)
    mark = Quarantine(revision=Revision(1), reason="it was rewritten")
    mesh.door.journal.quarantine(RunId(first.id), mark)

    assert "before it" not in mesh.explain(last).summary


def test_looking_takes_nothing(stage: Stage) -> None:
    """Nothing is written, nothing is claimed, and the next claim gets what it would have got."""
    mesh = stage.mesh(actions=ACTIONS)
    mesh.set_queue("default", concurrency=2, rate="5/m")
    runs = []
    for _ in range(3):
        runs.append(start(mesh))
        stage.clock.advance(1)
    before = [list(mesh.journal(run)) for run in runs], mesh.door.journal.records("lane")
    for run in runs:
        mesh.explain(run)

    assert before == ([list(mesh.journal(run)) for run in runs], mesh.door.journal.records("lane"))
    assert runs[0].id == claimed(mesh).run_id


# --- runs that cannot be read


def test_a_quarantined_run_is_explained(stage: Stage) -> None:
    """Where it breaks, and the way out; which, here, is open."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)
    mark = Quarantine(revision=Revision(2), reason="it was rewritten")
    mesh.door.journal.quarantine(RunId(run.id), mark)
    found = mesh.explain(run)

    assert "run_quarantined" == found.reason
    assert "Its journal cannot be trusted at revision 2: it was rewritten" in found.summary
    assert found.run.quarantined == "revision 2: it was rewritten"
    assert {"verify"} == actions(found)
    assert {"run_quarantined"} == {one.code for one in found.refused_actions}
    with pytest.raises(StorageError):
        mesh.cancel(run)
    mesh.verify(run)
    assert "no_capable_worker" == mesh.explain(run).reason


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"type": "step_applied", "version": 2, "revision": 5}, "step_applied v2"),
        ({"revision": 2}, "a definition that it cannot read"),
    ],
)
def test_a_run_of_a_newer_release_is_explained(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, details: dict[str, object], said: str
) -> None:
    """What is too new, and that another process goes on with it."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)

    def too_new(_run_id: str) -> None:
        raise StorageError("too new", "newer_entries", details)

    monkeypatch.setattr(mesh.door, "fresh", too_new)
    found = mesh.explain(run)

    assert "newer_entries" == found.reason
    assert f"{details['revision']}: {said}; this one leaves it alone" in found.summary


def test_an_unreadable_run_is_told_from_others_of_the_same_instant(stage: Stage) -> None:
    """Lists have them side by side, and each is explained as itself."""
    mesh = stage.mesh(actions=ACTIONS)
    runs = [start(mesh) for _ in range(3)]
    assert 1 == len({run.created_at for run in runs})
    for run in runs:
        mark = Quarantine(revision=Revision(2), reason=f"struck: {run.id}")
        mesh.door.journal.quarantine(RunId(run.id), mark)

    told = [mesh.explain(run) for run in runs]

    assert [run.id for run in runs] == [one.run.id for one in told]
    assert [f"revision 2: struck: {run.id}" for run in runs] == [
        one.run.quarantined for one in told
    ]


def test_an_unreadable_run_that_no_list_has_stays_an_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to be said of it but the error."""
    mesh = stage.mesh()

    def damaged(_run_id: str) -> None:
        raise StorageError("damaged", "run_quarantined", {})

    monkeypatch.setattr(mesh.door, "fresh", damaged)
    with pytest.raises(StorageError, match="damaged"):
        mesh.explain("0193e2a0-7b3c-7d10-8f00-123456789abc")


def test_a_storage_that_is_away_is_no_explanation(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the run nor of what is around it."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)

    def away(_kind: str) -> None:
        raise StorageUnavailable("away", "storage_unavailable", {})

    with monkeypatch.context() as patch:
        patch.setattr(mesh.door.journal, "records", away)
        with pytest.raises(StorageUnavailable):
            mesh.explain(run)


def test_where_nobody_may_ask_nothing_is_said_of_workers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a transaction of the host's, which reads runs and nothing else."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)

    def refused(_kind: str) -> None:
        raise StorageError("not here", "storage_error", {})

    with monkeypatch.context() as patch:
        patch.setattr(mesh.door.journal, "records", refused)
        assert "attempt_visible" == mesh.explain(run).reason


def test_where_nobody_may_claim_only_a_pause_is_believed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be counted limits nothing here."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)
    work(mesh)
    mesh.set_queue("default", concurrency=1)

    def refused(*_words: object, **_options: object) -> None:
        raise StorageError("not here", "storage_error", {})

    with monkeypatch.context() as patch:
        patch.setattr(mesh.door.journal, "claimable", refused)
        assert "attempt_visible" == mesh.explain(run).reason
        mesh.pause_queue("default")
        assert "queue_paused" == mesh.explain(run).reason


# --- asking


def test_the_instant_may_be_given(stage: Stage) -> None:
    """Leases and limits are judged at it."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)
    claimed(mesh)

    assert "attempt_claimed" == mesh.explain(run).reason
    assert "expired_claim" == mesh.explain(run, now=stage.clock.now + LEASE).reason


def test_what_is_no_run_is_refused(stage: Stage) -> None:
    """One code for each mistake."""
    mesh = stage.mesh()
    with pytest.raises(RunNotFound) as unknown:
        mesh.explain("0193e2a0-7b3c-7d10-8f00-123456789abc")
    with pytest.raises(RunNotFound) as nonsense:
        mesh.explain("order 17")
    with pytest.raises(ConfigError):
        mesh.explain(
            "0193e2a0-7b3c-7d10-8f00-123456789abc", now=stage.clock.now.replace(tzinfo=None)
        )

    assert ("not_found", "invalid_run_id") == (unknown.value.code, nonsense.value.code)


def test_an_event_loop_is_told_the_same(stage: Stage) -> None:
    """`AsyncMesh.explain` says what `Mesh.explain` says."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh)

    async def ask() -> Explanation:
        async with AsyncMesh.open("memory://") as other:
            begun = await other.start_spec(ONE, "placed", {}, actions=ACTIONS)
            return await other.explain(begun)

    assert told(mesh.explain(run)) == told(asyncio.run(ask()))


# --- doing what it says


@pytest.mark.parametrize("stop", range(4))
@pytest.mark.parametrize("spec", [ONE, ASKING, FOR_GOOD, chain(log("hello"), step("a"))])
def test_every_call_that_is_printed_can_be_made(spec: Spec, stop: int) -> None:
    """Each at a run of its own, in a place of its own, that has come as far."""
    for number, action in enumerate(_come_so_far(Stage(), spec, stop)[1].next_actions):
        if action.name != "work":  # that one works until it is told to stop
            mesh, found = _come_so_far(Stage(), spec, stop)
            call = found.next_actions[number].call.replace("...", "1")
            eval(call, {"mesh": mesh})  # what people are told to write


def _come_so_far(stage: Stage, spec: Spec, stop: int) -> tuple[Mesh, Explanation]:
    """A run that did so many of the first things that it could."""
    mesh = stage.mesh(actions=ACTIONS)
    run = start(mesh, spec)
    for _ in range(stop):
        match mesh.explain(run).next_actions[0].name:
            case "work":
                mesh.execute_next()
            case "approve":
                mesh.approve(run, by="ida")
            case "resume":
                mesh.resume(run)
            case "send":
                mesh.send(run, "paid", {})
            case _:
                break
    return mesh, mesh.explain(run)


def test_the_reason_of_a_deferral_is_told_as_it_was_said(stage: Stage) -> None:
    """As a text, whatever else is kept beside it."""
    mesh = stage.mesh()
    closed = Defer("the bank is closed", for_="1h", details={"until": "Monday"})
    run = mesh.start_spec(ONE, "placed", {}, actions=does(a=lambda: closed))
    mesh.drain()

    summary = mesh.explain(run).summary
    assert "'a' asked to go on later (the bank is closed); it goes on at" in summary
