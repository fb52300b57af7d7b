"""
A card gateway to practise on: flaky, honest, and with books of its own.

It stands for a service somewhere else, so it knows nothing of squidmesh.  Nothing
here is random.  Whether the gateway is busy, or takes the money and then loses its
own reply, follows from the order id alone, so every rerun meets the same trouble.
"""

import zlib
from typing import Final

from .ledger import Ledger, Line  # noqa: TID252 - the example is a copy of this package

#: How a token of a card that cannot pay begins → the gateway's word for it.
DECLINES: Final = {
    "tok_no_funds": "insufficient_funds",
    "tok_expired": "expired_card",
}


class GatewayBusy(Exception):
    """Nothing was charged; ask again later."""


class CardDeclined(Exception):
    """Nothing was charged, and asking again will not help."""


class KeyReused(Exception):
    """The idempotency key came with another order or amount than before."""


class Gateway:
    """
    One client of the gateway.

    Args:
        ledger: Where the gateway writes what it did.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def charge(
        self, *, idempotency_key: str, order_id: str, card_token: str, amount_cents: int
    ) -> str:
        """
        Take the money once, however often this is asked with one key.

        Returns:
            The id of the payment.

        Raises:
            GatewayBusy: Nothing was charged.
            CardDeclined: Nothing was charged.
            ConnectionError: The money was taken, and the reply got lost.
            KeyReused: The key belongs to another charge; nothing was charged.
        """
        asked = Line(
            "charged", idempotency_key, order_id, amount_cents, payment_of(idempotency_key)
        )
        if before := self._ledger.find("charged", idempotency_key):
            return _same(before[0], asked).id
        if len(self._ledger.find("busy", idempotency_key)) < busy_replies(order_id):
            self._ledger.write(Line("busy", idempotency_key, order_id, amount_cents))
            raise GatewayBusy("the gateway is busy")
        for beginning, word in DECLINES.items():
            if card_token.startswith(beginning):
                self._ledger.write(Line("declined", idempotency_key, order_id, amount_cents))
                raise CardDeclined(word)
        charged = _same(self._ledger.write_once(asked), asked)
        if loses_reply(order_id):
            raise ConnectionError("the connection broke before the gateway's reply arrived")
        return charged.id

    def refund(self, *, idempotency_key: str, order_id: str, amount_cents: int) -> None:
        """
        Give the money back once, however often this is asked with one key.

        Raises:
            KeyReused: The key belongs to another refund; nothing was given back.
        """
        asked = Line("refunded", idempotency_key, order_id, amount_cents)
        _same(self._ledger.write_once(asked), asked)


def payment_of(idempotency_key: str) -> str:
    """What the gateway calls the payment that was asked for with a key."""
    return f"pay-{zlib.crc32(idempotency_key.encode()):08x}"


def busy_replies(order_id: str) -> int:
    """How often the gateway is busy before it looks at an order's card."""
    number = zlib.crc32(order_id.encode())
    if number % 67 == 0:
        return 1_000  # always, as far as anybody's patience goes
    return (0, 0, 0, 1, 0, 2, 0, 0)[number % 8]


def loses_reply(order_id: str) -> bool:
    """Whether the gateway takes the money for an order and then loses its reply."""
    return zlib.crc32(order_id.encode()) % 13 == 5


def _same(stands: Line, asked: Line) -> Line:
    if (stands.order_id, stands.amount) != (asked.order_id, asked.amount):
        raise KeyReused(f"the key {asked.key} belongs to something else")
    return stands
