"""
A journal that answers from a list of replies, and stops whoever asks for more.

What stopped is played again from its beginning, with one reply more.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from attrs import frozen

from explore.shelf import Shelf, instant
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import BEGINNING, AppendId, Revision, RunId
from squidmesh_core.protocol.rows import IndexRows
from squidmesh_storage.api import (
    Batch,
    Candidate,
    Claimed,
    Committed,
    Conflict,
    DecideClaims,
    Loaded,
    Offered,
    Outcome,
    Quarantine,
    Unknown,
)
from squidmesh_storage.memory import MemoryJournal

#: What becomes of a request that writes, as the process sees it.
Heard = Literal["written", "conflict", "unknown", "away", "found", "absent"]


class Reply(NamedTuple):
    """What the storage said, and no more than the process can see of it."""

    #: The story that was read, or -1.
    story: int = -1
    #: What the clock said, in milliseconds.
    now: int = -1
    heard: Heard = "written"


@frozen
class Look:
    """A request that changes nothing."""

    what: Literal["clock", "journal", "append id"]
    #: The append that is looked for.
    append_id: AppendId | None = None


@frozen
class Write:
    """A request that appends this, or nothing; the claim's is decided inside of it."""

    batch: Batch | None


_CLOCK: Final = Look("clock")
_JOURNAL: Final = Look("journal")
#: The request of a claim transaction.
CLAIM: Final = Write(None)


class Asked(BaseException):
    """The replies are used up: the operation waits here."""

    def __init__(self, request: Look | Write) -> None:
        self.request = request


class Recorded(MemoryJournal):
    """A journal that answers from a list, and stops the operation when it is used up."""

    def __init__(self, shelf: Shelf, replies: Sequence[Reply]) -> None:
        super().__init__()
        self._shelf = shelf
        self._replies = list(reversed(replies))
        #: What the last of the replies wrote inside of its request.
        self.wrote: tuple[Batch, ...] = ()

    def _reply(self, request: Look | Write) -> Reply:
        if not self._replies:
            raise Asked(request)
        self.wrote = ()
        return self._replies.pop()

    def now(self) -> datetime:
        """The clock."""
        return instant(self._reply(_CLOCK).now)

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """The appends after a revision."""
        story = self._shelf[self._reply(_JOURNAL).story]
        records = tuple(record for record in story.records if record.first > after)
        return Loaded(records=records, head=story.head)

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """Where an append stands."""
        found = self._reply(Look("append id", append_id)).heard == "found"
        return Revision(1) if found else None

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """What became of one append."""
        (batch,) = batches
        reply = self._reply(Write(batch))
        return (self._outcome(batch, reply),)

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """What became of one claim transaction."""
        reply = self._reply(CLAIM)
        story, now = self._shelf[reply.story], instant(reply.now)
        due = [row for row in story.due(reply.now) if row.action is None or row.action in actions]
        candidates = tuple(Candidate(row=row, head=story.head) for row in due[:limit])
        offered = Offered(candidates=candidates, lanes=(), now=now)
        batches = decide(offered).batches if candidates else ()
        outcomes = tuple(self._outcome(batch, reply) for batch in batches)
        if not self._replies:
            self.wrote = tuple(batches)
        return Claimed(outcomes=outcomes, now=now, next_due=None)

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """Rows are exact here, so nobody should want to mend them."""
        raise AssertionError("somebody mends the index")

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """No journal is damaged here, so only a bug in the core can lead here."""
        raise AssertionError(f"somebody sets the run aside: {mark}")

    def _outcome(self, batch: Batch, reply: Reply) -> Outcome:
        record = batch.record
        if reply.heard == "away":
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        if reply.heard == "unknown":
            return Unknown(run_id=record.run_id, append_id=record.append_id)
        if reply.heard == "conflict":
            beyond = Revision(batch.expected + 1)
            return Conflict(run_id=record.run_id, expected=batch.expected, actual=beyond)
        return Committed(run_id=record.run_id, revision=record.last)
