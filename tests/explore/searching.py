"""One family, searched undisturbed."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from explore.search import Found, explore
from explore.world import Family, World


def searched(family: Family, *, most: int) -> Found:
    """What the search of a family comes back with, after so many states at most."""
    with _undisturbed():
        return explore(World(family), most=most, reaches=family.reaches)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """
    Without log lines, and without the collector.

    Refusals are normal life here, a hundred thousand times over.  A graph of a
    million states is no garbage, and looking through it takes most of the time.
    """
    before, collected = logging.root.manager.disable, gc.isenabled()
    logging.disable(logging.CRITICAL)
    gc.disable()
    try:
        yield
    finally:
        logging.disable(before)
        if collected:
            gc.enable()
