"""Stories of orders that cannot be shipped: goods go back, money goes back, once."""

from dataclasses import dataclass

import pytest

from squidmesh import (
    Context,
    Fail,
    Mesh,
    Refused,
    Retries,
    Run,
    UndoContext,
    Workflow,
    manual,
    step,
)
from support.stage import LEASE, Stage, claimed

#: Everything the outside did, in order.
done: list[str] = []
#: Refund keys the bank has seen.
keys: list[str] = []
#: Who does not answer at the moment.
silent: set[str] = set()


@dataclass(frozen=True)
class Placed:
    """An order."""

    order_id: str


@dataclass(frozen=True)
class Payment:
    """Money that was taken."""

    payment_id: str


def reserve(order_id: str) -> str:
    """Put goods aside."""
    done.append("reserve")
    return f"res-{order_id}"


def release(reservation: str) -> None:
    """Put them back."""
    done.append(f"release {reservation}")


def charge(ctx: Context, order_id: str) -> Payment:
    """Take the money."""
    done.append("charge")
    return Payment(f"pay-{order_id}")


def refund(ctx: UndoContext, paid: Payment) -> None:
    """Give it back."""
    keys.append(ctx.idempotency_key)
    if "bank" in silent:
        raise ConnectionError("the bank does not answer")
    done.append(f"refund {paid.payment_id}: {ctx.failure.get('message', 'cancelled')}")


def ship(order_id: str) -> str | Fail:
    """No van takes it."""
    return Fail("no van is big enough")


class Order(Workflow, name="stories.Undone"):
    """Reserve, charge, and then fail to ship."""

    placed = manual(Placed)
    order_id = placed.payload.order_id
    reserved = step(reserve).takes(order_id).undo(release)
    paid = step(charge).takes(order_id).undo(refund, retry=Retries(2))
    shipped = step(ship).takes(order_id)
    reserved.then(paid).then(shipped)


@pytest.fixture(autouse=True)
def outside() -> None:
    """Nothing was done so far, and everybody answers."""
    for one in (done, keys, silent):
        one.clear()


def begin(mesh: Mesh) -> Run:
    """An order."""
    return mesh.start(Order.placed, Placed("A-1"))


def test_what_cannot_be_shipped_is_undone_the_last_first(stage: Stage) -> None:
    """The run fails with the first failure, when refund and release are done."""
    mesh = stage.mesh(Order)
    run = begin(mesh)
    mesh.drain()

    ended = mesh.inspect(run)
    assert ended.error is not None
    assert ("failed", "no van is big enough") == (ended.status, ended.error.message)
    assert [
        "reserve",
        "charge",
        "refund pay-A-1: no van is big enough",
        "release res-A-1",
    ] == done


def test_a_worker_dies_in_the_refund_and_another_repeats_it_with_the_same_key(
    stage: Stage,
) -> None:
    """Undoing is performed at least once; its key lets the bank do it once."""
    ana, ben = stage.mesh(Order), stage.mesh(Order)
    run = begin(ana)
    ana.drain(limit=3)
    lost = claimed(ana)
    assert ("paid", "compensating") == (lost.node, ben.inspect(run).status)

    stage.clock.advance(LEASE)
    ben.drain()

    assert ([lost.idempotency_key], "failed") == (keys, ben.inspect(run).status)
    with pytest.raises(Refused):
        ana.complete(lost, None)


def test_a_refund_that_fails_for_good_is_left_and_retried_in_a_run_of_its_own(
    stage: Stage,
) -> None:
    """The others are undone all the same; the retry hands out the same key, once is enough."""
    mesh = stage.mesh(Order)
    silent.add("bank")
    run = begin(mesh)
    mesh.drain()
    stage.clock.advance(60)
    mesh.drain()

    ended = mesh.inspect(run)
    assert ended.compensation is not None
    assert ["reserve", "charge", "release res-A-1"] == done
    assert [("paid", "compensation_failed")] == [
        (one.step, one.reason) for one in ended.compensation.recovery
    ]

    silent.clear()
    rest = mesh.retry_compensation(run, by="olga")
    again = mesh.retry_compensation(run, by="olga")
    mesh.drain()

    after = mesh.inspect(rest).compensation
    assert after is not None
    assert (run.id, True, rest.id) == (rest.replayed_from, again.duplicate, again.id)
    assert ("refund pay-A-1: no van is big enough", ()) == (done[-1], after.recovery)
    assert (3, 1) == (len(keys), len(set(keys)))


def test_a_cancelled_order_is_undone_when_its_running_step_has_settled(stage: Stage) -> None:
    """The charge is in flight when the order is cancelled; it counts, and is undone first."""
    mesh, other = stage.mesh(Order), stage.mesh(Order)
    run = begin(mesh)
    mesh.execute_next()
    claim = claimed(mesh)

    assert "compensating" == other.cancel(run, by="olga", compensate=True).status
    assert 0 == other.drain()
    mesh.complete(claim, Payment("pay-A-1"))
    other.drain()

    ended = mesh.inspect(run)
    assert ended.compensation is not None
    assert ("cancelled", ("reserved", "paid")) == (ended.status, ended.applied)
    assert [("paid", "compensated"), ("reserved", "compensated")] == [
        (one.node, one.status) for one in ended.compensation.steps
    ]


def test_an_operator_gives_up_and_takes_it_up_again(stage: Stage) -> None:
    """Abandoned is not forgotten: the list says what is left, and undoing it is one command."""
    mesh = stage.mesh(Order)
    run = begin(mesh)
    mesh.drain(limit=2)
    mesh.cancel(run, by="olga", compensate=True)

    with pytest.raises(Refused) as caught:
        mesh.cancel(run, by="olga")
    mesh.cancel(run, by="olga", abandon=True)
    left = mesh.inspect(run).compensation
    mesh.retry_compensation(run, by="olga")
    mesh.drain()

    assert left is not None
    assert [("reserved", "abandoned"), ("paid", "abandoned")] == [
        (one.step, one.reason) for one in left.recovery
    ]
    assert "compensating" == caught.value.code
    assert "release res-A-1" == done[-1]
