"""A story of a bank that is away twice, while an order of three steps is undone."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from squidmesh import Fail, Retries, UndoContext, Workflow, manual, step
from support.stage import EPOCH, Stage

#: Everything the outside was asked to do, in order.
asked: list[str] = []
#: Keys under which the bank was asked for the money.
keys: list[str] = []


@dataclass(frozen=True)
class Paid:
    """Money that was taken."""

    cents: int


async def reserve() -> str:
    """Put goods aside."""
    asked.append("reserve")
    return "shelf 4"


async def release(shelf: str) -> None:
    """Put them back."""
    asked.append(f"release {shelf}")


async def charge() -> Paid:
    """Take the money."""
    asked.append("charge")
    return Paid(300)


async def refund(ctx: UndoContext, paid: Paid) -> str:
    """Give it back; the bank answers the third time."""
    keys.append(ctx.idempotency_key)
    if ctx.attempt < 3:
        raise ConnectionError("the bank is away")
    asked.append(f"refund {paid.cents}")
    return f"refunded at try {ctx.attempt}"


async def ship() -> None:
    """No van takes it."""
    raise Fail("no van is big enough")


class Order(Workflow, name="stories.ThreeTries"):
    """Reserve, charge, and then fail to ship."""

    placed = manual()
    reserved = step(reserve).undo(release)
    paid = step(charge).undo(refund, retry=Retries(5, backoff="exponential", first="10s"))
    shipped = step(ship)
    reserved.then(paid).then(shipped)


@pytest.fixture(autouse=True)
def outside() -> None:
    """Nothing was asked for so far."""
    asked.clear()
    keys.clear()


def test_the_refund_is_tried_until_the_bank_answers_and_the_goods_wait_for_it(
    stage: Stage,
) -> None:
    """Tries come after 10 and 20 seconds, by different workers, with one key for the bank."""
    shop, ana, ben = (stage.mesh(Order) for _ in range(3))
    run = shop.start(Order.placed)

    shop.drain()
    assert ("compensating", ["reserve", "charge"]) == (shop.inspect(run).status, asked)
    assert EPOCH + timedelta(seconds=10) == shop.inspect(run).next_visible_at
    stage.clock.advance(10)
    assert 1 == ana.drain()
    assert EPOCH + timedelta(seconds=30) == shop.inspect(run).next_visible_at
    stage.clock.advance(20)
    assert 2 == ben.drain()

    ended = shop.inspect(run)
    assert ended.error is not None
    assert ended.compensation is not None
    assert ["reserve", "charge", "refund 300", "release shelf 4"] == asked
    assert [f"{run.id}:compensate:paid:1"] * 3 == keys
    assert ("failed", "no van is big enough", ()) == (
        ended.status,
        ended.error.message,
        ended.compensation.recovery,
    )
