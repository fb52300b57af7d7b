"""A story of recovery: a worker dies in the middle of an order, and another ends it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from squidmesh import Context, Refused, Workflow, manual, step
from squidmesh.workers.line import StepSignals
from support.stage import LEASE, Stage, claimed

#: The bank's own books: idempotency key → cents.
bank: dict[str, int] = {}
#: How often the bank was called.
calls: list[str] = []


def charge(ctx: Context, cents: int) -> int:
    """Charge a card; the bank honours idempotency keys."""
    calls.append(ctx.idempotency_key)
    return bank.setdefault(ctx.idempotency_key, cents)


def ship(charged: int) -> str:
    """Ship what is paid."""
    return f"shipped for {charged}"


def price() -> int:
    """Say what the order costs."""
    return 500


class Order(Workflow, name="stories.Order"):
    """Price, charge, ship."""

    placed = manual()
    priced = step(price)
    paid = step(charge, output="charged").takes(cents=priced.out)
    sent = step(ship)
    priced.then(paid).then(sent)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A SQLite file; each mesh on it is a process of its own."""
    bank.clear()
    calls.clear()
    made = Stage(tmp_path)
    yield made
    made.close()


def test_a_worker_dies_after_the_charge_and_another_ends_the_order(stage: Stage) -> None:
    """The bank is asked twice under one key and charges once; the dead one comes back in vain."""
    shop, ana, ben = (stage.mesh(Order) for _ in range(3))
    run = shop.start(Order.placed, key="order:1")
    ana.execute_next()

    # Ana charges the card, and stalls before she can say so.
    claim = claimed(ana)
    charge(_context(claim.run_id, claim.idempotency_key), 500)
    assert "attempt_claimed" == shop.inspect(run).reason

    # Nobody takes her work while her lease lives …
    stage.clock.advance(LEASE - timedelta(seconds=1))
    assert 0 == ben.drain()
    # … and when it is over, Ben does, and ends the order.
    stage.clock.advance(1)
    assert "expired_claim" == shop.inspect(run).reason
    assert 2 == ben.drain()

    # Ana comes back; the fence keeps her out.
    with pytest.raises(Refused) as caught:
        ana.complete(claim, 500)
    assert "stale_claim" == caught.value.code

    ended = shop.inspect(run)
    assert ("completed", "shipped for 500") == (ended.status, ended.out(Order.sent))
    assert {f"{run.id}:paid:1": 500} == bank
    assert [f"{run.id}:paid:1"] * 2 == calls
    assert [1, 2, 1] == [one.deliveries for one in ended.attempts]


def _context(run_id: str, idempotency_key: str) -> Context:
    """What the step sees, as far as this story needs it."""
    return Context(
        run_id=run_id,
        workflow="stories.Order",
        node="paid",
        attempt=1,
        visit=1,
        attempt_key=idempotency_key,
        idempotency_key=idempotency_key,
        claim_id="ana's",
        fencing_token=1,
        signals=StepSignals(),
    )
