"""
Unguessable bytes, fetched from the system in stocks.

Each fetch lets go of the interpreter, and a thread that wants it back has to wait
for its turn; a step needs three.
"""

import os
import threading
from typing import Final

#: Bytes fetched at once: enough for some sixty steps.
STOCK: Final = 4096


class _Stock(threading.local):
    """What one thread has fetched and not given out yet."""

    def __init__(self) -> None:
        self.left = b""
        self.pid = 0


_stock: Final = _Stock()


def random_bytes(count: int) -> bytes:
    """So many bytes of `os.urandom`, each given out once, in forked processes too."""
    if len(_stock.left) < count or _stock.pid != os.getpid():
        _stock.left, _stock.pid = os.urandom(max(STOCK, count)), os.getpid()
    given, _stock.left = _stock.left[:count], _stock.left[count:]
    return given
