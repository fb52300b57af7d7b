"""
The garbage collector, in the processes that the command line owns.

What an import makes stays, so a collector that looks after every 700 new objects looks
dozens of times for nothing: a tenth of a short command.  A worker frees nearly all that
it makes by counting references; looking seldom, and never again at what was imported,
spares it some of that.  In a host's process squidmesh changes nothing of this but for the
moment in which a long run is read (`door.collector`).
"""

import gc
from typing import Final

#: New objects between two looks: while a command imports and does its work …
_BEGINNING: Final = 100_000
#: … and of a worker, which makes so many in some 150 steps; with 10,000 it grows by a megabyte.
_WORKING: Final = 2_000


def begin() -> None:
    """Let the collector rest while this process begins."""
    gc.set_threshold(_BEGINNING)


def settle() -> None:
    """From now on the process works for long; nothing if it was not begun here."""
    if gc.get_threshold()[0] == _BEGINNING:
        gc.collect()  # what is garbage now would be kept for ever
        gc.freeze()
        gc.set_threshold(_WORKING)
