"""
A card gateway to practise on: flaky, honest, and with books of its own.

It stands for a service somewhere else, so it knows nothing of squidmesh and
keeps its ledger in a file apart from any journal: JSON lines that are only ever
appended, each forced to the disk before the caller hears of it.  Several
processes may share one ledger; a lock on the file takes them in turns.

Nothing here is random.  Whether the gateway is busy, or takes the money and then
loses its own reply, follows from the order id alone, so every rerun meets the
same trouble.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Final, Literal

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


@dataclass(frozen=True)
class Line:
    """One line of the ledger."""

    kind: Literal["charged", "busy", "declined"]
    idempotency_key: str
    order_id: str
    amount_cents: int
    payment_id: str = ""


class Gateway:
    """
    One client of the gateway; its ledger is all that clients share.

    Args:
        ledger: The file; it is made if it is not there.
        taken: Called when money was taken and nobody has heard of it yet: the
            worst moment to pull the plug.
    """

    def __init__(self, ledger: Path, *, taken: Callable[[Line], None] | None = None) -> None:
        self._ledger = ledger
        self._taken = taken
        self._within = Lock()
        self._lines: list[Line] = []
        self._charged: dict[str, Line] = {}
        self._busy: dict[str, int] = {}
        #: Bytes of the ledger that were read; always the end of a whole line.
        self._read = 0

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
        with self._turn() as ledger:
            before = self._charged.get(idempotency_key)
            if before is not None:
                if (before.order_id, before.amount_cents) != (order_id, amount_cents):
                    raise KeyReused(f"the key {idempotency_key} belongs to another charge")
                return before.payment_id
            if self._busy.get(idempotency_key, 0) < busy_replies(order_id):
                self._write(ledger, Line("busy", idempotency_key, order_id, amount_cents))
                raise GatewayBusy("the gateway is busy")
            for beginning, word in DECLINES.items():
                if card_token.startswith(beginning):
                    self._write(ledger, Line("declined", idempotency_key, order_id, amount_cents))
                    raise CardDeclined(word)
            payment_id = f"pay-{zlib.crc32(idempotency_key.encode()):08x}"
            line = Line("charged", idempotency_key, order_id, amount_cents, payment_id)
            self._write(ledger, line)
        if self._taken is not None:
            self._taken(line)
        if loses_reply(order_id):
            raise ConnectionError("the connection broke before the gateway's reply arrived")
        return payment_id

    def lines(self) -> tuple[Line, ...]:
        """The whole ledger, oldest line first."""
        with self._turn():
            return tuple(self._lines)

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """The ledger, locked against other threads and processes, and read to its end."""
        with self._within:
            descriptor = os.open(self._ledger, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._read_on(descriptor)
                yield descriptor
            finally:
                os.close(descriptor)  # lets go of the lock, as would the death of this process

    def _read_on(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        text = os.pread(descriptor, size - self._read, self._read)
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._take(Line(**json.loads(line)))
        self._read += len(whole)
        if len(whole) < len(text):
            # Its writer died within the line, so nobody was ever told of it.
            os.ftruncate(descriptor, self._read)

    def _write(self, descriptor: int, line: Line) -> None:
        data = json.dumps(asdict(line), ensure_ascii=False).encode() + b"\n"
        os.write(descriptor, data)
        os.fsync(descriptor)
        self._read += len(data)
        self._take(line)

    def _take(self, line: Line) -> None:
        self._lines.append(line)
        if line.kind == "charged":
            self._charged[line.idempotency_key] = line
        elif line.kind == "busy":
            self._busy[line.idempotency_key] = self._busy.get(line.idempotency_key, 0) + 1


def busy_replies(order_id: str) -> int:
    """How often the gateway is busy before it looks at an order's card."""
    number = zlib.crc32(order_id.encode())
    if number % 67 == 0:
        return 1_000  # always, as far as anybody's patience goes
    return (0, 0, 0, 1, 0, 2, 0, 0)[number % 8]


def loses_reply(order_id: str) -> bool:
    """Whether the gateway takes the money for an order and then loses its reply."""
    return zlib.crc32(order_id.encode()) % 13 == 5
