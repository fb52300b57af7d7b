"""Stories of messages: early, late, twice, or for somebody else."""

from dataclasses import dataclass
from typing import Any

import pytest

from squidmesh import (
    ConfigError,
    IdempotencyConflict,
    PayloadError,
    Refused,
    Workflow,
    manual,
    receive,
    step,
)
from support.stage import Stage


@dataclass(frozen=True)
class Placed:
    """An order."""

    order_id: str


@dataclass(frozen=True)
class Settlement:
    """The bank's word."""

    payment: str
    cents: int


def charge(order_id: str) -> str:
    """Charge a card."""
    return f"pay-{order_id}"


def ship(order_id: str, cents: int) -> str:
    """Ship what is paid."""
    return f"{order_id} for {cents}"


class Order(Workflow, name="stories.Settled"):
    """Charge, wait for the bank, ship; the bank knows the order and no run."""

    placed = manual(Placed)
    order_id = placed.payload.order_id
    paid = step(charge).takes(order_id)
    settled = receive(Settlement, correlation=order_id, timeout="3d")
    shipped = step(ship).takes(order_id, settled.out.cents)
    paid.then(settled).then(shipped)


def test_a_late_message_wakes_the_run_that_waits_for_it(stage: Stage) -> None:
    """Nobody works on a run that waits; the message makes its next step claimable."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-1"))
    mesh.drain()
    assert "waiting_for_message" == mesh.inspect(run).reason

    mesh.send(run, Order.settled, Settlement("pay-A-1", 500))
    mesh.drain()

    ended = mesh.inspect(run)
    assert ("completed", "A-1 for 500") == (ended.status, ended.out(Order.shipped))


def test_an_early_message_is_kept_until_the_run_is_there(stage: Stage) -> None:
    """The bank is quicker than the shop; a restart in between changes nothing."""
    shop, bank = stage.mesh(Order), stage.mesh(Order)
    run = shop.start(Order.placed, Placed("A-2"))

    bank.deliver(Order.settled, "A-2", Settlement("pay-A-2", 700), by="bank")
    restarted = stage.mesh(Order)
    restarted.drain()

    ended = restarted.inspect(run)
    assert ("completed", "A-2 for 700") == (ended.status, ended.out(Order.shipped))
    assert Settlement("pay-A-2", 700) == ended.out(Order.settled)


def test_a_delivery_finds_its_run_among_others(stage: Stage) -> None:
    """By correlation it reaches one run; a correlation that nobody has is refused."""
    mesh = stage.mesh(Order)
    runs = {name: mesh.start(Order.placed, Placed(name)) for name in ("B-1", "B-2", "B-3")}
    mesh.drain()

    found = mesh.deliver(Order.settled, "B-2", Settlement("pay-B-2", 900))
    with pytest.raises(Refused) as caught:
        mesh.deliver(Order.settled, "B-9", Settlement("pay-B-9", 900))
    mesh.drain()

    assert ("not_awaited", runs["B-2"].id) == (caught.value.code, found.id)
    assert ["idle", "completed", "idle"] == [mesh.inspect(run).status for run in runs.values()]


def test_a_message_that_is_sent_twice_counts_once(stage: Stage) -> None:
    """Its key makes the repetition a success that writes nothing, also when the run is over."""
    shop, bank = stage.mesh(Order), stage.mesh(Order)
    run = shop.start(Order.placed, Placed("A-3"))
    word = Settlement("pay-A-3", 300)

    first = bank.deliver(Order.settled, "A-3", word, key="pay-A-3")
    again = bank.deliver(Order.settled, "A-3", word, key="pay-A-3")
    shop.drain()
    late = bank.deliver(Order.settled, "A-3", word, key="pay-A-3")
    with pytest.raises(IdempotencyConflict):
        bank.deliver(Order.settled, "A-3", Settlement("pay-A-3", 999), key="pay-A-3")
    with pytest.raises(Refused) as caught:
        bank.deliver(Order.settled, "A-3", word, key="another")

    assert [False, True, True] == [one.duplicate for one in (first, again, late)]
    assert "already_received" == caught.value.code
    assert "A-3 for 300" == shop.inspect(run).out(Order.shipped)
    received = [one for one in shop.journal(run) if one.type == "message_received"]
    assert 1 == len(received)


def test_a_message_that_does_not_fit_is_not_kept(stage: Stage) -> None:
    """The run waits on, for one that fits."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-4"))

    with pytest.raises(PayloadError) as caught:
        mesh.send(run, Order.settled, {"payment": "pay-A-4", "cents": "free"})
    mesh.drain()

    assert "invalid_message" == caught.value.code
    assert "waiting_for_message" == mesh.inspect(run).reason


def test_the_bank_never_writes_and_the_order_fails(stage: Stage) -> None:
    """Without a route for it, the time-out ends the run; the message is then refused."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-5"))
    mesh.drain()

    stage.clock.advance(3 * 24 * 3600)
    mesh.drain()

    ended = mesh.inspect(run)
    assert ended.error is not None
    assert ("failed", "timed_out") == (ended.status, ended.error.kind)
    with pytest.raises(Refused) as caught:
        mesh.send(run, Order.settled, Settlement("pay-A-5", 1))
    assert "invalid_transition" == caught.value.code


def test_a_message_that_nobody_waits_for_any_more_was_not_received(stage: Stage) -> None:
    """A time-out or a cancel takes none: the bank must not take its word for delivered."""
    mesh = stage.mesh(Order)
    waited = mesh.start(Order.placed, Placed("A-6"))
    cancelled = mesh.start(Order.placed, Placed("A-7"))
    mesh.drain()
    mesh.cancel(cancelled)
    stage.clock.advance(3 * 24 * 3600)
    mesh.drain()
    assert "failed" == mesh.inspect(waited).status

    for order_id in ("A-6", "A-7"):
        with pytest.raises(Refused, match="no run waits for it any more") as caught:
            mesh.deliver(Order.settled, order_id, Settlement("late", 1), key=f"late-{order_id}")
        assert "not_awaited" == caught.value.code


def test_a_message_whose_run_ended_before_its_node_was_received(stage: Stage) -> None:
    """It came, so a repetition without its key is known for what it is."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-8"))
    mesh.deliver(Order.settled, "A-8", Settlement("early", 1))
    mesh.cancel(run)

    with pytest.raises(Refused) as caught:
        mesh.deliver(Order.settled, "A-8", Settlement("early", 1))

    assert "already_received" == caught.value.code


@pytest.mark.parametrize("node", ["settled", None, Order.paid], ids=["a name", "none", "a step"])
def test_a_delivery_is_for_a_receive_node(stage: Stage, node: Any) -> None:
    """A name alone says nothing of the workflow, and other nodes take no messages."""
    mesh = stage.mesh(Order)

    with pytest.raises(ConfigError) as caught:
        mesh.deliver(node, "A-9", Settlement("pay-A-9", 1))

    assert ("invalid_option", "node") == (caught.value.code, caught.value.details["option"])
