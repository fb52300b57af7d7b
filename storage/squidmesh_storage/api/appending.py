"""
Writing: batches, what became of each, and the verbs.

The revision that a batch expects is the fence: everything else rests on it.
"""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from squidmesh_core.ids import AppendId, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.notices import NoticeRow
from squidmesh_core.protocol.rows import RowChanges


@frozen(kw_only=True)
class Batch:
    """One append to one run, with the index rows that it implies."""

    record: AppendRecord
    #: The head this append must follow; 0 for a run's first append.
    expected: Revision
    rows: RowChanges
    #: Batches of one call that name the same group stand or fall together.
    group: str | None = None
    #: What a process has to know to read the run from here on.  Whoever appends has
    #: read all that came before, so that of the last append speaks for the whole run.
    codec: int = CODEC_VERSION
    #: What hooks are to be told of it.
    notices: tuple[NoticeRow, ...] = ()

    def __attrs_post_init__(self) -> None:
        """
        Build it valid or not at all.

        Raises:
            ValueError: The record does not begin right after `expected`.
        """
        if self.record.first != self.expected + 1 or self.record.last < self.record.first:
            raise ValueError(
                f"an append after revision {self.expected} begins at {self.expected + 1}, "
                f"not at {self.record.first} (to {self.record.last})"
            )


@quick
@frozen(kw_only=True)
class Committed:
    """The batch is durable."""

    run_id: RunId
    revision: Revision


@frozen(kw_only=True)
class Conflict:
    """
    Somebody appended first (or the head is elsewhere); nothing was written.

    A batch that fell only with its group, or whose run is quarantined, has
    `actual` equal to `expected`.
    """

    run_id: RunId
    expected: Revision
    actual: Revision


@frozen(kw_only=True)
class Unknown:
    """The connection broke around COMMIT; look for the `append_id`."""

    run_id: RunId
    append_id: AppendId


Outcome = Committed | Conflict | Unknown


class Appending(Protocol):
    """The verb that appends, and the one to ask when its answer was lost."""

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """
        Write each batch whose expected revision is the head; answer each on its own.

        Nothing is appended to a quarantined run: that is a conflict.  At most one
        batch per run in a call.  A conflict in one batch does not touch the others,
        but for batches of its group.  Entries and rows of a batch become visible
        together or not at all.  When this returns `Committed`, the batch survives a
        crash of the process and of the machine.

        Of a batch's rows, drops come before puts.  A row is due at once if it is
        visible at the record's `at`, whatever the clock says.

        Of a batch's notices one record of kind `notice` is kept, together with the
        entries, for each record of kind `hook` whose key begins with the event and a
        space: its key is the hook's, a space and the notice's id.  A hook that nobody
        stored before is told nothing, and one that is there already stays as it is.

        Raises:
            StorageError: Nothing of these batches was written.
            ValueError: Two batches name one run.
        """
        ...

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """The last revision of the append of this id, or null."""
        ...
