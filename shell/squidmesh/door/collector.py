"""
The garbage collector, while a long run is read.

Reading one makes tens of thousands of records, and all of them stay.  Python looks for
garbage after each 700 of them, and now and then through everything that there is: up to
half of the time, to find nothing.  So it rests until the run is read, which takes some
tens of milliseconds; what other threads throw away meanwhile is collected after that.
In all else a host's process is the host's, and squidmesh changes nothing there.
"""

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

#: Characters of stored text from which on it rests: some 500 entries.
LONG: Final = 100_000
#: The thread that it rests for, if there is one.
_READING: Final[set[int]] = set()


def resting(characters: int) -> AbstractContextManager[None]:
    """Let the collector rest while so much stored text is read; for less, do nothing."""
    return _resting() if characters >= LONG else nullcontext()


@contextmanager
def _resting() -> Iterator[None]:
    if not gc.isenabled():  # as the host wants it, or because another thread reads a long run
        yield
        return
    reader = threading.get_ident()
    _READING.add(reader)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        _READING.discard(reader)


def _wake() -> None:
    """Let it go on in a process that was forked while a thread read, which stayed behind."""
    if _READING:
        _READING.clear()
        gc.enable()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_wake)
