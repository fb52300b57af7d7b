"""Counts of runs, from the index alone."""

from datetime import datetime

from squidmesh.door.door import Door
from squidmesh_core.views import counts as core
from squidmesh_core.views.counts import Counts


def counts(door: Door, now: datetime | None) -> Counts:
    """
    How many runs there are, and how their deadlines stand at an instant.

    Raises:
        StorageError: The storage failed.
    """
    at = now or door.journal.now()
    tally = door.journal.tally(at)
    return core.counts(at, tally.runs, tally.deadlines)
