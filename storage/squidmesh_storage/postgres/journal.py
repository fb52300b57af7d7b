"""
The PostgreSQL adapter's verbs: many workers on many hosts.

Each verb is a script (scripts.py) that a connection carries out.  Appends of many
threads are merged by `Committer` and have a connection of their own; everything
else takes one from a small pool.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from threading import local
from typing import Final
from uuid import uuid4

from squidmesh_core.ids import BEGINNING, AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import CorrelationRow, IndexRows, RunRow
from squidmesh_storage.api import (
    Batch,
    Checkpoint,
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
from squidmesh_storage.committer import Committer
from squidmesh_storage.lending import Lending
from squidmesh_storage.postgres import (
    appending,
    claiming,
    listing,
    loading,
    schema,
    surveying,
    upkeep,
)
from squidmesh_storage.postgres.claims import Claims
from squidmesh_storage.postgres.clock import CarriedClock
from squidmesh_storage.postgres.connecting import Target
from squidmesh_storage.postgres.driving import drive
from squidmesh_storage.postgres.listening import Ear
from squidmesh_storage.postgres.pool import Pool, SyncSession
from squidmesh_storage.postgres.scripts import Script, T, ask
from squidmesh_storage.postgres.statements import Statements
from squidmesh_storage.problems import check_runs_differ, closed, writing_inside_decide

#: Connections of one process for reads and claims; appends and hints have one each.
CONNECTIONS: Final = 8
#: Transactional steps of one process that write at once.
LENDING: Final = 32


class _Process:
    """What belongs to one process and must not cross a fork: connections, locks, threads."""

    def __init__(
        self, target: Target, sql: Statements, write: Callable[[Sequence[Batch]], Sequence[Outcome]]
    ) -> None:
        self.pid = os.getpid()
        #: The name of this process among those that wait for work.
        self.name = uuid4().hex
        self.writer = Pool(target, 1)
        self.pool = Pool(target, CONNECTIONS)
        self.lending = Pool(target, LENDING)
        self.lent = Lending()
        self.committer = Committer(write)
        self.clock = CarriedClock()
        self.claims = Claims()
        self.ear = Ear(target, sql, self.pool, self.name, self.claims.hint)
        #: The connection whose transaction a thread is deciding in.
        self.deciding = local()

    def close(self) -> None:
        self.ear.close()
        self.pool.close()
        self.lending.close()
        self.writer.close()


#: Connections of a parent process.  Closing them in the child would end the parent's
#: sessions, and so would forgetting them; so they are only kept.
_INHERITED: Final[list[_Process]] = []


class PostgresJournal:
    """Keeps journals in a PostgreSQL database."""

    def __init__(
        self,
        dsn: str,
        *,
        clock: Callable[[], datetime] | None = None,
        migrate: bool = False,
        schema: str | None = None,
        prefix: str | None = None,
    ) -> None:
        """
        Open a database; an empty one gets its tables.

        Args:
            dsn: A URL or a connection string of libpq.
            clock: Judges leases and visibility; by default the database's clock.
            migrate: Bring older tables up to date instead of refusing them.
            schema: Where the tables are; null: what the URL says, or `squidmesh`.
            prefix: What their names begin with; null: what the URL says, or nothing.

        Raises:
            ConfigError: The URL cannot be read, or a name cannot be one.
            StorageError: It cannot be used; the text says what to do.
                `schema_behind`, `schema_ahead` with `found` and `wanted`.
        """
        self._target = Target.of(dsn, schema, prefix)
        self._sql = Statements(self._target.names)
        self._clock = clock
        #: Which database of which server, once somebody has asked.
        self._place: object = None
        self._closed = False
        self._present = _Process(self._target, self._sql, self._write)
        try:
            self._make_sure(migrate=migrate)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """Where this is, without a password."""
        return self._target.url

    # -- journals

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """See `Journal.load`."""
        return self._read(partial(loading.load, self._sql, run_id, after, whole=whole))

    def load_many(self, wanted: Mapping[RunId, Revision]) -> Mapping[RunId, Loaded]:
        """See `Journal.load_many`."""
        return self._read(partial(loading.load_many, self._sql, wanted)) if wanted else {}

    def stored(self, run_id: RunId, after: Revision, limit: int) -> tuple[AppendRecord, ...]:
        """See `Journal.stored`."""
        return self._read(partial(loading.stored, self._sql, run_id, after, limit))

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`."""
        check_runs_differ(batches)
        process = self._process
        if self._deciding(process) is not None:
            raise writing_inside_decide()
        return process.committer.append(batches) if batches else ()

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
        process = self._process
        if self._deciding(process) is not None:
            raise writing_inside_decide()
        now = at if at is not None or self._clock is None else self._clock()
        wanted = claiming.Wanted.of(queues, actions, limit, now, process.name)
        if not process.claims.lively(wanted):
            reading, anything, due_at = process.pool.run(
                partial(claiming.glance, self._sql, wanted), harmless=True
            )
            self._learn(process, reading, given=now)
            if not anything:
                return Claimed(outcomes=(), now=reading, next_due=due_at)
        believed = process.claims.behind(wanted)
        taken = self._claim(process, believed, decide)
        if not taken.offered and believed is not wanted:
            taken = self._claim(process, wanted, decide)
        self._learn(process, taken.claimed.now, given=now)
        self._tell(process, taken.choice.batches, awaited=taken.awaited)
        if taken.choice.batches and len(taken.offered) >= wanted.limit:
            process.ear.busy(wanted.queues)  # else slots are left, and hints wanted
        return taken.claimed

    def foremost(
        self, queues: Sequence[str], actions: Collection[str], *, at: datetime | None = None
    ) -> Mapping[str, int]:
        """See `Journal.foremost`."""
        process = self._process
        now = at if at is not None or self._clock is None else self._clock()
        wanted = claiming.Wanted.of(queues, actions, 1, now, process.name)
        return self._read(partial(claiming.foremost, self._sql, wanted))

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """See `Journal.find`."""
        return self._read(partial(loading.find, self._sql, run_id, append_id))

    def run_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal.run_ids`."""
        return self._read(partial(loading.run_ids, self._sql, after, limit))

    def listed_ids(self, after: RunId | None, limit: int) -> tuple[RunId, ...]:
        """See `Journal.listed_ids`."""
        return self._read(partial(loading.listed_ids, self._sql, after, limit))

    # -- the index

    def runs(self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int) -> ListPage:
        """See `Journal.runs`."""
        return self._read(partial(listing.page, self._sql, where, cursor, limit))

    def deadlines(
        self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
    ) -> ListPage:
        """See `Journal.deadlines`."""
        return self._read(partial(listing.due_page, self._sql, where, cursor, limit))

    def tally(self, at: datetime) -> Tally:
        """See `Journal.tally`."""
        return self._read(partial(surveying.tally, self._sql, at))

    def rows_of(self, run_id: RunId) -> IndexRows:
        """See `Journal.rows_of`."""
        return self._read(partial(loading.rows_of, self._sql, run_id))

    def correlated(
        self, workflow: str, node: str, correlation: str, limit: int = 100
    ) -> tuple[CorrelationRow, ...]:
        """See `Journal.correlated`."""
        return self._read(
            partial(loading.correlated, self._sql, workflow, node, correlation, limit)
        )

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """See `Journal.index`."""
        stands = self._change(partial(upkeep.index, self._sql, run_id, revision, rows))
        if stands:
            self._process.claims.forget()
            self._process.ear.bell.ring(row.queue for row in rows.attempts)
        return stands

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """See `Journal.quarantine`."""
        self._change(partial(upkeep.quarantine, self._sql, run_id, mark), harmless=True)
        self._process.claims.forget()

    def finished(
        self, before: datetime, limit: int, *, after: tuple[datetime, RunId] | None = None
    ) -> tuple[RunRow, ...]:
        """See `Journal.finished`."""
        return self._read(partial(listing.finished, self._sql, before, limit, after))

    def remove(self, run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> bool:
        """See `Journal.remove`."""
        return self._change(partial(upkeep.remove, self._sql, run_id, revision, tombstone))

    def survey(self) -> Survey:
        """See `Journal.survey`; the facts are settings that durability rests on, and sizes."""
        process, now = self._process, self.now()
        survey = self._read(partial(surveying.survey, self._sql, now))
        return surveying.with_facts(
            survey, process.ear.how, self._target.names, pooled=process.pool.pooled
        )

    # -- beside the journals

    def definition(self, fingerprint: Fingerprint) -> str | None:
        """See `Journal.definition`."""
        return self._read(partial(loading.definition, self._sql, fingerprint))

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """See `Journal.define`; a known one costs a read only."""
        if self.definition(fingerprint) is None:
            self._change(partial(upkeep.define, self._sql, fingerprint, text), harmless=True)

    def checkpoint(self, run_id: RunId) -> Checkpoint | None:
        """See `Journal.checkpoint`."""
        return self._read(partial(loading.checkpoint, self._sql, run_id))

    def put_checkpoint(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """See `Journal.put_checkpoint`."""
        put = partial(upkeep.put_checkpoint, self._sql, run_id, checkpoint)
        self._change(put, harmless=True)

    def delete_checkpoint(self, run_id: RunId) -> None:
        """See `Journal.delete_checkpoint`."""
        self._change(partial(upkeep.drop_checkpoint, self._sql, run_id), harmless=True)

    def records(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> tuple[Record, ...]:
        """See `Journal.records`."""
        return self._read(partial(upkeep.records, self._sql, kind, prefix, after, limit))

    def put_record(self, kind: str, key: str, body: str, *, expected: int | None = None) -> bool:
        """See `Journal.put_record`."""
        put = partial(upkeep.put_record, self._sql, kind, key, body, expected)
        stored = self._change(put, harmless=expected is None)
        self._process.ear.bell.ring_for_record(kind, key)
        return stored

    def drop_record(self, kind: str, key: str, *, expected: int | None = None) -> bool:
        """See `Journal.drop_record`."""
        drop = partial(upkeep.drop_record, self._sql, kind, key, expected)
        dropped = self._change(drop, harmless=True)
        self._process.ear.bell.ring_for_record(kind, key)
        return dropped

    def now(self) -> datetime:
        """See `Journal.now`: the clock given, by default the database's, carried forward."""
        process = self._process
        if self._clock is not None:
            return self._clock()
        now = process.clock.now()
        if now is None:
            ((now,),) = self._read(lambda: ask(self._sql.call("clock", at=None)))
            process.clock.learn(now)
        return now

    def listen(self, queues: Sequence[str]) -> AbstractContextManager[Wakeups]:
        """See `Journal.listen`: hints from every process, as long as the database passes them on."""
        return self._process.ear.listen(queues)

    def transaction(self, connection: object) -> Joined:
        """See `Journal.transaction`."""
        from squidmesh_storage.postgres.joined import join  # it is made of this class

        self._check_open()
        return join(self, connection)

    def lend(self) -> AbstractContextManager[Joined]:
        """See `Journal.lend`."""
        from squidmesh_storage.postgres.joined import lend

        self._check_open()
        return lend(self)

    def close(self) -> None:
        """See `Journal.close`."""
        self._closed = True
        if self._present.pid == os.getpid():
            self._present.close()

    # -- helpers

    @property
    def _process(self) -> _Process:
        """The connections of this process: new ones after a fork."""
        self._check_open()
        if self._present.pid != os.getpid():
            _INHERITED.append(self._present)
            self._present = _Process(self._target, self._sql, self._write)
        return self._present

    def _check_open(self) -> None:
        if self._closed:
            raise closed(self.url)

    def _make_sure(self, *, migrate: bool) -> None:
        with self._present.pool.session():
            pass  # whoever opens a place that cannot be reached is told so at once
        schema.ensure(self._present.pool, self._target, schema.MIGRATIONS, may_migrate=migrate)

    def _read(self, make: Callable[[], Script[T]]) -> T:
        """Carry out what changes nothing; inside `decide` in the transaction that is open."""
        process = self._process
        session = self._deciding(process)
        if session is not None:
            return drive(session, make())
        return process.pool.run(make, harmless=True)

    def _change(self, make: Callable[[], Script[T]], *, harmless: bool = False) -> T:
        process = self._process
        if self._deciding(process) is not None:
            raise writing_inside_decide()
        return process.pool.run(make, harmless=harmless)

    def _write(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """One round of the committer."""
        process = self._process
        appended = process.writer.run(partial(appending.append, self._sql, batches, process.name))
        self._tell(process, batches, awaited=appended.awaited)
        return appended.outcomes

    def _claim(
        self, process: _Process, wanted: claiming.Wanted, decide: DecideClaims
    ) -> claiming.Taken:
        with process.pool.session() as session, _deciding_in(process, session):
            taken = drive(session, claiming.claim(self._sql, wanted, decide))
        process.claims.learn(wanted, taken)
        return taken

    def _tell(self, process: _Process, batches: Sequence[Batch], *, awaited: bool) -> None:
        """Wake who waits for what these batches put there: here, and if any does, elsewhere."""
        bench = [row for one in batches for row in one.rows.put if row.held_until is None]
        if bench:
            process.claims.notice(bench)
            process.ear.tell({row.queue for row in bench}, others=awaited)

    def _learn(self, process: _Process, reading: datetime, *, given: datetime | None) -> None:
        if given is None:
            process.clock.learn(reading)

    def _deciding(self, process: _Process) -> SyncSession | None:
        session: SyncSession | None = getattr(process.deciding, "session", None)
        return session


@contextmanager
def _deciding_in(process: _Process, session: SyncSession) -> Iterator[None]:
    """While this thread is in a claim's transaction it reads there, and writes nowhere."""
    process.deciding.session = session
    try:
        yield
    finally:
        process.deciding.session = None
