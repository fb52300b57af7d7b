"""What a step can say and ask, in runs with loops, gates, messages and callbacks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from squidmesh import (
    Context,
    Defer,
    Mesh,
    Run,
    UndoContext,
    Workflow,
    approval,
    complete,
    manual,
    receive,
    step,
)
from squidmesh.ports import Ports
from squidmesh.workers.heartbeat import BEATS
from support.stage import Stage, begin
from support.workflows import chain
from support.workflows import step as node

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    SEEN.clear()
    yield
    SEEN.clear()


def test_a_deferred_step_is_given_again_what_it_was_given(stage: Stage) -> None:
    """Also one that takes what it names of the whole run context, and twice."""

    def count(a: int) -> int | Defer:
        SEEN.append(a)
        return a if len(SEEN) == 3 else Defer("not yet", for_="1s")

    mesh = stage.mesh()
    spec = chain(node("a", output="a"), node("b", output="b"), node("c", output="c"))
    run = begin(mesh, spec, a=lambda: 1, b=lambda: 2, c=count)
    for _ in range(3):
        mesh.drain()
        stage.clock.advance(1)

    assert ([1, 1, 1], "completed") == (SEEN, mesh.inspect(run).status)


# --- loops through a gate


@dataclass(frozen=True)
class Remarks:
    """What an editor fills in."""

    cut: int = 0


def write(ctx: Context, topic: str) -> int:
    said = ctx.out(Draft.editor) if "editor" in ctx.state else None
    SEEN.append((ctx.visit, ctx.idempotency_key, said and (said.decision, said.actor, said.form)))
    return ctx.visit


def shred(ctx: UndoContext, draft: int) -> None:
    SEEN.append((draft, ctx.visit, ctx.input, ctx.idempotency_key))


class Draft(Workflow, name="tests.Draft"):
    """Written again until the editor is content, three times at most."""

    asked = manual()
    write = step(write, max_visits=3).takes(topic="squids").undo(shred)
    editor = approval("Good enough?", form=Remarks)
    write.then(editor)
    editor.then(complete)
    editor.on_reject(write)


def rejected(stage: Stage, times: int) -> tuple[Mesh, Run]:
    """A draft that the editor sent back so often."""
    mesh = stage.mesh(Draft)
    run = mesh.start(Draft.asked)
    for _ in range(times):
        mesh.drain()
        mesh.reject(run, by={"id": "ida", "desk": 4}, form=Remarks(cut=10))
    mesh.drain()
    return mesh, run


def test_every_visit_has_a_key_of_its_own_and_the_newest_output_wins(stage: Stage) -> None:
    """And sees what the editor said of the one before, actor and form as they were given."""
    mesh, run = rejected(stage, 2)
    mesh.approve(run, by="ida")

    no = ("rejected", {"id": "ida", "desk": 4}, Remarks(cut=10))
    assert [
        (1, f"{run.id}:write:1", None),
        (2, f"{run.id}:write@2:1", no),
        (3, f"{run.id}:write@3:1", no),
    ] == SEEN
    snapshot = mesh.inspect(run)
    assert ("completed", 3) == (snapshot.status, snapshot.out(Draft.write))
    decision = snapshot.out(Draft.editor)
    assert ("approved", "ida", Remarks()) == (decision.decision, decision.actor, decision.form)


def test_one_visit_too_many_undoes_every_visit_the_newest_first(stage: Stage) -> None:
    """`visits_exhausted` is a failure for good; each visit is undone with its own output."""
    mesh, run = rejected(stage, 3)

    undone = SEEN[3:]
    given = {"topic": "squids"}
    assert [
        (3, 3, given, f"{run.id}:compensate:write@3:1"),
        (2, 2, given, f"{run.id}:compensate:write@2:1"),
        (1, 1, given, f"{run.id}:compensate:write:1"),
    ] == undone
    error = mesh.inspect(run).error
    assert error is not None
    assert "visits_exhausted" == error.kind


# --- messages, deferrals, progress


@dataclass(frozen=True)
class Settlement:
    """What the bank sends."""

    cents: int


def book(ctx: Context) -> int | Defer:
    SEEN.append((ctx.attempt, ctx.idempotency_key, ctx.attempt_key, ctx.fencing_token))
    if len(SEEN) == 1:
        return Defer("the books are closed", for_="1h")
    return ctx.out(Order.settled).cents


class Order(Workflow, name="tests.Order"):
    """Booked when the bank has written."""

    placed = manual()
    settled = receive(Settlement)
    booked = step(book)
    settled.then(booked)


def test_a_deferral_after_a_message_keeps_its_key_and_gets_a_new_turn(stage: Stage) -> None:
    """The message is there for both turns, in its own type; only the fencing token moves on."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed)
    mesh.send(run, Order.settled, Settlement(300))
    mesh.drain()
    stage.clock.advance(3600)
    stage.mesh(Order).drain()

    first, second = SEEN
    key = f"{run.id}:booked:1"
    assert ((1, key, key), (1, key, f"{key}:deferred")) == (first[:3], second[:3])
    assert second[3] > first[3]
    assert ("completed", 300) == (mesh.inspect(run).status, mesh.inspect(run).out(Order.booked))


def test_progress_of_a_callback_is_seen_while_it_undoes(stage: Stage) -> None:
    """It rides on the callback's heartbeat like any other."""
    now = [0.0]
    mesh = stage.mesh(Undone, ports=Ports(monotonic=lambda: now[0]))

    def beat() -> None:
        now[0] += 60 / BEATS
        for beats in mesh.engine._here.heartbeats.values():
            beats.beat_due()
        SEEN.append([one.progress for one in mesh.inspect(run).attempts if one.progress])

    BEAT[0] = beat
    run = mesh.start(Undone.placed)
    mesh.drain()
    mesh.cancel(run, by="olga", compensate=True)
    mesh.drain()

    assert [[{"done": 1, "of": 2, "note": "half"}]] == SEEN


BEAT: list[Any] = [None]


def unbook(ctx: UndoContext, cents: int) -> None:
    ctx.progress(1, of=2, note="half")
    BEAT[0]()


def take() -> int:
    return 300


class Undone(Workflow, name="tests.Undone"):
    """Something to undo, and time to do it in."""

    placed = manual()
    taken = step(take).undo(unbook)
    sure = approval("Sure?")
    taken.then(sure)
    sure.on_reject(complete)
