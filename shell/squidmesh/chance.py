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


class _Stock:
    """What one thread has fetched, and how much of it was given out."""

    __slots__ = ("bytes", "given", "pid")

    def __init__(self) -> None:
        self.bytes = b""
        self.given = 0
        self.pid = 0


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.stock = _Stock()


_of_thread: Final = _OfThread()


def random_bytes(count: int) -> bytes:
    """So many bytes of `os.urandom`, each given out once, in forked processes too."""
    stock = _of_thread.stock
    if stock.given + count > len(stock.bytes) or stock.pid != os.getpid():
        stock.bytes, stock.given, stock.pid = os.urandom(max(STOCK, count)), 0, os.getpid()
    begin = stock.given
    stock.given = begin + count
    return stock.bytes[begin : begin + count]
