"""
Looking after a place: how things stand there, and the verbs that mend, mark and remove.

No step waits for any of these.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from attrs import Factory, frozen

from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import IndexRows, RunStatus
from squidmesh_storage.api.loading import Quarantine


@frozen(kw_only=True)
class Depth:
    """How much lies in one queue; nothing of quarantined or newer runs."""

    #: Attempts that can be claimed now: unclaimed and visible, or held with the lease past.
    waiting: int = 0
    #: Unclaimed ones that are visible later.
    delayed: int = 0
    #: Those whose lease is not past.
    held: int = 0
    #: Since when the unclaimed one has been visible that has waited longest; null: none waits.
    since: datetime | None = None


@frozen(kw_only=True)
class Survey:
    """What the index says as a whole: for people who ask how things stand."""

    #: Number of the tables' version; null: this place has none.
    schema: int | None = None
    #: How many runs have each status; none is left out.
    runs: Mapping[RunStatus, int] = Factory(dict)
    quarantined: Mapping[RunId, Quarantine] = Factory(dict)
    #: Runs with attempts that only a process with a newer codec may claim.
    newer: tuple[RunId, ...] = ()
    #: Action → attempts, unclaimed or held, that need it.
    actions: Mapping[str, int] = Factory(dict)
    #: Queue → what lies in it, of queues that hold anything.
    queues: Mapping[str, Depth] = Factory(dict)
    #: Since when the attempt has been claimable that has waited longest; null: none is.
    waiting_since: datetime | None = None
    #: What only this kind of place has: versions, settings, sizes in bytes.
    facts: Mapping[str, str | int] = Factory(dict)


class Upkeep(Protocol):
    """The verbs of whoever looks after a place."""

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """
        Put these rows in the place of all rows of a run, if `revision` is its head.

        Returns false, and changes nothing, when the head is elsewhere.
        """
        ...

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """
        Mark a run as unreadable (no candidates, no appends), or lift the mark with null.

        The mark is no fact of the run: `load` answers as before and shows it.
        """
        ...

    def remove(self, run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        """
        Forget a run whose head is `revision`: its journal, rows, checkpoint and mark.

        A tombstone, an append that begins at revision 1, takes the journal's place,
        so that nothing else ever begins under the id.  Returns false, and changes
        nothing, when the head is elsewhere.
        """
        ...

    def survey(self) -> Survey:
        """How things stand; walks the index, so ask now and then only."""
        ...
