"""
Faults for the runtime: a journal whose answers go astray, and processes that die.

One fault is armed at a time and met at most once; unarmed, all is honest.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Literal, get_args

from attrs import evolve

from squidmesh.ports import Site
from squidmesh_core.errors import StorageUnavailable
from squidmesh_core.ids import BEGINNING, AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.rows import CorrelationRow, IndexRows, RunRow
from squidmesh_storage.api import (
    AppendRecord,
    Batch,
    Checkpoint,
    Choice,
    Claimed,
    Committed,
    DecideClaims,
    Joined,
    Journal,
    ListPage,
    Loaded,
    Offered,
    Outcome,
    Quarantine,
    Record,
    RunFilter,
    Survey,
    Tally,
    Unknown,
    Wakeups,
)

#: What becomes of one append: durable and unheard, never arrived, arriving later, refused.
Astray = Literal["unheard", "lost", "late", "unavailable"]
Fault = Site | Astray | None
ASTRAY: Final[tuple[Astray, ...]] = get_args(Astray)


class ProcessDied(BaseException):
    """The process is gone: nothing after this happens in it."""


class Faults:
    """The fault that is armed, and what was met so far."""

    def __init__(self) -> None:
        self.armed: Fault = None
        self.met: list[Fault] = []

    def at(self, site: Site) -> None:
        """Die here, if so armed."""
        if self._meets(site):
            raise ProcessDied(site)

    def astray(self) -> Astray | None:
        """What becomes of this append."""
        return next((one for one in ASTRAY if self._meets(one)), None)

    def _meets(self, fault: Fault) -> bool:
        if fault != self.armed:
            return False
        self.armed = None
        self.met.append(fault)
        return True


class FaultyJournal:
    """A journal behind a bad line."""

    def __init__(self, honest: Journal, faults: Faults) -> None:
        self.honest = honest
        self.faults = faults
        #: Appends that somebody was told to be durable.
        self.acknowledged: list[AppendRecord] = []
        #: Appends that are still on their way.
        self.late: list[Batch] = []

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append, unless it goes astray."""
        astray = self.faults.astray()
        if astray == "unavailable":
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        if astray in {"lost", "late"}:
            self.late += batches if astray == "late" else ()
            return _unknown(batches)
        outcomes = self.honest.append(batches)
        if astray == "unheard":
            return _unknown(batches)
        return self._heard(batches, outcomes)

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """Claim, unless it goes astray."""
        astray = self.faults.astray()
        if astray == "unavailable":
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        asked: list[Batch] = []

        def deciding(offered: Offered) -> Choice:
            choice = decide(offered)
            asked.extend(choice.batches)
            return Choice() if astray in {"lost", "late"} else choice

        claimed = self.honest.claimable(queues, actions, limit, deciding, at=at)
        if astray is None:
            self._heard(asked, claimed.outcomes)
            return claimed
        self.late += asked if astray == "late" else ()
        return evolve(claimed, outcomes=_unknown(asked))

    def late_ones_land(self) -> None:
        """What was on its way arrives now; whoever came first has won."""
        arriving, self.late = self.late, []
        for batch in arriving:
            self.honest.append((batch,))

    def _heard(self, batches: Sequence[Batch], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
        for batch, outcome in zip(batches, outcomes, strict=True):
            if isinstance(outcome, Committed):
                self.acknowledged.append(batch.record)
        return tuple(outcomes)

    # -- all else is honest

    @property
    def url(self) -> str:
        """See `Journal`."""
        return self.honest.url

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """See `Journal`."""
        return self.honest.load(run_id, after, whole=whole)

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        """See `Journal`."""
        return self.honest.load_many(wanted)

    def foremost(
        self, queues: Sequence[str], actions: Collection[str], *, at: datetime | None = None
    ) -> Mapping[str, int]:
        """See `Journal`."""
        return self.honest.foremost(queues, actions, at=at)

    def runs(self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int) -> ListPage:
        """See `Journal`."""
        return self.honest.runs(where, cursor, limit)

    def deadlines(
        self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
    ) -> ListPage:
        """See `Journal`."""
        return self.honest.deadlines(where, cursor, limit)

    def tally(self, at: datetime) -> Tally:
        """See `Journal`."""
        return self.honest.tally(at)

    def stored(self, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        """See `Journal`."""
        return self.honest.stored(run_id, after, limit)

    def rows_of(self, run_id: RunId) -> IndexRows:
        """See `Journal`."""
        return self.honest.rows_of(run_id)

    def correlated(
        self, workflow: str, node: str, correlation: str, limit: int = 100
    ) -> tuple[CorrelationRow, ...]:
        """See `Journal`."""
        return self.honest.correlated(workflow, node, correlation, limit)

    def run_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal`."""
        return self.honest.run_ids(after, limit)

    def listed_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal`."""
        return self.honest.listed_ids(after, limit)

    def definition(self, fingerprint: Fingerprint) -> str | None:
        """See `Journal`."""
        return self.honest.definition(fingerprint)

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """See `Journal`."""
        self.honest.define(fingerprint, text)

    def checkpoint(self, run_id: RunId) -> Checkpoint | None:
        """See `Journal`."""
        return self.honest.checkpoint(run_id)

    def put_checkpoint(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """See `Journal`."""
        self.honest.put_checkpoint(run_id, checkpoint)

    def delete_checkpoint(self, run_id: RunId) -> None:
        """See `Journal`."""
        self.honest.delete_checkpoint(run_id)

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """See `Journal`."""
        return self.honest.find(run_id, append_id)

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """See `Journal`."""
        return self.honest.index(run_id, revision, rows)

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """See `Journal`."""
        self.honest.quarantine(run_id, mark)

    def finished(
        self, before: datetime, limit: int, *, after: tuple[datetime, RunId] | None = None
    ) -> tuple[RunRow, ...]:
        """See `Journal`."""
        return self.honest.finished(before, limit, after=after)

    def remove(self, run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        """See `Journal`."""
        return self.honest.remove(run_id, revision, tombstone)

    def records(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Record, ...]:
        """See `Journal`."""
        return self.honest.records(kind, prefix=prefix, after=after, limit=limit)

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        """See `Journal`."""
        return self.honest.put_record(kind, key, body, expected=expected)

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        """See `Journal`."""
        return self.honest.drop_record(kind, key, expected=expected)

    def survey(self) -> Survey:
        """See `Journal`."""
        return self.honest.survey()

    def now(self) -> datetime:
        """See `Journal`."""
        return self.honest.now()

    def listen(self, queues: Sequence[str]) -> AbstractContextManager[Wakeups]:
        """See `Journal`."""
        return self.honest.listen(queues)

    def transaction(self, connection: object) -> Joined:
        """See `Journal`."""
        return self.honest.transaction(connection)

    def lend(self) -> AbstractContextManager[Joined]:
        """See `Journal`."""
        return self.honest.lend()

    def close(self) -> None:
        """See `Journal`."""
        self.honest.close()


def counted_bytes() -> Callable[[int], bytes]:
    """Randomness that is the same each time, and never twice."""
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return drawn.to_bytes(size, "big")

    return draw


def _unknown(batches: Sequence[Batch]) -> tuple[Outcome, ...]:
    return tuple(
        Unknown(run_id=batch.record.run_id, append_id=batch.record.append_id) for batch in batches
    )
