"""
The verbs of the reference model: one lock, one set of tables, and what is done with them.

A verb holds the lock from its first look to its last, so each is a transaction.  The class is
long because the contract is: what a verb does is a line, and stands in a module of its own.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from threading import RLock
from typing import Final

from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import BEGINNING, AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import CorrelationRow, IndexRows, RunRow
from squidmesh_storage.api import (
    Batch,
    Checkpoint,
    Choice,
    Claimed,
    DecideClaims,
    Joined,
    ListPage,
    Loaded,
    Offered,
    Outcome,
    Quarantine,
    Record,
    RunFilter,
    Survey,
    Tally,
    Wakeups,
)
from squidmesh_storage.lanes import earliest
from squidmesh_storage.memory import appends, claims, facts, listing, loading, surveying
from squidmesh_storage.memory.tables import Tables
from squidmesh_storage.problems import (
    check_runs_differ,
    closed,
    not_joined,
    writing_inside_decide,
)
from squidmesh_storage.wakeups import Bell

_NO_DATABASE: Final = "memory:// is no database that a host could write to"


class MemoryJournal:
    """Keeps journals in this process's memory."""

    def __init__(self, *, clock: Callable[[], datetime] | None = None) -> None:
        self._clock = clock or (lambda: datetime.now(UTC))
        self._lock = RLock()
        self._bell = Bell()
        self._closed = False
        self._deciding = False
        self._tables = Tables()

    @property
    def url(self) -> str:
        """Where this is: always `memory://`."""
        return "memory://"

    # -- journals

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """See `Journal.load`."""
        with self._reading():
            return loading.load(self._tables, run_id, after, whole=whole)

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        """See `Journal.load_many`."""
        loaded: dict[RunId, Loaded] = {}
        with self._reading():
            for run_id, after in wanted.items():
                with suppress(RunNotFound, StorageError):
                    loaded[run_id] = self.load(run_id, after)
        return loaded

    def stored(self, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        """See `Journal.stored`."""
        with self._reading():
            return loading.stored(self._tables, run_id, after, limit)

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`."""
        check_runs_differ(batches)
        with self._writing():
            return self._append(batches)

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """See `Journal.claimable`."""
        with self._writing():
            now = at or self._clock()
            offered = claims.offered(self._tables, queues, actions, limit, now)
            choice = self._decided(decide, offered) if offered.candidates else Choice()
            check_runs_differ(choice.batches)
            outcomes = self._append(choice.batches)
            for record in choice.records:
                facts.put(self._tables, record.kind, record.key, record.body)
            next_due = None
            if not choice.batches:
                next_due = earliest(claims.next_due(self._tables, queues, now), choice.next_due)
            return Claimed(outcomes=outcomes, now=now, next_due=next_due)

    def foremost(
        self, queues: Sequence[str], actions: Collection[str], *, at: datetime | None = None
    ) -> Mapping[str, int]:
        """See `Journal.foremost`."""
        with self._reading():
            return claims.foremost(self._tables, queues, actions, at or self._clock())

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """See `Journal.find`."""
        with self._reading():
            return loading.find(self._tables, run_id, append_id)

    def run_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal.run_ids`."""
        with self._reading():
            return loading.run_ids(self._tables, after, limit)

    def listed_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal.listed_ids`."""
        with self._reading():
            return loading.listed_ids(self._tables, after, limit)

    # -- the index

    def runs(self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int) -> ListPage:
        """See `Journal.runs`."""
        with self._reading():
            return listing.page(self._tables, where, cursor, limit)

    def deadlines(
        self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
    ) -> ListPage:
        """See `Journal.deadlines`."""
        with self._reading():
            return listing.due_page(self._tables, where, cursor, limit)

    def tally(self, at: datetime) -> Tally:
        """See `Journal.tally`."""
        with self._reading():
            return listing.tally(self._tables, at)

    def rows_of(self, run_id: RunId) -> IndexRows:
        """See `Journal.rows_of`."""
        with self._reading():
            return loading.rows_of(self._tables, run_id)

    def correlated(
        self, workflow: str, node: str, correlation: str, limit: int = 100
    ) -> tuple[CorrelationRow, ...]:
        """See `Journal.correlated`."""
        with self._reading():
            return loading.correlated(self._tables, workflow, node, correlation, limit)

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """See `Journal.index`."""
        with self._writing():
            if not appends.replace_rows(self._tables, run_id, revision, rows):
                return False
        self._bell.ring(row.queue for row in rows.attempts)
        return True

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """See `Journal.quarantine`."""
        with self._writing():
            if mark is None:
                self._tables.quarantined.pop(run_id, None)
            else:
                self._tables.quarantined[run_id] = mark

    def finished(
        self, before: datetime, limit: int, *, after: tuple[datetime, RunId] | None = None
    ) -> tuple[RunRow, ...]:
        """See `Journal.finished`."""
        with self._reading():
            return listing.finished(self._tables, before, limit, after)

    def remove(self, run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        """See `Journal.remove`."""
        with self._writing():
            return appends.remove(self._tables, run_id, revision, tombstone)

    def survey(self) -> Survey:
        """See `Journal.survey`."""
        with self._reading():
            return surveying.survey(self._tables, self._clock())

    # -- beside the journals

    def definition(self, fingerprint: Fingerprint) -> str | None:
        """See `Journal.definition`."""
        with self._reading():
            return self._tables.definitions.get(fingerprint)

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """See `Journal.define`."""
        with self._writing():
            self._tables.definitions.setdefault(fingerprint, text)

    def checkpoint(self, run_id: RunId) -> Checkpoint | None:
        """See `Journal.checkpoint`."""
        with self._reading():
            return self._tables.checkpoints.get(run_id)

    def put_checkpoint(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """See `Journal.put_checkpoint`."""
        with self._writing():
            self._tables.checkpoints[run_id] = checkpoint

    def delete_checkpoint(self, run_id: RunId) -> None:
        """See `Journal.delete_checkpoint`."""
        with self._writing():
            self._tables.checkpoints.pop(run_id, None)

    def records(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Record, ...]:
        """See `Journal.records`."""
        with self._reading():
            return facts.of_kind(self._tables, kind, prefix=prefix, after=after, limit=limit)

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        """See `Journal.put_record`."""
        with self._writing():
            if not facts.put(self._tables, kind, key, body, expected):
                return False
        self._bell.ring_for_record(kind, key)
        return True

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        """See `Journal.drop_record`."""
        with self._writing():
            if not facts.drop(self._tables, kind, key, expected):
                return False
        self._bell.ring_for_record(kind, key)
        return True

    def now(self) -> datetime:
        """See `Journal.now`."""
        with self._reading():
            return self._clock()

    def listen(self, queues: Sequence[str]) -> AbstractContextManager[Wakeups]:
        """See `Journal.listen`."""
        with self._reading():
            return self._bell.listen(queues)

    def transaction(self, connection: object) -> Joined:
        """See `Journal.transaction`: no transaction of a host's is in here."""
        del connection
        raise not_joined(_NO_DATABASE)

    def lend(self) -> AbstractContextManager[Joined]:
        """See `Journal.lend`: a host's rows lie elsewhere."""
        raise not_joined(_NO_DATABASE)

    def close(self) -> None:
        """See `Journal.close`; what was kept is gone."""
        self._closed = True

    # -- helpers

    def _reading(self) -> AbstractContextManager[bool]:
        if self._closed:
            raise closed(self.url)
        return self._lock

    def _writing(self) -> AbstractContextManager[bool]:
        lock = self._reading()
        with lock:
            # Only the deciding thread itself can see this: it holds the lock.
            if self._deciding:
                raise writing_inside_decide()
        return lock

    def _append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        outcomes = appends.write(self._tables, batches)
        self._bell.ring_for(batches)
        return outcomes

    def _decided(self, decide: DecideClaims, offered: Offered) -> Choice:
        self._deciding = True
        try:
            return decide(offered)
        finally:
            self._deciding = False
