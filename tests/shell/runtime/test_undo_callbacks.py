"""What a callback that undoes is given, and what its answer means."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from squidmesh import (
    ActionRegistry,
    Context,
    Defer,
    DefinitionError,
    Fail,
    Mesh,
    Retries,
    Retry,
    Run,
    Snapshot,
    Trigger,
    UndoContext,
    Workflow,
    approval,
    complete,
    manual,
    step,
)
from squidmesh_core.decide.claim import MOST_DELIVERIES
from squidmesh_core.definition.spec import StepNode
from support.stage import EPOCH, LEASE, Stage, begin, claimed, does
from support.workflows import chain
from support.workflows import step as node

SEEN: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    SEEN.clear()
    yield
    SEEN.clear()


@dataclass(frozen=True)
class Reference:
    key: str


@dataclass(frozen=True)
class Paid(Reference):
    cents: int


def charge() -> Paid:
    return Paid("p-1", 300)


def refuse() -> None:
    raise Fail("no van goes there", code="no_van", town="Faro")


def undone_by(
    callback: Callable[..., object], retry: int | None = None
) -> tuple[type[Workflow], Trigger[None]]:
    """A charge that this callback undoes, because the next step fails; and how it starts."""

    class Shop(Workflow, name="tests.Shop"):
        placed = manual()
        charge = step(charge, action="shop.charge").undo(
            callback, action="shop.refund", retry=retry
        )
        ship = step(refuse, action="shop.ship")
        charge.then(ship)

    return Shop, Shop.placed


def ended(stage: Stage, callback: Callable[..., object], retry: int | None = None) -> Snapshot:
    """The run once everything was tried."""
    shop, placed = undone_by(callback, retry)
    mesh = stage.mesh(shop)
    run = mesh.start(placed)
    mesh.drain()
    return mesh.inspect(run)


def left(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """What was not undone: step, reason, kind of error."""
    assert snapshot.compensation is not None
    return [
        (one.step, one.reason, one.error.kind if one.error else "")
        for one in snapshot.compensation.recovery
    ]


# --- what it is given


def noted(done: object) -> None:
    SEEN.append(done)


def of_its_base(done: Reference) -> None:
    SEEN.append(done)


def of_no_type(done):  # type: ignore[no-untyped-def]  # what a host may write
    SEEN.append(done)


async def of_its_own(done: Paid) -> None:
    await asyncio.sleep(0)
    SEEN.append(done)


@pytest.mark.parametrize("callback", [of_its_base, of_its_own, of_no_type, noted])
def test_a_callback_gets_what_its_step_returned(
    stage: Stage, callback: Callable[..., object]
) -> None:
    """In the step's own type, whatever the callback says of its parameter."""
    snapshot = ended(stage, callback)

    assert ([Paid("p-1", 300)], []) == (SEEN, left(snapshot))


def test_a_callback_of_an_unknown_step_reads_by_its_own_annotation(stage: Stage) -> None:
    """A worker that performs callbacks only has nothing else to go by."""
    shop, placed = undone_by(of_its_own)
    mesh = stage.mesh(shop)
    run = mesh.start(placed)
    mesh.drain(limit=2)

    undoer = ActionRegistry()
    undoer.add("shop.refund", of_its_base)
    assert 1 == stage.mesh(actions=undoer).drain()

    assert ([Reference("p-1")], "failed") == (SEEN, mesh.inspect(run).status)


def test_an_output_that_changed_its_shape_is_an_invalid_input(stage: Stage) -> None:
    """A deploy in between: it is said, not retried, and listed for a person."""

    @dataclass(frozen=True)
    class Moved:
        key: str
        euros: int

    def charge_anew() -> Moved:
        raise AssertionError("not performed again")

    class Changed(Workflow, name="tests.Shop"):
        placed = manual()
        charge = step(charge_anew, action="shop.charge").undo(noted, action="shop.refund")

    shop, placed = undone_by(of_its_own, retry=3)
    before = stage.mesh(shop)
    run = before.start(placed)
    before.drain(limit=2)
    after = stage.mesh(Changed)

    assert 1 == after.drain()
    snapshot = after.inspect(run)
    assert ("failed", [("charge", "compensation_failed", "invalid_input")]) == (
        snapshot.status,
        left(snapshot),
    )
    assert [] == SEEN


def test_its_context_says_what_the_step_was_given_and_why_it_is_undone(stage: Stage) -> None:
    """The key for the outside is the same on every try, and not the step's own."""

    def book(seat: int) -> str:
        return f"seat {seat}"

    def unbook(ctx: UndoContext, done: str) -> None:
        SEEN.append(ctx)
        if ctx.attempt == 1:
            raise ConnectionError("away")

    class Trip(Workflow):
        placed = manual()
        booked = step(book).takes(7).undo(unbook, retry=Retries(2))
        ship = step(refuse)
        booked.then(ship)

    mesh = stage.mesh(Trip)
    run = mesh.start(Trip.placed)
    mesh.drain()

    first, second = SEEN
    assert (1, 2) == (first.attempt, second.attempt)
    assert f"{run.id}:compensate:booked:1" == first.idempotency_key == second.idempotency_key
    assert second.fencing_token > first.fencing_token
    assert ("booked", {"seat": 7}, "seat 7") == (
        second.node,
        second.input,
        second.out(Trip.booked),
    )
    assert {
        "kind": "Fail",
        "message": "no van goes there",
        "code": "no_van",
        "details": {"town": "Faro"},
    } == second.failure


def test_a_cancelled_run_has_no_failure_to_tell(stage: Stage) -> None:
    """The callback sees an empty one."""

    def refund(ctx: UndoContext, done: Paid) -> None:
        SEEN.append(dict(ctx.failure))

    class Asked(Workflow):
        placed = manual()
        charge = step(charge).undo(refund)
        sure = approval("Sure?")
        charge.then(sure)
        sure.on_reject(complete)

    mesh = stage.mesh(Asked)
    run = mesh.start(Asked.placed)
    mesh.drain()
    mesh.cancel(run, by="olga", compensate=True)
    mesh.drain()

    assert ([{}], "cancelled") == (SEEN, mesh.inspect(run).status)


def test_a_callback_may_ask_for_the_plain_context(stage: Stage) -> None:
    """An `UndoContext` is one, so checkers let it through, and so do we."""

    def refund(ctx: Context, done: Paid) -> None:
        SEEN.append((type(ctx), done.cents))

    ended(stage, refund)

    assert [(UndoContext, 300)] == SEEN


def test_a_callback_cannot_ask_for_more_than_there_is() -> None:
    """No second parameter, and no transaction."""
    with pytest.raises(DefinitionError, match="needs more than the output"):
        undone_by(lambda done, more: None)


# --- what it answers


@pytest.mark.parametrize("raised", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
def test_retry_defer_and_fail_mean_what_they_mean_for_steps(
    stage: Stage, raised: bool, is_async: bool
) -> None:
    """A deferral costs no attempt and keeps the key; `Fail` ends it, retries or not."""
    answers: list[Exception] = [
        Defer("the bank is closed", for_="5s"),
        Retry("busy", after="3s"),
        Fail("the account is gone", code="gone"),
    ]

    def refund(ctx: UndoContext, done: Paid) -> object:
        SEEN.append((ctx.attempt, ctx.idempotency_key))
        one = answers.pop(0)
        if raised:
            raise one
        return one

    async def later(ctx: UndoContext, done: Paid) -> object:
        return refund(ctx, done)

    shop, placed = undone_by(later if is_async else refund, retry=5)
    mesh = stage.mesh(shop)
    run = mesh.start(placed)
    mesh.drain()
    assert EPOCH + timedelta(seconds=5) == mesh.inspect(run).next_visible_at
    stage.clock.advance(5)
    mesh.drain()
    assert EPOCH + timedelta(seconds=8) == mesh.inspect(run).next_visible_at
    stage.clock.advance(3)
    mesh.drain()

    key = f"{run.id}:compensate:charge:1"
    assert [(1, key), (1, key), (2, key)] == SEEN
    snapshot = mesh.inspect(run)
    assert [("charge", "compensation_failed", "Fail")] == left(snapshot)
    assert snapshot.error is not None
    assert "no_van" == snapshot.error.code


@pytest.mark.parametrize("returned", [object(), float("nan"), {1: 2}, "\ud800"])
def test_what_a_callback_returns_can_be_anything(stage: Stage, returned: object) -> None:
    """It has undone its step; a reply that cannot be stored is no reason to deny it."""
    snapshot = ended(stage, lambda done: returned)

    assert snapshot.compensation is not None
    assert (["compensated"], []) == (
        [one.status for one in snapshot.compensation.steps],
        left(snapshot),
    )


# --- who performs it


def test_one_function_may_undo_two_nodes(stage: Stage) -> None:
    """It is one action, called with the output of each."""

    class Twice(Workflow):
        placed = manual()
        one = step(charge).undo(of_its_own)
        two = step(charge).undo(of_its_own)
        ship = step(refuse)
        one.then(two).then(ship)

    mesh = stage.mesh(Twice)
    run = mesh.start(Twice.placed)
    mesh.drain()

    assert 1 == len({one.compensate for one in Twice.spec.steps[:2] if isinstance(one, StepNode)})
    assert ([Paid("p-1", 300)] * 2, []) == (SEEN, left(mesh.inspect(run)))


def toggle(value: bool) -> bool:
    """What undoes itself: as a step it is given its input, as a callback the output."""
    SEEN.append(value)
    return not value


def test_a_function_may_be_a_step_and_a_callback(stage: Stage) -> None:
    """What it is called with follows from the attempt."""

    class Switch(Workflow):
        placed = manual()
        on = step(toggle).takes(value=False).undo(toggle)
        ship = step(refuse)
        on.then(ship)

    mesh = stage.mesh(Switch)
    run = mesh.start(Switch.placed)
    mesh.drain()

    assert ([False, True], []) == (SEEN, left(mesh.inspect(run)))


def compensating(stage: Stage) -> tuple[Mesh, Run]:
    """A run whose two callbacks nobody performs yet."""
    mesh = stage.mesh()
    spec = chain(
        node("a", compensate=True, max_deliveries=1), node("b", compensate=True), node("c")
    )
    does_all = does(a=lambda: 1, b=lambda: 2, c=refuse)
    for name in ("a", "b"):
        does_all.add(f"undo.{name}", noted)
    run = mesh.start_spec(spec, "placed", {}, actions=does_all)
    mesh.drain(limit=3)
    assert "compensating" == mesh.inspect(run).status
    return mesh, run


def test_a_worker_without_the_callback_does_not_claim_it(stage: Stage) -> None:
    """Code that is gone fails nothing: undoing waits for somebody who can."""
    mesh, run = compensating(stage)
    steps_only = stage.mesh(actions=does(a=lambda: 1, b=lambda: 2, c=refuse))

    assert 0 == steps_only.drain()
    assert "compensating" == steps_only.inspect(run).status
    assert (2, [2, 1]) == (mesh.drain(), SEEN)


def test_an_executor_of_ones_own_sees_what_kind_of_attempt_it_holds(stage: Stage) -> None:
    """With everything that the callback would be given."""
    mesh, run = compensating(stage)

    claim = claimed(mesh)

    assert ("compensation", "b", "undo.b") == (claim.kind, claim.node, claim.action)
    assert ({}, 2) == (claim.input["input"], claim.input["output"])
    mesh.complete(claim)
    mesh.fail(claimed(mesh), "no", retryable=False)
    assert [("a", "compensation_failed", "Failure")] == left(mesh.inspect(run))


def test_workers_lost_in_a_callback_are_counted(stage: Stage) -> None:
    """By the default, not by the step's own: then it is `worker_lost`, and a person must look."""
    mesh, run = compensating(stage)
    mesh.execute_next()
    for _ in range(MOST_DELIVERIES):
        assert "a" == claimed(mesh).node
        stage.clock.advance(LEASE)

    assert mesh.claim(owner="ben") is None
    assert [("a", "compensation_failed", "worker_lost")] == left(mesh.inspect(run))


@pytest.mark.parametrize("how", ["execute_next", "drain", "worker"])
def test_callbacks_are_performed_by_whoever_works(stage: Stage, how: str) -> None:
    """One attempt at a time, until idle, or by a worker; sync and async mixed."""
    shop, placed = undone_by(of_its_own)
    mesh = stage.mesh(shop)
    run = mesh.start(placed)
    match how:
        case "execute_next":
            while mesh.execute_next() is not None:
                pass
        case "drain":
            mesh.drain()
        case _:
            with mesh.worker(concurrency=2):
                mesh.wait_for(run, timeout="60s")

    assert ([Paid("p-1", 300)], "failed") == (SEEN, mesh.inspect(run).status)


def test_a_spec_may_call_a_callback_that_takes_nothing(stage: Stage) -> None:
    """What a registry holds need not look at the output."""
    mesh = stage.mesh()
    actions = does(a=lambda: 1, c=refuse)
    actions.add("undo.a", lambda: SEEN.append("undone"))
    spec = chain(node("a", compensate=True), node("c"))
    run = mesh.start_spec(spec, "placed", {}, actions=actions)
    mesh.drain()

    assert (["undone"], []) == (SEEN, left(mesh.inspect(run)))


def test_a_run_without_callbacks_just_fails(stage: Stage) -> None:
    """Nothing is undone, and nothing is said of undoing."""
    mesh = stage.mesh()
    run = begin(mesh, chain(node("a"), node("c")), a=lambda: 1, c=refuse)
    mesh.drain()

    assert ("failed", None) == (mesh.inspect(run).status, mesh.inspect(run).compensation)
