"""
Ship one paid order: reserve, clear the risk, charge, wait for the carrier, hand over.

The contracts are ordinary dataclasses and the steps plain functions: call them to
test them.  Only `OrderFulfilment` at the end knows about squidmesh.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from squidmesh import (
    Context,
    Defer,
    Fail,
    Retries,
    Retry,
    Sensitive,
    Workflow,
    log,
    manual,
    step,
    wait,
)

from .gateway import CardDeclined, Gateway, GatewayBusy  # noqa: TID252 - the example is a copy

OUT_OF_STOCK: Final = frozenset({"VASE-0"})
#: Orders from this sum on are looked at twice.
RISKY_CENTS: Final = 50_000


# --- contracts


@dataclass(frozen=True)
class OrderPlaced:
    """What the shop knows when an order is placed."""

    order_id: str
    customer: str
    sku: str
    quantity: int
    total_cents: int
    card_token: Sensitive[str]
    channel: Literal["web", "shop"] = "web"


@dataclass(frozen=True)
class Reservation:
    """Goods put aside for an order."""

    reservation_id: str
    warehouse: str


@dataclass(frozen=True)
class Risk:
    """How much an order looks like fraud."""

    score: int
    band: Literal["low", "medium", "high"]


@dataclass(frozen=True)
class Payment:
    """Money that was taken."""

    payment_id: str
    captured_cents: int


@dataclass(frozen=True)
class Parcel:
    """What the carrier was given."""

    tracking_no: str
    label: str


# --- the outside world


class _Desk:
    """Where the steps find the card gateway; a real shop would keep its client here."""

    gateway = Gateway(Path("ledger.jsonl"))


def connect(gateway: Gateway) -> None:
    """Tell the steps which gateway to charge, instead of the one beside the program."""
    _Desk.gateway = gateway


# --- steps


def reserve_stock(order_id: str, sku: str, quantity: int) -> Reservation | Fail:
    """Put the goods aside."""
    if sku in OUT_OF_STOCK:
        return Fail(f"{sku} is out of stock", code="out_of_stock", wanted=quantity)
    return Reservation(f"res-{order_id}", ("LIS-1", "OPO-2")[zlib.crc32(sku.encode()) % 2])


async def score_risk(total_cents: int, channel: str) -> Risk:
    """Score from 0 to 100: large sums from the web are what fraud looks like."""
    score = min(100, total_cents // 1_250 + (15 if channel == "web" else 0))
    return Risk(score, "high" if total_cents >= RISKY_CENTS else "medium" if score > 20 else "low")


def check_again(card_token: str, score: int) -> int | Fail:
    """Look twice at an order of high risk; returns the score that is left."""
    if card_token.startswith("tok_stolen"):
        return Fail("the card was reported stolen", code="stolen_card", score=score)
    return score // 2


def take_payment(
    ctx: Context, order_id: str, card_token: str, amount_cents: int
) -> Payment | Retry | Fail:
    """Charge the card once, however often this is tried: the gateway is handed our key."""
    try:
        payment_id = _Desk.gateway.charge(
            idempotency_key=ctx.idempotency_key,
            order_id=order_id,
            card_token=card_token,
            amount_cents=amount_cents,
        )
    except (GatewayBusy, ConnectionError) as trouble:
        return Retry(str(trouble))
    except CardDeclined as declined:
        return Fail("the card was declined", code=str(declined))
    return Payment(payment_id, amount_cents)


def carrier_slot(ctx: Context, warehouse: str) -> str | Defer:
    """Book a place in a van; the first van is always full, so the step is deferred once."""
    # What continues a deferred attempt has a key that says so.
    if ctx.attempt_key.endswith(":deferred"):
        return f"{warehouse}-van-2"
    return Defer("the first van is full", for_="100ms")


def hand_over(order_id: str, customer: str, slot: str) -> Parcel:
    """Give the parcel to the carrier; it will not come back."""
    return Parcel(f"{order_id}/{slot}", f"To {customer}")


def write_apology(order_id: str, customer: str) -> str:
    """What the customer is told when no money could be taken."""
    return f"Dear {customer}, we could not charge your card for {order_id}. Nothing was taken."


# --- the workflow


class OrderFulfilment(Workflow, name="OrderFulfilment"):
    """Ship one paid order."""

    version = "2026-11-20"

    placed = manual(OrderPlaced)
    order = placed.payload

    reserve = step(reserve_stock).takes(order.order_id, order.sku, order.quantity)
    risk = step(score_risk, retry=3).takes(order.total_cents, order.channel)
    flag = log("high risk: this order is checked again", level="warning")
    recheck = step(check_again).takes(order.card_token, score=risk.out.score)
    charge = step(
        take_payment,
        retry=Retries(4, backoff="exponential", first="50ms", cap="400ms"),
    ).takes(order.order_id, order.card_token, amount_cents=order.total_cents)
    cool_off = wait("200ms")
    slot = step(carrier_slot).takes(reserve.out.warehouse)
    ship = step(hand_over, irreversible=True).takes(order.order_id, order.customer, slot.out)
    apology = step(write_apology).takes(order.order_id, order.customer)

    reserve.then(risk)
    risk.then(charge, when=(risk.out.score < 40) & (risk.out.band != "high"))
    risk.then(flag)  # no `when`: the fallback
    flag.then(recheck).then(charge)
    charge.then(cool_off).then(slot).then(ship)
    charge.on_error(apology, recovery="compensation")  # after the last retry, or at once on Fail
