"""Callbacks that undo finished steps, performed by workers."""

from dataclasses import dataclass

import pytest

from squidmesh import (
    Fail,
    Mesh,
    Retries,
    Run,
    UndoContext,
    Workflow,
    approval,
    complete,
    manual,
    step,
)
from squidmesh_core.errors import Refused
from support.stage import Stage

DONE: list[object] = []


@pytest.fixture(autouse=True)
def _fresh_books() -> None:
    DONE.clear()


@dataclass(frozen=True)
class Order:
    id: str
    cents: int


@dataclass(frozen=True)
class Reserved:
    shelf: str


@dataclass(frozen=True)
class Paid:
    cents: int


def reserve(id: str) -> Reserved:
    return Reserved(f"shelf of {id}")


def release(ctx: UndoContext, done: Reserved) -> None:
    DONE.append(("release", done, dict(ctx.input), ctx.failure["kind"], ctx.idempotency_key))


async def charge(cents: int) -> Paid:
    return Paid(cents)


async def refund(done: Paid) -> str:
    DONE.append(("refund", done))
    if DONE.count(("refund", done)) <= FAILURES["refund"]:
        raise ConnectionError("the bank is away")
    return "refunded"


def ship(id: str) -> None:
    raise Fail("no van goes there", code="no_van")


FAILURES = {"refund": 0}


class Shop(Workflow):
    placed = manual(Order)
    order = placed.payload
    reserve = step(reserve).takes(order.id).undo(release)
    charge = step(charge).takes(order.cents).undo(refund, retry=Retries(3))
    ship = step(ship).takes(order.id)
    reserve.then(charge).then(ship)


def sold(stage: Stage, failures: int = 0) -> tuple[Mesh, Run]:
    FAILURES["refund"] = failures
    mesh = stage.mesh(Shop)
    run = mesh.start(Shop.placed, Order("A-1", 300))
    mesh.drain()
    return mesh, run


def test_what_was_done_is_undone_in_reverse(stage: Stage) -> None:
    """Each callback gets the output of its step as it was, and why."""
    mesh, run = sold(stage)
    key = f"{run.id}:compensate:reserve:1"

    assert [
        ("refund", Paid(300)),
        ("release", Reserved("shelf of A-1"), {"id": "A-1"}, "Fail", key),
    ] == DONE
    snapshot = mesh.inspect(run)
    assert "failed" == snapshot.status
    assert snapshot.error is not None
    assert ("Fail", "no_van") == (snapshot.error.kind, snapshot.error.code)
    assert snapshot.compensation is not None
    assert ["compensated"] * 2 == [one.status for one in snapshot.compensation.steps]


def test_a_callback_has_retries_of_its_own(stage: Stage) -> None:
    """It fails twice and then works; the others come after it."""
    mesh, run = sold(stage, failures=2)

    assert ["refund", "refund", "refund", "release"] == [one[0] for one in DONE]  # type: ignore[index]  # tuples
    compensation = mesh.inspect(run).compensation
    assert compensation is not None
    assert () == compensation.recovery


def test_what_could_not_be_undone_is_left_for_a_run_that_tries_again(stage: Stage) -> None:
    """`retry_compensation` undoes only that, with the key it had."""
    mesh, run = sold(stage, failures=3)
    compensation = mesh.inspect(run).compensation
    assert compensation is not None
    assert [("charge", "compensation_failed")] == [
        (one.step, one.reason) for one in compensation.recovery
    ]

    DONE.clear()
    FAILURES["refund"] = 0
    again = mesh.retry_compensation(run, by="olga")
    mesh.drain()

    assert [("refund", Paid(300))] == DONE
    assert ("failed", run.id) == (mesh.inspect(again).status, again.replayed_from)
    repeated = mesh.retry_compensation(run, by="olga")
    assert (again.id, True) == (repeated.id, repeated.duplicate)
    with pytest.raises(Refused) as caught:
        mesh.retry_compensation(again, by="olga")
    assert "invalid_transition" == caught.value.code


def test_cancel_may_ask_for_it(stage: Stage) -> None:
    """The run is `compensating` until everything is undone, and then cancelled."""

    class Asked(Workflow):
        placed = manual(Order)
        reserve = step(reserve).takes(placed.payload.id).undo(release_it)
        sure = approval("Sure?")
        reserve.then(sure)
        sure.on_reject(complete)

    mesh = stage.mesh(Asked)
    run = mesh.start(Asked.placed, Order("A-2", 1))
    mesh.drain()
    assert "paused" == mesh.inspect(run).status

    assert "compensating" == mesh.cancel(run, by="olga", compensate=True).status
    with pytest.raises(Refused) as caught:
        mesh.approve(run, by="olga")
    assert "compensating" == caught.value.code
    mesh.drain()
    assert ("cancelled", [("release", Reserved("shelf of A-2"))]) == (
        mesh.inspect(run).status,
        DONE,
    )


def release_it(done: Reserved) -> None:
    DONE.append(("release", done))
