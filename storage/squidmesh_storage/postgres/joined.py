"""
Sharing a transaction: the journal inside one of the host's, or the host inside one of ours.

The same scripts as ever, on one connection that somebody else commits.  Nothing is
sent again here: if the connection is lost, the transaction is gone with all that was
done in it.  A failed statement fails the transaction; the host rolls it back.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import Final, NoReturn, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from attrs import frozen
from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.adapt import AdaptersMap
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from squidmesh_core.errors import StorageError
from squidmesh_core.ids import Fingerprint
from squidmesh_storage.api import Batch, Joined, Outcome
from squidmesh_storage.hosts import AsyncHost, Host, async_host_of, host_of
from squidmesh_storage.postgres import appending
from squidmesh_storage.postgres.adapting import ADAPTERS
from squidmesh_storage.postgres.borrowing import Borrower, transaction
from squidmesh_storage.postgres.errors import translated
from squidmesh_storage.postgres.journal import PostgresJournal
from squidmesh_storage.postgres.scripts import BEGIN, COMMIT, Call, Round, Rows, Script, T, ask
from squidmesh_storage.problems import check_runs_differ, not_here, not_joined

U = TypeVar("U")

AnyConnection = Connection[TupleRow] | AsyncConnection[TupleRow]

#: Server and database of a host's connection; asked for once.
_PLACES: Final[WeakKeyDictionary[AnyConnection, object]] = WeakKeyDictionary()
_PLACE: Final = Call(
    "select system_identifier::text || '/' || "
    "(select oid from pg_database where datname = current_database())::text "
    "from pg_control_system()"
)


class JoinedPostgresJournal(PostgresJournal):
    """A PostgreSQL journal on a connection whose transaction is not its own."""

    #: Others write meanwhile, to other rows.
    exclusive = False
    beside = False

    def __init__(self, journal: PostgresJournal, host: Host | AsyncHost) -> None:
        """
        Join; nothing is opened and no table looked at.

        Args:
            journal: What is joined, and where hints of new work go.
            host: Who has the connection.
        """
        self._journal = journal
        self._host = host
        self._target = journal._target
        self._sql = journal._sql
        self._closed = False
        #: What was appended and others wait for, told once the transaction has ended.
        self._withheld: list[Batch] = []
        self._awaited = False
        self._told_by_host = False

    @property
    def connection(self) -> AnyConnection:
        """
        The connection, once it is known to be in a transaction on this database.

        Raises:
            StorageError: It is in none, in a failed one, or on another database.
        """
        self._check_open()
        connection = self._held()
        status = connection.info.transaction_status
        if connection.info.pipeline_status != PipelineStatus.OFF:
            # Nothing comes back there before it is asked for.
            raise not_joined("the connection is in a pipeline; leave its pipeline() block")
        if status == TransactionStatus.INERROR:
            raise not_joined("the transaction has failed; roll it back")
        if connection.autocommit and status != TransactionStatus.INTRANS:
            raise not_joined("the connection is in no transaction; use a transaction() block")
        if connection.info.encoding != "utf-8":
            spoken = connection.info.parameter_status("client_encoding")
            raise not_joined(f"the connection speaks {spoken}; set its client_encoding to UTF8")
        if not isinstance(self._host, Borrower):
            self._check_place(connection)
        return connection

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`."""
        check_runs_differ(batches)
        if not batches:
            return ()
        listener = self._journal._process.name
        appended = self._read(partial(appending.append_inside, self._sql, batches, listener))
        self._withheld += [one for one in batches if one.rows.put]
        self._awaited |= appended.awaited
        # Each time: a rollback to a savepoint may have dropped what was said before it.
        self._told_by_host = self._host.afterwards(self._tell_all)
        return appended.outcomes

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """Store a definition outside of the host's transaction, which may be rolled back."""
        self._check_open()
        self._journal.define(fingerprint, text)

    def now(self) -> datetime:
        """See `Journal.now`."""
        self._check_open()
        return self._journal.now()

    def close(self) -> None:
        """Give the hints that were withheld, unless the host tells when; nothing is ended."""
        if not self._told_by_host:
            self._tell_all()
        self._closed = True

    def interrupt(self) -> None:
        """See `Joined.interrupt`; a verb that blocks its own thread cannot be."""

    # -- what is not done in somebody else's transaction

    def transaction(self, connection: object) -> Joined:
        """This one is joined already."""
        del connection
        raise not_here()

    def lend(self) -> AbstractContextManager[Joined]:
        """This one is somebody's already."""
        raise not_here()

    @property
    def _process(self) -> NoReturn:
        raise not_here()

    def _change(self, make: Callable[[], Script[T]], *, harmless: bool = False) -> NoReturn:
        del make, harmless
        raise not_here()

    # -- helpers

    def _read(self, make: Callable[[], Script[T]]) -> T:
        """Carry a script out in the transaction that is open."""
        return self._carried_out(self.connection, make())

    def _held(self) -> AnyConnection:
        connection = self._host.connection()
        if not isinstance(connection, Connection):
            raise _not_ours(self.url, connection)
        return connection

    def _send(self, connection: AnyConnection, calls: Round) -> Sequence[Rows]:
        if not isinstance(connection, Connection):
            raise TypeError(f"{type(connection).__qualname__} belongs to an event loop")
        # One by one: a pooler may stand before the host's database, and pipelines stall there.
        cursors = [_executed(connection, call) for call in calls]
        return [cursor.fetchall() if cursor and cursor.description else () for cursor in cursors]

    def _carried_out(self, connection: AnyConnection, script: Script[T]) -> T:
        try:
            calls = next(script)
            while True:
                try:
                    rows = self._send(connection, calls)
                except psycopg.Error as error:
                    told = self._translated(error, connection)
                    told.__cause__ = error
                    calls = script.throw(told)
                else:
                    calls = script.send(rows)
        except StopIteration as end:
            answer: T = end.value
            return answer

    def _translated(self, error: psycopg.Error, connection: AnyConnection) -> StorageError:
        blamed = self._host.blamed(error) if isinstance(self._host, Borrower) else None
        return blamed or translated(error, self.url, lost=connection.closed, in_doubt=False)

    def _check_place(self, connection: AnyConnection) -> None:
        there = _PLACES.get(connection)
        if there is None:
            ((there,),) = self._carried_out(connection, ask(_PLACE))
            _PLACES[connection] = there
        here = self._journal._place
        if here is None:
            ((here,),) = self._journal._read(lambda: ask(_PLACE))
            self._journal._place = here
        if here != there:
            raise not_joined(f"the connection is to {connection.info.dbname}, not to {self.url}")

    def _tell_all(self) -> None:
        batches, self._withheld = self._withheld, []
        with suppress(StorageError):  # a journal that was closed meanwhile wakes nobody
            self._journal._tell(self._journal._process, batches, awaited=self._awaited)


class BridgedPostgresJournal(JoinedPostgresJournal):
    """
    The same on a connection of an event loop: verbs block their thread, statements run there.

    So everything above is written once, and the loop goes on meanwhile: were it to wait,
    it might wait for a lock that another of its tasks holds.
    """

    beside = True

    def __init__(
        self, journal: PostgresJournal, host: AsyncHost, loop: asyncio.AbstractEventLoop
    ) -> None:
        """
        Join; see `JoinedPostgresJournal`.

        Args:
            journal: What is joined.
            host: Who has the connection.
            loop: Where it is used; it runs on this thread.
        """
        super().__init__(journal, host)
        self._async_host = host
        self._loop = loop
        self._thread = threading.get_ident()  # not every loop tells its own
        #: What uses the connection now; of the loop, as is all that asks for it.
        self._at_work: asyncio.Task[object] | None = None
        self._interrupted = False

    def interrupt(self) -> None:
        """See `Joined.interrupt`."""
        self._interrupted = True
        if self._at_work is not None:
            self._at_work.cancel()

    def _held(self) -> AnyConnection:
        connection = self._on_loop(self._async_host.connection())
        if not isinstance(connection, AsyncConnection):
            raise _not_ours(self.url, connection)
        return connection

    def _send(self, connection: AnyConnection, calls: Round) -> Sequence[Rows]:
        if not isinstance(connection, AsyncConnection):
            raise TypeError(f"{type(connection).__qualname__} belongs to no event loop")
        return self._on_loop(_sent_async(connection, calls))

    def _on_loop(self, coroutine: Coroutine[object, object, U]) -> U:
        if threading.get_ident() == self._thread:
            coroutine.close()
            raise not_joined("a connection of an event loop goes with an AsyncMesh")
        return asyncio.run_coroutine_threadsafe(self._using(coroutine), self._loop).result()

    async def _using(self, coroutine: Coroutine[object, object, U]) -> U:
        if self._interrupted:
            coroutine.close()
            raise not_joined("a verb was cancelled here; roll back, or call `using` again")
        self._at_work = asyncio.current_task()
        try:
            return await coroutine
        finally:
            self._at_work = None


@frozen(kw_only=True)
class _AsyncDriver:
    """psycopg's own connection of an event loop."""

    held: AsyncConnection[TupleRow]

    async def connection(self) -> object:
        return self.held

    def afterwards(self, tell: Callable[[], None]) -> bool:
        del tell  # no driver calls back
        return False


def join(journal: PostgresJournal, connection: object) -> JoinedPostgresJournal:
    """
    The journal inside the host's transaction.

    Raises:
        StorageError: The connection is an event loop's, and this is not that loop's thread.
    """
    host = async_host_of(connection)
    if isinstance(connection, AsyncConnection):
        host = _AsyncDriver(held=connection)
    if host is None:
        lent = journal._process.lent.host_of(connection)
        return JoinedPostgresJournal(journal, lent or host_of(connection))
    try:
        return BridgedPostgresJournal(journal, host, asyncio.get_running_loop())
    except RuntimeError:
        raise not_joined("a connection of an event loop goes with an AsyncMesh") from None


@contextmanager
def lend(journal: PostgresJournal) -> Iterator[JoinedPostgresJournal]:
    """
    A transaction for others to write in, on a connection of its own.

    Raises:
        StorageError: As `Journal.lend` says.
    """
    with journal._process.lending.session() as session:
        borrower = Borrower(held=session.connection)
        joined = JoinedPostgresJournal(journal, borrower)
        with transaction(session), journal._process.lent.of(session.connection, borrower):
            yield joined
    joined.close()
    borrower.tell()


def _not_ours(url: str, connection: object) -> StorageError:
    """A connection of another database, or of another driver."""
    kind = type(connection)
    return not_joined(
        f"{url} needs a connection of psycopg 3, in SQLAlchemy by postgresql+psycopg://, "
        f"not {kind.__module__}.{kind.__qualname__}"
    )


class _OurCursor(Cursor[TupleRow]):
    """A cursor on the host's connection, for values as they travel on ours."""

    @property
    def adapters(self) -> AdaptersMap:
        """Not what the host has registered for its own rows."""
        return ADAPTERS


class _OurAsyncCursor(AsyncCursor[TupleRow]):
    """The same for an event loop."""

    @property
    def adapters(self) -> AdaptersMap:
        """See `_OurCursor`."""
        return ADAPTERS


def _executed(connection: Connection[TupleRow], call: Call) -> Cursor[TupleRow] | None:
    """A call, on a cursor of ours; what a script would begin and commit is the host's."""
    if call is BEGIN or call is COMMIT:
        return None
    # Not `connection.cursor()`: libraries put cursors of their own there.
    cursor = _OurCursor(connection, row_factory=tuple_row)
    return cursor.execute(call.text.encode(), call.values, prepare=_keeps(call), binary=True)


async def _sent_async(connection: AsyncConnection[TupleRow], calls: Round) -> Sequence[Rows]:
    cursors = [await _executed_async(connection, call) for call in calls]
    return [await cursor.fetchall() if cursor and cursor.description else () for cursor in cursors]


async def _executed_async(
    connection: AsyncConnection[TupleRow], call: Call
) -> AsyncCursor[TupleRow] | None:
    """See `_executed`."""
    if call is BEGIN or call is COMMIT:
        return None
    cursor = _OurAsyncCursor(connection, row_factory=tuple_row)
    return await cursor.execute(call.text.encode(), call.values, prepare=_keeps(call), binary=True)


def _keeps(call: Call) -> bool | None:
    return None if call.keeps else False
