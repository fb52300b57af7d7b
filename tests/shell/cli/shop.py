"""A shop whose orders ask people, wait for messages, and can be undone."""

from dataclasses import dataclass

from squidmesh import (
    Deadline,
    Fail,
    Sensitive,
    Workflow,
    approval,
    manual,
    pause,
    receive,
    step,
)


@dataclass(frozen=True)
class Placed:
    sku: str
    card: Sensitive[str] = "card-4711-0815"
    limit: Sensitive[int] = 47114711


@dataclass(frozen=True)
class Waiver:
    reason: str
    waive: bool = False
    pin: Sensitive[int] = 99887766


@dataclass(frozen=True)
class Settled:
    cents: int
    iban: Sensitive[str] = "iban-5544332211"
    tan: Sensitive[int] = 33445566


@dataclass(frozen=True)
class Paid:
    code: Sensitive[int]


def reserve(sku: str) -> str:
    return f"reserved {sku}"


def release(done: str) -> None:
    """Nothing can go wrong here."""


def charge(card: str, limit: int) -> Paid:
    return Paid(code=66006600)


def refund(done: Paid) -> None:
    raise ConnectionError("the bank is closed")


def ship(sku: str) -> str | Fail:
    return Fail(f"no van{sku[5:]}") if sku.startswith("piano") else f"shipped {sku}"


def apologise(sku: str) -> str:
    return f"sorry for {sku}"


class Order(Workflow, name="Order"):
    """Reserve, ask, charge, wait for the bank, count, ship."""

    placed = manual(Placed)
    order = placed.payload

    reserved = step(reserve).takes(order.sku).undo(release)
    review = approval("High risk. Ship anyway?", form=Waiver, deadline=Deadline("2h"), timeout="3d")
    charged = step(charge).takes(order.card, order.limit).undo(refund, retry=1)
    settled = receive(Settled, correlation=order.sku)
    count = pause("Fragile: count the box by hand", timeout="7d")
    shipped = step(ship, irreversible=True).takes(order.sku)
    apology = step(apologise).takes(order.sku)

    reserved.then(review).then(charged).then(settled).then(count).then(shipped)
    review.on_reject(apology)


class Twice(Workflow, name="Twice"):
    """Two people are asked at once, and after one of them the bank."""

    asked = manual(Placed)

    first = step(reserve).takes(asked.payload.sku)
    left = approval("Left?", after=[first], deadline=Deadline("1ms"))
    right = approval("Right?", after=[first], deadline=Deadline("1h", due_soon="3599999ms"))
    told = receive(Settled, after=[left])
