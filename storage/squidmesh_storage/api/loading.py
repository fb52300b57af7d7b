"""
Reading one journal: what is given back, and the verbs.

The hash chain is checked on the way, so that damage is found where it is read.
"""

from collections.abc import Mapping
from typing import Protocol

from attrs import frozen

from squidmesh_core.ids import BEGINNING, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import Head
from squidmesh_storage.api.keeping import Checkpoint


@frozen(kw_only=True)
class Quarantine:
    """The mark of a run whose journal cannot be read."""

    #: The first revision that does not fit; null: no single one.
    revision: Revision | None
    reason: str


@frozen(kw_only=True)
class Loaded:
    """What `load` returns: appends in order, without gaps."""

    #: Those after the asked revision, or after the checkpoint if there is one.
    records: tuple[AppendRecord, ...]
    #: A checkpoint whose revision and hash are in this journal; only if `after` was 0
    #: and not the whole journal was asked for.
    checkpoint: Checkpoint | None = None
    #: Head at the moment of reading; behind `after` if the journal ends before it.
    head: Head
    #: Why the run is marked as unreadable, or null.  The mark hides nothing here.
    quarantined: Quarantine | None = None
    #: The codec of the head's append.
    codec: int = CODEC_VERSION


class Loading(Protocol):
    """The verbs that read journals."""

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """
        The appends after a revision, in order and without gaps, from one snapshot.

        The hash chain of what is returned is checked: row on row, and the first
        row against its predecessor (or the run id).

        Args:
            run_id: Whose journal.
            after: 0, or the last revision of an append already known.
            whole: Leave a checkpoint aside: all appends are wanted.

        Raises:
            RunNotFound: No append of this run exists, and the index does not list it.
            StorageError: `run_quarantined`: a row does not fit the chain, or no append
                is left of a run that the index lists; the revision is in the details.
        """
        ...

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        """
        What `load` says of each of several runs, from one snapshot.

        Runs of which it would raise are left out, and touch the others in nothing:
        `load` says what is wrong with them.

        Args:
            wanted: Each run with the revision after which its appends are wanted.
        """
        ...

    def stored(self, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        """
        Up to `limit` appends that begin after a revision, in order, and nothing checked.

        What `verify` walks: a journal of any length, a page at a time, damaged or not.
        """
        ...

    def run_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """
        Ids of all runs that have a journal, in order: what `reindex` walks.

        Those behind an id; of the beginning of one, as people type it, those from the
        first that begins so.
        """
        ...

    def listed_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """
        Ids of all runs that the index lists, with a journal or without, in order.

        Those behind an id.  With `run_ids`, what `verify` walks: a journal that is gone
        is missed by nobody else.
        """
        ...
