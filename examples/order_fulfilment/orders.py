"""
Reading the shop's export: each row is an order, or is refused with reasons.

Nothing is guessed.  A price is whole units, or has a point or a comma and two
digits (`12`, `12.30`, `12,30`); thousands separators are refused, because `1.234`
means two things.  Blanks around a value go; a value is otherwise kept as it is,
and a leading `=` is only a character.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

from .workflow import OrderPlaced  # noqa: TID252 - the example is a copy of this package

COLUMNS: Final = (
    "order_id", "placed_on", "customer", "email", "sku", "quantity", "unit_price", "channel",
    "card_token", "note",
)  # fmt: skip
MOST_PIECES: Final = 999

_ORDER_ID: Final = re.compile(r"[A-Z]-[0-9]{1,12}")
_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_PRICE: Final = re.compile(r"([0-9]{1,7})(?:[.,]([0-9]{2}))?")


@dataclass(frozen=True)
class Flaw:
    """What is wrong with one field of a row."""

    field: str
    reason: str


@dataclass(frozen=True)
class Refused:
    """A row that is no order."""

    #: As a spreadsheet counts them: the header is row 1.
    row: int
    order_id: str
    flaws: tuple[Flaw, ...]


@dataclass(frozen=True)
class Order:
    """A row that is one."""

    row: int
    placed: OrderPlaced


def read_orders(path: Path) -> Iterator[Order | Refused]:
    """
    Each row of an export, in order.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no export: its text is not UTF-8, or the header differs.
    """
    # utf-8-sig: spreadsheets begin their exports with a byte order mark.
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        header = tuple(next(rows, ()))
        if header != COLUMNS:
            raise ValueError(f"{path}: expected the columns {', '.join(COLUMNS)}, not {header}")
        for number, cells in enumerate(rows, start=2):
            if cells:
                yield _order(number, cells)


def _order(row: int, cells: list[str]) -> Order | Refused:
    if len(cells) != len(COLUMNS):
        flaw = Flaw("row", f"expected {len(COLUMNS)} cells, not {len(cells)}")
        return Refused(row, cells[0].strip(), (flaw,))
    reading = _Reading(dict(zip(COLUMNS, (cell.strip() for cell in cells), strict=True)))
    reading.check_date("placed_on")
    quantity = reading.quantity("quantity")
    placed = OrderPlaced(
        order_id=reading.order_id("order_id"),
        customer=reading.text("customer"),
        sku=reading.text("sku"),
        quantity=quantity,
        total_cents=quantity * reading.cents("unit_price"),
        card_token=reading.text("card_token"),
        channel=reading.channel("channel"),
    )
    if reading.flaws:
        return Refused(row, placed.order_id, tuple(reading.flaws))
    return Order(row, placed)


class _Reading:
    """The cells of one row, and what was found wrong with them so far."""

    def __init__(self, cells: dict[str, str]) -> None:
        self._cells = cells
        self.flaws: list[Flaw] = []

    def text(self, field: str) -> str:
        value = self._cells[field]
        if not value:
            self._flaw(field, "is missing")
        return value

    def order_id(self, field: str) -> str:
        value = self.text(field)
        if value and not _ORDER_ID.fullmatch(value):
            self._flaw(field, f"expected an id like A-1001, not {value!r}")
        return value

    def check_date(self, field: str) -> None:
        value = self.text(field)
        try:
            date.fromisoformat(value or "2000-01-01")
        except ValueError:
            self._flaw(field, f"expected a date like 2026-11-20, not {value!r}")

    def quantity(self, field: str) -> int:
        value = self.text(field)
        if value and not (_WHOLE.fullmatch(value) and 1 <= int(value) <= MOST_PIECES):
            self._flaw(field, f"expected a whole number from 1 to {MOST_PIECES}, not {value!r}")
            return 0
        return int(value or 0)

    def cents(self, field: str) -> int:
        value = self.text(field)
        match = _PRICE.fullmatch(value)
        cents = int(match[1]) * 100 + int(match[2] or 0) if match else 0
        if value and not cents:
            self._flaw(field, f"expected a price like 12.30 or 12,30 above zero, not {value!r}")
        return cents

    def channel(self, field: str) -> Literal["web", "shop"]:
        value = self._cells[field]
        if value not in {"", "web", "shop"}:
            self._flaw(field, f"expected web or shop, not {value!r}")
        return "shop" if value == "shop" else "web"

    def _flaw(self, field: str, reason: str) -> None:
        self.flaws.append(Flaw(field, reason))
