"""
A warehouse to practise on: it puts goods aside, back, or into the carrier's hands.

Like the gateway it knows nothing of squidmesh and keeps a ledger of its own, and it
does each thing once, however often it is asked.
"""

import zlib
from typing import Final

from .ledger import Ledger, Line  # noqa: TID252 - the example is a copy of this package

OUT_OF_STOCK: Final = frozenset({"VASE-0"})
#: How the names of goods begin that break.
FRAGILE: Final = ("VASE", "CLOCK")
#: Goods of which only so many pieces fit into a van; of all others `MOST_PIECES`.
BULKY: Final = {"RUG-XL": 4}
MOST_PIECES: Final = 500


class OutOfStock(Exception):
    """There is nothing left to put aside."""


class Warehouse:
    """
    One client of the warehouse.

    Args:
        ledger: Where the warehouse writes what it did.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def reserve(self, *, order_id: str, sku: str, quantity: int) -> str:
        """
        Put goods aside, once for each order.

        Returns:
            The id of the reservation.

        Raises:
            OutOfStock: Nothing was put aside.
        """
        if sku in OUT_OF_STOCK:
            raise OutOfStock(f"{sku} is out of stock")
        reservation_id = f"res-{order_id}"
        self._ledger.write_once(
            Line("reserved", reservation_id, order_id, quantity, reservation_id)
        )
        return reservation_id

    def put_back(self, reservation_id: str) -> None:
        """
        Put the goods of a reservation back on the shelf, once.

        Raises:
            LookupError: There is no such reservation.
        """
        reserved = self._reserved(reservation_id)
        self._ledger.write_once(
            Line("put back", reservation_id, reserved.order_id, reserved.amount)
        )

    def hand_over(self, reservation_id: str) -> None:
        """
        Give the goods of a reservation to the carrier, once; they do not come back.

        Raises:
            LookupError: There is no such reservation.
        """
        reserved = self._reserved(reservation_id)
        self._ledger.write_once(
            Line("handed over", reservation_id, reserved.order_id, reserved.amount)
        )

    def _reserved(self, reservation_id: str) -> Line:
        found = self._ledger.find("reserved", reservation_id)
        if not found:
            raise LookupError(f"the warehouse knows no reservation {reservation_id}")
        return found[0]


def house_of(sku: str) -> str:
    """Where goods lie."""
    return ("LIS-1", "OPO-2")[zlib.crc32(sku.encode()) % 2]


def fits_into_a_van(sku: str, quantity: int) -> bool:
    """Whether the carrier takes so many pieces."""
    return quantity <= BULKY.get(sku, MOST_PIECES)
