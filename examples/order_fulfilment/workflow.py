"""
Ship one paid order: reserve, clear the risk, charge, settle, wait, hand over.

The contracts are ordinary dataclasses and the steps plain functions: call them to
test them.  Only `OrderFulfilment` at the end knows about squidmesh.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from squidmesh import (
    Context,
    Deadline,
    Defer,
    Fail,
    Retries,
    Retry,
    Sensitive,
    UndoContext,
    Workflow,
    approval,
    manual,
    maybe,
    pause,
    receive,
    step,
    wait,
)

from .gateway import CardDeclined, Gateway, GatewayBusy  # noqa: TID252 - the example is a copy
from .ledger import Ledger  # noqa: TID252 - the example is a copy
from .warehouse import (  # noqa: TID252 - the example is a copy
    FRAGILE,
    OutOfStock,
    Warehouse,
    fits_into_a_van,
    house_of,
)

#: Orders from this sum on are of high risk.
RISKY_CENTS: Final = 50_000
#: The score of an order whose card was reported stolen.
CERTAIN: Final = 100


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
    fragile: bool


@dataclass(frozen=True)
class Risk:
    """How much an order looks like fraud."""

    score: int
    band: Literal["low", "medium", "high"]


@dataclass(frozen=True)
class ReviewForm:
    """What a reviewer may grant."""

    waive_fee: bool = False


@dataclass(frozen=True)
class Payment:
    """Money that was taken."""

    payment_id: str
    captured_cents: int


@dataclass(frozen=True)
class Settlement:
    """The bank's word that the money has arrived."""

    payment_id: str
    settled_cents: int


@dataclass(frozen=True)
class Parcel:
    """What the carrier was given."""

    tracking_no: str
    label: str


# --- the outside world


class _Desk:
    """Where the steps find the outside; a real shop would keep its clients here."""

    gateway = Gateway(Ledger(Path("ledger.jsonl")))
    warehouse = Warehouse(Ledger(Path("stock.jsonl")))


def connect(gateway: Gateway, warehouse: Warehouse) -> None:
    """Tell the steps whom to ask, instead of those whose files lie beside the program."""
    _Desk.gateway = gateway
    _Desk.warehouse = warehouse


# --- steps


def reserve_stock(order_id: str, sku: str, quantity: int) -> Reservation | Fail:
    """Put the goods aside."""
    try:
        reservation_id = _Desk.warehouse.reserve(order_id=order_id, sku=sku, quantity=quantity)
    except OutOfStock as empty:
        return Fail(str(empty), code="out_of_stock", wanted=quantity)
    return Reservation(reservation_id, house_of(sku), fragile=sku.startswith(FRAGILE))


def release_stock(done: Reservation) -> None:
    """Undo `reserve_stock`: the warehouse does it once, however often it is asked."""
    _Desk.warehouse.put_back(done.reservation_id)


async def score_risk(total_cents: int, card_token: str, channel: str) -> Risk:
    """Score from 0 to 100: large sums from the web are what fraud looks like."""
    if card_token.startswith("tok_stolen"):
        return Risk(CERTAIN, "high")
    score = min(CERTAIN - 1, total_cents // 1_250 + (15 if channel == "web" else 0))
    return Risk(score, "high" if total_cents >= RISKY_CENTS else "medium" if score > 20 else "low")


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


def refund(ctx: UndoContext, done: Payment) -> None:
    """Undo `take_payment`; undoing has an idempotency key of its own."""
    _Desk.gateway.refund(
        idempotency_key=ctx.idempotency_key,
        order_id=str(ctx.input["order_id"]),
        amount_cents=done.captured_cents,
    )


def carrier_slot(ctx: Context, warehouse: str, sku: str, quantity: int) -> str | Defer | Fail:
    """Book a place in a van; the first van is always full, so the step is deferred once."""
    if not fits_into_a_van(sku, quantity):
        return Fail(f"no van takes {quantity} pieces of {sku}", code="too_bulky")
    # What continues a deferred attempt has a key that says so.
    if ctx.attempt_key.endswith(":deferred"):
        return f"{warehouse}-van-2"
    return Defer("the first van is full", for_="100ms")


def hand_over(
    ctx: Context, customer: str, reservation_id: str, slot: str, review: ReviewForm | None
) -> Parcel:
    """Give the parcel to the carrier; it will not come back."""
    fee = "no fee" if review is not None and review.waive_fee else "fee paid"
    ctx.progress(1, of=2, note="label printed")
    _Desk.warehouse.hand_over(reservation_id)
    return Parcel(f"{reservation_id}/{slot}", f"To {customer}, {fee}")


def write_apology(order_id: str, customer: str, reservation_id: str) -> str:
    """Make good what cannot be delivered: the goods go back, and the customer is told."""
    _Desk.warehouse.put_back(reservation_id)
    return f"Dear {customer}, we could not take your order {order_id}. Nothing was charged."


# --- the workflow


class OrderFulfilment(Workflow, name="OrderFulfilment"):
    """Ship one paid order."""

    version = "2026-11-21"

    placed = manual(OrderPlaced)
    order = placed.payload

    reserve = (
        step(reserve_stock).takes(order.order_id, order.sku, order.quantity).undo(release_stock)
    )
    risk = step(score_risk, retry=3).takes(order.total_cents, order.card_token, order.channel)
    review = approval(
        "High risk. Ship anyway?",
        form=ReviewForm,
        deadline=Deadline("2h", due_soon="30m", escalate="operator_action"),
    )
    charge = (
        step(
            take_payment,
            deadline=Deadline("5m", escalate="diagnostic"),
            retry=Retries(4, backoff="exponential", first="50ms", cap="400ms"),
        )
        .takes(order.order_id, order.card_token, amount_cents=order.total_cents)
        .undo(refund)
    )
    # The bank knows the order and no run; it may be quicker than we are.
    settled = receive(
        Settlement, correlation=order.order_id, deadline=Deadline("3d", due_soon="1d")
    )
    cool_off = wait("200ms")  # a real shop gives its customers ten minutes
    count = pause("Fragile goods: count the box by hand")
    slot = step(carrier_slot).takes(reserve.out.warehouse, order.sku, order.quantity)
    ship = step(hand_over, irreversible=True).takes(
        order.customer,
        reserve.out.reservation_id,
        slot.out,
        maybe(review.out.form),  # most orders are never reviewed
    )
    apology = step(write_apology).takes(order.order_id, order.customer, reserve.out.reservation_id)

    reserve.then(risk)
    risk.then(charge, when=(risk.out.score < 40) & (risk.out.band != "high"))
    risk.then(review)  # no `when`: the fallback
    review.then(charge)
    review.on_reject(apology)
    charge.then(settled).then(cool_off)
    charge.on_error(apology, recovery="compensation")  # after the last retry, or at once on Fail
    cool_off.then(count, when=reserve.out.fragile)
    cool_off.then(slot)
    count.then(slot)
    slot.then(ship)
