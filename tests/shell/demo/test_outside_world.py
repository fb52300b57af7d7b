"""The practice gateway, warehouse and ledger keep the promises that the steps rely on."""

from pathlib import Path

import pytest

from squidmesh.demo.gateway import CardDeclined, Gateway, GatewayBusy, KeyReused
from squidmesh.demo.ledger import Ledger, Line
from squidmesh.demo.warehouse import OutOfStock, Warehouse

#: Orders whose ids bring the gateway to what they are named after.
CALM, BUSY_ONCE, LOSES_REPLY = "A-1001", "A-3004", "A-1063"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A new one."""
    return Ledger(tmp_path / "ledger.jsonl")


def charge(gateway: Gateway, order_id: str, *, card: str = "tok_1", cents: int = 500) -> str:
    """Ask for the money of an order, under its own key."""
    return gateway.charge(
        idempotency_key=f"key-{order_id}", order_id=order_id, card_token=card, amount_cents=cents
    )


def kinds(ledger: Ledger) -> list[str]:
    """What was done, in order."""
    return [line.kind for line in ledger.lines()]


def test_a_charge_that_is_repeated_takes_the_money_once(tmp_path: Path, ledger: Ledger) -> None:
    """Also by another process, which shares the file and nothing else."""
    payment = charge(Gateway(ledger), CALM)
    other = Gateway(Ledger(tmp_path / "ledger.jsonl"))

    assert payment == charge(other, CALM)
    assert ["charged"] == kinds(ledger)


def test_a_lost_reply_is_found_by_asking_again(ledger: Ledger) -> None:
    """The money was taken, and the caller knows nothing of it."""
    gateway = Gateway(ledger)
    with pytest.raises(ConnectionError):
        charge(gateway, LOSES_REPLY)
    charge(gateway, LOSES_REPLY)

    assert ["charged"] == kinds(ledger)


def test_a_busy_gateway_charges_nothing(ledger: Ledger) -> None:
    """And later it does; a declined card never."""
    gateway = Gateway(ledger)
    busy = next(order for order in (f"B-{n}" for n in range(100)) if _busy(gateway, order))
    assert ["busy"] == [line.kind for line in ledger.lines() if line.order_id == busy]
    with pytest.raises(CardDeclined, match="expired_card"):
        charge(gateway, CALM, card="tok_expired_1")

    assert () == ledger.find("charged", f"key-{CALM}")


def test_one_key_belongs_to_one_charge(ledger: Ledger) -> None:
    """Another amount under it is refused, and takes nothing."""
    gateway = Gateway(ledger)
    charge(gateway, CALM)
    with pytest.raises(KeyReused):
        charge(gateway, CALM, cents=501)
    gateway.refund(idempotency_key="undo", order_id=CALM, amount_cents=500)
    gateway.refund(idempotency_key="undo", order_id=CALM, amount_cents=500)

    assert ["charged", "refunded"] == kinds(ledger)


def test_goods_are_put_aside_back_and_handed_over_once(ledger: Ledger) -> None:
    """However often it is asked; what was never put aside is unknown."""
    warehouse = Warehouse(ledger)
    for _ in range(2):
        first = warehouse.reserve(order_id="A-1", sku="MUG-7", quantity=3)
        warehouse.put_back(first)
        warehouse.hand_over(warehouse.reserve(order_id="A-2", sku="MUG-7", quantity=1))

    assert ["reserved", "put back", "reserved", "handed over"] == kinds(ledger)
    with pytest.raises(OutOfStock):
        warehouse.reserve(order_id="A-3", sku="VASE-0", quantity=1)
    with pytest.raises(LookupError):
        warehouse.put_back("res-A-9")


def test_a_line_that_was_cut_short_was_never_written(tmp_path: Path, ledger: Ledger) -> None:
    """Its writer was killed within it, so nobody was told; the next one takes its place."""
    ledger.write(Line("busy", "k", "A-1", 1))
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(b'{"kind": "charg')
    other = Ledger(tmp_path / "ledger.jsonl")
    other.write_once(Line("charged", "k", "A-1", 1))

    assert ["busy", "charged"] == kinds(other) == kinds(ledger)


def _busy(gateway: Gateway, order_id: str) -> bool:
    try:
        charge(gateway, order_id)
    except GatewayBusy:
        return True
    except ConnectionError:
        return False
    return False
