"""
Rebuilding the index: the rows of a run are what its state implies, and nothing else.

Dropping the index and all checkpoints loses nothing; rebuilding gives equal
rows, except that those of held attempts may lag (specs/protocol.md §8.10).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from squidmesh.door.door import Door
from squidmesh.door.recall import UNREADABLE
from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.views.index import rows_of
from squidmesh_storage.api import Journal

#: Run ids read at once.
_PAGE: Final = 500


def reindex(door: Door, run_id: RunId | None = None) -> int:
    """
    Rebuild the rows of one run, or of all that can be read; how many there were.

    A run that cannot be read is set aside, and one that is quarantined stays as it
    is; the others go on.

    Raises:
        RunNotFound: There is no such run.
        StorageError: The storage failed, or that one run is unreadable.
    """
    if run_id is not None:
        door.memory.forget(run_id)
        reindex_run(door, run_id)
        return 1
    rebuilt = 0
    for one in every_run(door.journal):
        door.memory.forget(one)  # what is rebuilt comes from the journal alone
        try:
            reindex_run(door, one)
        except RunNotFound:
            continue
        except StorageError as error:
            if error.code not in UNREADABLE:
                raise
        else:
            rebuilt += 1
    return rebuilt


def reindex_run(door: Door, run_id: RunId) -> None:
    """
    Put the rows that a run's state implies in the place of those it has.

    Raises:
        RunNotFound: There is no such run.
        StorageError: The storage failed, or the run is unreadable.
    """
    while True:
        known = door.fresh(run_id)
        rows = rows_of(known.state, known.spec)
        # Somebody who appends in between has changed the rows himself: look again.
        if door.journal.index(run_id, known.state.revision, rows):
            return


def every_run(journal: Journal) -> Iterator[RunId]:
    """The ids of all runs that have a journal, a page at a time."""
    return all_ids(journal.run_ids)


def all_ids(verb: Callable[[RunId | None, int], Sequence[RunId]]) -> Iterator[RunId]:
    """All the ids that a verb names, a page at a time."""
    after: RunId | None = None
    while page := verb(after, _PAGE):
        yield from page
        after = page[-1]
