"""
The SQLite adapter's verbs: the embedded default.

One file, the standard library's driver, WAL with full durability.  Every write
of the process goes through `Writer` under one lock; appends of many threads are
merged by `Committer`; reads have connections of their own.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from squidmesh_core.errors import OutcomeUnknown, StorageError
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
    Outcome,
    Quarantine,
    Record,
    RunFilter,
    Survey,
    Tally,
    Wakeups,
)
from squidmesh_storage.committer import Committer, Write
from squidmesh_storage.lanes import earliest
from squidmesh_storage.lending import Lending
from squidmesh_storage.problems import check_runs_differ, closed, writing_beside_loan
from squidmesh_storage.sqlite import (
    appends,
    claims,
    facts,
    files,
    listing,
    loading,
    schema,
    surveying,
)
from squidmesh_storage.sqlite.database import Readers, SharedReader, Writer
from squidmesh_storage.sqlite.rows import Value
from squidmesh_storage.sqlite.statements import SQL
from squidmesh_storage.wakeups import Bell

_IN_MEMORY: Final = ":memory:"


class _Process:
    """What belongs to one process and must not cross a fork: connections and locks."""

    def __init__(self, path: Path | None, write: Write) -> None:
        self.pid = os.getpid()
        self.writer = Writer(path)
        self.readers = SharedReader(self.writer) if path is None else Readers(path)
        self.committer = Committer(write)
        self.bell = Bell()
        self.lent = Lending()


#: Connections of a parent process.  Closing them in the child would drop the
#: parent's file locks (sqlite.org/howtocorrupt.html §2.2), so they are only kept.
_INHERITED: Final[list[_Process]] = []


class SqliteJournal:
    """Keeps journals in one SQLite file, or in memory with `:memory:`."""

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], datetime] | None = None,
        migrate: bool = False,
        file_system_of: files.FileSystemOf = files.file_system_of,
    ) -> None:
        """
        Open a file, or begin one.

        Args:
            path: The file, or `:memory:`.
            clock: Judges leases and visibility; by default the machine's clock.
            migrate: Bring an older schema up to date instead of refusing it.
            file_system_of: Tells the kind of file system of a path.

        Raises:
            StorageError: It cannot be used; the text says what to do.
                `schema_behind`, `schema_ahead` with `found` and `wanted`.
        """
        self._clock = clock or (lambda: datetime.now(UTC))
        self._path = None if str(path) == _IN_MEMORY else Path(path).absolute()
        if self._path is not None:
            files.check_file(self._path.resolve(), file_system_of)
        self._closed = False
        self._present = _Process(self._path, self._write)
        try:
            with self._present.writer.lock:
                connection = self._present.writer.connection
                schema.ensure(connection, self._path, schema.MIGRATIONS, may_migrate=migrate)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """Where this is: `sqlite:///` and the path."""
        return f"sqlite:///{self._path or _IN_MEMORY}"

    # -- journals

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """See `Journal.load`."""
        with self._reading() as connection:
            return loading.load(connection, run_id, after, whole=whole)

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        """See `Journal.load_many`."""
        with self._reading() as connection:
            return loading.load_many(connection, wanted)

    def stored(self, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        """See `Journal.stored`."""
        with self._reading() as connection:
            return loading.stored(connection, run_id, after, limit)

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`."""
        check_runs_differ(batches)
        return self._writable.committer.append(batches)

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """See `Journal.claimable`; while there is nothing to claim, it only reads."""
        process, wanted = self._process, claims.Wanted.of(queues, actions, limit)
        with self._reading() as connection:
            now = at or self._clock()
            if not claims.anything(connection, wanted, now):
                return Claimed(
                    outcomes=(), now=now, next_due=claims.next_due(connection, wanted, now)
                )
        choice = Choice()
        outcomes: tuple[Outcome, ...] = ()
        next_due: datetime | None = None
        try:
            with self._writing() as connection:
                now = at or self._clock()
                claims.promote(connection, wanted, now)
                offered = claims.offered(connection, wanted, now)
                if offered.candidates:
                    choice = decide(offered)
                check_runs_differ(choice.batches)
                outcomes = appends.write(connection, choice.batches, now)
                for record in choice.records:
                    facts.put(connection, record.kind, record.key, record.body)
                if not choice.batches:
                    due = claims.next_due(connection, wanted, now)
                    next_due = earliest(due, choice.next_due)
        except OutcomeUnknown:
            outcomes = appends.in_doubt(outcomes, choice.batches)
        process.bell.ring_for(choice.batches)
        return Claimed(outcomes=outcomes, now=now, next_due=next_due)

    def foremost(
        self, queues: Sequence[str], actions: Collection[str], *, at: datetime | None = None
    ) -> Mapping[str, int]:
        """See `Journal.foremost`."""
        wanted = claims.Wanted.of(queues, actions, 1)
        with self._process.readers.snapshot() as connection:
            return claims.foremost(connection, wanted, at or self._clock())

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """See `Journal.find`."""
        with self._reading() as connection:
            return loading.find(connection, run_id, append_id)

    def run_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal.run_ids`."""
        with self._reading() as connection:
            return loading.run_ids(connection, after, limit)

    def listed_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal.listed_ids`."""
        with self._reading() as connection:
            return loading.listed_ids(connection, after, limit)

    # -- the index

    def runs(self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int) -> ListPage:
        """See `Journal.runs`."""
        with self._reading() as connection:
            return listing.page(connection, where, cursor, limit)

    def deadlines(
        self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
    ) -> ListPage:
        """See `Journal.deadlines`."""
        with self._reading() as connection:
            return listing.due_page(connection, where, cursor, limit)

    def tally(self, at: datetime) -> Tally:
        """See `Journal.tally`."""
        with self._reading() as connection:
            return surveying.tally(connection, at)

    def rows_of(self, run_id: RunId) -> IndexRows:
        """See `Journal.rows_of`."""
        with self._reading() as connection:
            return loading.rows_of(connection, run_id)

    def correlated(
        self, workflow: str, node: str, correlation: str, limit: int = 100
    ) -> tuple[CorrelationRow, ...]:
        """See `Journal.correlated`."""
        with self._reading() as connection:
            return loading.correlated(connection, workflow, node, correlation, limit)

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """See `Journal.index`."""
        process = self._process
        with self._writing() as connection:
            if not appends.replace_rows(connection, run_id, revision, rows):
                return False
        process.bell.ring(row.queue for row in rows.attempts)
        return True

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """See `Journal.quarantine`."""
        if mark is None:
            self._execute("drop_quarantine", run_id)
        else:
            self._execute("put_quarantine", run_id, mark.revision, mark.reason)

    def finished(
        self, before: datetime, limit: int, *, after: tuple[datetime, RunId] | None = None
    ) -> tuple[RunRow, ...]:
        """See `Journal.finished`."""
        with self._process.readers.snapshot() as connection:
            return listing.finished(connection, before, limit, after)

    def remove(self, run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        """See `Journal.remove`."""
        with self._writing() as connection:
            return appends.remove(connection, run_id, revision, tombstone, self._clock())

    def survey(self) -> Survey:
        """See `Journal.survey`; the facts are SQLite's own, and the files' sizes in bytes."""
        with self._reading() as connection:
            return surveying.survey(connection, self._path, self._clock())

    # -- beside the journals

    def definition(self, fingerprint: Fingerprint) -> str | None:
        """See `Journal.definition`."""
        with self._reading() as connection:
            return loading.definition(connection, fingerprint)

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """See `Journal.define`; a known one costs a read only."""
        if self.definition(fingerprint) is None:
            self._execute("put_definition", fingerprint, text)

    def checkpoint(self, run_id: RunId) -> Checkpoint | None:
        """See `Journal.checkpoint`."""
        with self._reading() as connection:
            return loading.stored_checkpoint(connection, run_id)

    def put_checkpoint(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """See `Journal.put_checkpoint`."""
        self._execute(
            "put_checkpoint",
            run_id,
            checkpoint.revision,
            checkpoint.hash,
            checkpoint.codec_version,
            checkpoint.body,
        )

    def delete_checkpoint(self, run_id: RunId) -> None:
        """See `Journal.delete_checkpoint`."""
        self._execute("drop_checkpoint", run_id)

    def records(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Record, ...]:
        """See `Journal.records`."""
        with self._process.readers.snapshot() as connection:
            return facts.of_kind(connection, kind, prefix=prefix, after=after, limit=limit)

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        """See `Journal.put_record`."""
        process = self._process
        with self._writing() as connection:
            stored = facts.put(connection, kind, key, body, expected)
        process.bell.ring_for_record(kind, key)
        return stored

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        """See `Journal.drop_record`."""
        process = self._process
        with self._writing() as connection:
            dropped = facts.drop(connection, kind, key, expected)
        process.bell.ring_for_record(kind, key)
        return dropped

    def now(self) -> datetime:
        """See `Journal.now`: the clock given, by default the machine's."""
        self._check_open()
        return self._clock()

    def listen(self, queues: Sequence[str]) -> AbstractContextManager[Wakeups]:
        """See `Journal.listen`: hints from this process only, so poll as well."""
        return self._process.bell.listen(queues)

    def transaction(self, connection: object) -> Joined:
        """See `Journal.transaction`; a file only, and the host's connection is to that file."""
        from squidmesh_storage.sqlite.joined import join  # it is made of this class

        self._check_open()
        return join(self, self._path, connection)

    def lend(self) -> AbstractContextManager[Joined]:
        """See `Journal.lend`; until its end nobody else writes to the file."""
        from squidmesh_storage.sqlite.joined import lend

        self._check_open()
        return lend(self, self._path)

    def close(self) -> None:
        """See `Journal.close`."""
        self._closed = True
        if self._present.pid == os.getpid():
            self._present.readers.close()
            self._present.writer.close()

    # -- helpers

    @property
    def _process(self) -> _Process:
        """The connections of this process: new ones after a fork."""
        self._check_open()
        if self._present.pid != os.getpid():
            if self._path is None:
                raise StorageError(
                    "a journal in memory stays with the process that opened it; "
                    "open another one after a fork",
                    "storage_error",
                    {"path": _IN_MEMORY},
                )
            _INHERITED.append(self._present)
            self._present = _Process(self._path, self._write)
        return self._present

    @property
    def _writable(self) -> _Process:
        """The same, for those who write: nobody whose own transaction is in the way."""
        process = self._process
        if process.lent.is_inside():
            raise writing_beside_loan(self.url)
        return process

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        # Within a host's transaction this is its connection; what takes a snapshot of the
        # process instead is refused there.
        return self._process.readers.snapshot()

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._writable.writer.transaction()

    def _check_open(self) -> None:
        if self._closed:
            raise closed(self.url)

    def _write(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """One round of the committer: one transaction."""
        process = self._process
        outcomes: tuple[Outcome, ...] = ()
        try:
            with self._writing() as connection:
                outcomes = appends.write(connection, batches, self._clock())
        except OutcomeUnknown:
            return appends.in_doubt(outcomes, batches)
        process.bell.ring_for(batches)
        return outcomes

    def _execute(self, name: str, *values: Value) -> None:
        with self._writing() as connection:
            connection.execute(SQL[name], values)
