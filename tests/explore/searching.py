"""One family, searched undisturbed."""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from explore.family import Family
from explore.search import Found, explore
from explore.world import World
from squidmesh_core.checker import claims as checker_claims
from support.bugs import claim_module


def searched(family: Family, *, most: int) -> Found:
    """What the search of a family comes back with, after so many states at most."""
    with _undisturbed(), _delivered(family.deliveries):
        return explore(World(family), most=most, reaches=family.reaches)


@contextmanager
def _delivered(times: int) -> Iterator[None]:
    """
    With fewer deliveries where a node does not say; callbacks have no other bound.

    The checker has a figure of its own, since it believes nobody.
    """
    with (
        patch.object(claim_module, "MOST_DELIVERIES", times),
        patch.object(checker_claims, "DELIVERIES", times),
    ):
        yield


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
