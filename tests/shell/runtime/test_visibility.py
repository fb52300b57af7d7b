"""Who sees what of what a mesh hands out: policies, and the views that only the shell has."""

import asyncio
from itertools import islice

import attrs
import pytest

from squidmesh import Actor, AsyncMesh, ConfigError, Mesh, Snapshot
from squidmesh.people import By
from squidmesh.views.policy import Policy
from squidmesh.views.reading import JournalEntry
from squidmesh.views.visibility import SHELL
from squidmesh_core.values.redaction import REDACTED
from squidmesh_core.values.scope import SCOPES, Scope
from squidmesh_core.views.visibility import HIDDEN_AT
from squidmesh_storage.memory import MemoryJournal
from support.aio import async_mesh
from support.stage import Stage, begin, claimed, does
from support.workflows import chain, pause, step

ONE = chain(step("a", output="a"))


def mesh_with(policy: Policy | None) -> Mesh:
    return Mesh(MemoryJournal(), policy=policy)


def scope_of(policy: Policy | None, actor: By | None = None) -> Scope:
    """Which scope a mesh with this policy shows a run in, judged by what is to be seen."""
    with mesh_with(policy) as mesh:
        run = mesh.start_spec(ONE, "placed", {}, actions=does(a=lambda: 1), key="A-1")
        seen = mesh.redact(run, actor)
    if seen is run:
        return "auditor"
    return "external" if seen.created_at == HIDDEN_AT else "operator"


class ByRole:
    """A policy as hosts write it."""

    def visibility_scope(self, actor: By | None, view: object) -> Scope:
        return "operator" if isinstance(actor, Actor) and "ops" in actor.roles else "external"


# --- policies


def test_without_a_policy_everybody_is_external() -> None:
    """Whoever they say they are, by whatever name."""
    assert "external" == scope_of(None)
    for actor in ("auditor", "operator", {"id": "auditor"}, Actor("ana", ("auditor",))):
        assert "external" == scope_of(None, actor)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_is_a_policy_for_everybody(scope: Scope) -> None:
    """By its name, as a function, and as an object."""
    assert scope == scope_of(scope)
    assert scope == scope_of(lambda _actor, _view: scope)


def test_a_policy_judges_actor_and_view() -> None:
    """An object with the method is one, too."""
    asked: list[object] = []

    def policy(actor: By | None, view: object) -> Scope:
        asked.append((actor, type(view).__name__))
        return "operator"

    assert "operator" == scope_of(policy, "ana")
    assert [("ana", "Run")] == asked
    assert "operator" == scope_of(ByRole(), Actor("olga", ("ops",)))
    assert "external" == scope_of(ByRole(), Actor("ida"))
    assert "external" == scope_of(ByRole(), "ops")


@pytest.mark.parametrize("answer", [None, True, "", "admin", "Auditor", b"auditor", 3, ["auditor"]])
def test_any_other_answer_is_an_error(answer: object) -> None:
    """Never a wider view, and never a narrower one that nobody meant."""

    def policy(_actor: By | None, _view: object) -> Scope:
        return answer  # type: ignore[return-value]  # what a host may get wrong

    with pytest.raises(ConfigError) as caught:
        scope_of(policy)

    assert ("invalid_visibility_policy", 710) == (caught.value.code, caught.value.sm)


@pytest.mark.parametrize("policy", ["admin", "", 3, object(), ByRole, ["auditor"]])
def test_what_cannot_decide_is_no_policy(policy: object) -> None:
    """It is said when the mesh is made, before anybody looks."""
    with pytest.raises(ConfigError) as caught:
        mesh_with(policy)  # type: ignore[arg-type]  # what a host may get wrong

    assert "invalid_visibility_policy" == caught.value.code


def test_open_and_the_host_s_engine_take_a_policy() -> None:
    """So does the mesh of an event loop, whose `redact` waits for nothing."""
    with Mesh.open("memory://", policy="operator") as mesh:
        run = begin(mesh, ONE, a=lambda: 1)

        assert run.created_at == mesh.redact(run).created_at

    aio = AsyncMesh.open("memory://", policy="auditor")

    assert aio.redact(run) is run


def test_a_mesh_of_an_event_loop_is_external_unless_told(stage: Stage) -> None:
    """Its snapshots are redacted like any other."""

    actions = does(a=lambda: 1)

    async def seen() -> Snapshot:
        async with async_mesh(stage, actions=actions) as mesh:
            run = await mesh.start_spec(ONE, "placed", {}, actions=actions)
            return mesh.redact(await mesh.inspect(run))

    snapshot = asyncio.run(seen())

    assert ("running", HIDDEN_AT) == (snapshot.status, snapshot.run.created_at)


# --- the shell's own views


def test_every_member_of_the_shell_s_views_is_named() -> None:
    """A new member fails here until somebody has said who may see it."""
    for cls, table in SHELL.tables.items():
        assert {field.name for field in attrs.fields(cls)} == set(table), cls.__name__


def test_whatever_a_mesh_hands_out_is_redacted(stage: Stage) -> None:
    """Each view by its own table, and whatever it holds by theirs."""
    mesh = stage.mesh()
    run = mesh.start_spec(
        chain(step("a", output="a"), pause("b")),
        "placed",
        {},
        actions=does(a=lambda: "canary"),
        key="canary-key",
        tags=("canary-tag",),
    )
    mesh.complete(claimed(mesh), "canary")
    mesh.pause_queue("default", by="canary", note="canary")
    views = (
        mesh.inspect(run, history=True),
        mesh.explain(run),
        mesh.graph(run, history=True),
        mesh.diff((run, 3), run),
        mesh.runs(),
        mesh.approvals(),
        tuple(mesh.journal(run)),
        tuple(islice(mesh.watch(run), 3)),
        mesh.queues(),
        mesh.workers(),
    )

    assert "canary" in repr(views)
    for scope in ("external", "operator"):
        for view in views:
            assert "canary" not in repr(SHELL.redact(view, scope))
    external = SHELL.redact(mesh.approvals(), "external").items[0]

    assert ("b", None, HIDDEN_AT) == (
        external.gate.node,
        external.gate.question,
        external.gate.opened_at,
    )


def test_entries_show_what_happened_and_where(stage: Stage) -> None:
    """To operators when, by whom, and as which kind of error; to nobody else more."""
    mesh = stage.mesh()
    run = begin(mesh, ONE, a=lambda: 1)
    mesh.fail(claimed(mesh), ValueError("canary"), retryable=False)
    entries = tuple(mesh.journal(run))
    external, operator = (SHELL.redact(entries, scope) for scope in SCOPES[:2])

    assert [one.type for one in entries] == [one.type for one in external]
    assert [one.at for one in entries] == [one.at for one in operator]
    failed = next(one for one in operator if one.type == "attempt_failed")
    assert {"kind": "ValueError", "message": REDACTED} == failed.data["error"]
    assert {"step": "a"} == next(one.data for one in external if one.type == "attempt_scheduled")


@pytest.mark.parametrize("scope", SCOPES[:2])
def test_entries_look_alike_however_somebody_came_by_them(stage: Stage, scope: Scope) -> None:
    """One by one, together, or watched; what was watched holds the run no more."""
    mesh = stage.mesh()
    run = begin(mesh, ONE, a=lambda: "canary")
    mesh.drain()
    entries = SHELL.redact(tuple(mesh.journal(run)), scope)

    assert entries == tuple(SHELL.redact(one, scope) for one in mesh.journal(run))
    assert entries == SHELL.redact(tuple(mesh.watch(run)), scope)
    assert {JournalEntry} == {type(one) for one in entries}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("history", [False, True])
def test_a_snapshot_made_for_a_scope_is_the_redacted_one(
    stage: Stage, scope: Scope, *, history: bool
) -> None:
    """Threads and event loops alike; it is of now, and of the past."""
    mesh = stage.mesh()
    actions = does(a=lambda: "canary")
    run = mesh.start_spec(ONE, "placed", {}, actions=actions, key="canary-key")
    mesh.fail(claimed(mesh), ValueError("canary"), retryable=False)
    now = stage.clock()

    async def seen() -> Snapshot:
        async with async_mesh(stage, actions=actions) as aio:
            return await aio.inspect(run, history=history, now=now, scope=scope)

    for at in (None, 3):
        redacted = SHELL.redact(mesh.inspect(run, history=history, at=at, now=now), scope)

        assert redacted == mesh.inspect(run, history=history, at=at, now=now, scope=scope)
    assert SHELL.redact(mesh.inspect(run, history=history, now=now), scope) == asyncio.run(seen())


@pytest.mark.parametrize("scope", ["", "admin", "Operator", None])
def test_a_snapshot_is_made_for_no_other_scope(stage: Stage, scope: object) -> None:
    """What is no scope shows nothing."""
    mesh = stage.mesh()
    run = begin(mesh, ONE, a=lambda: 1)

    with pytest.raises(ConfigError) as caught:
        mesh.inspect(run, scope=scope)  # type: ignore[arg-type]  # what a host may get wrong

    assert ("invalid_option", "scope") == (caught.value.code, caught.value.details["option"])


def test_a_redacted_snapshot_has_no_definition_to_read(stage: Stage) -> None:
    """Its steps are in the snapshot; constants and conditions are the host's."""
    mesh = stage.mesh()
    run = begin(mesh, ONE, a=lambda: 1)
    full = mesh.inspect(run)
    seen = SHELL.redact(full, "operator")

    assert (type(full), ()) == (type(seen), seen.spec.steps)
    assert full.steps == seen.steps
