"""
Sharing a transaction: the journal inside one of the host's, or the host inside one of ours.

The same statements as ever, on one connection that somebody else commits.  SQLite
has one writer: whoever has written here keeps every other process waiting.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from attrs import frozen

from squidmesh_core.errors import StorageError, StorageUnavailable
from squidmesh_core.ids import Fingerprint
from squidmesh_storage.api import Batch, Joined, Outcome
from squidmesh_storage.hosts import Host, host_of
from squidmesh_storage.lending import Borrower
from squidmesh_storage.problems import check_runs_differ, not_here, not_joined
from squidmesh_storage.sqlite import appends
from squidmesh_storage.sqlite.connection import (
    READ_TEXT,
    connect,
    in_doubt,
    primary_code,
    translated,
)
from squidmesh_storage.sqlite.journal import SqliteJournal
from squidmesh_storage.sqlite.statements import SQL

_BEGIN: Final = 'execute("begin immediate") first, or use a with block of a library that does'


class JoinedSqliteJournal(SqliteJournal):
    """A SQLite journal on a connection whose transaction is not its own."""

    #: Who has written holds the one write lock there is.
    exclusive = True
    beside = False

    def __init__(self, journal: SqliteJournal, host: Host, path: Path) -> None:
        """
        Join; nothing is opened and no table looked at.

        Args:
            journal: What is joined, and where hints of new work go.
            host: Who has the connection.
            path: The journal's file.
        """
        self._journal = journal
        self._host = host
        self._path: Path = path
        self._clock = journal._clock
        self._closed = False
        self._looked_at: sqlite3.Connection | None = None
        #: Queues whose workers are woken when the transaction has ended.
        self._withheld: set[str] = set()
        self._told_by_host = False

    @property
    def connection(self) -> sqlite3.Connection:
        """
        The connection, once it is known to be in a transaction on this file.

        Raises:
            StorageError: It is in none, or on another file.
        """
        self._check_open()
        try:
            connection = self._host.connection()
            if not isinstance(connection, sqlite3.Connection):
                raise not_joined(f"{self.url} is no database of a {type(connection).__qualname__}")
            if connection is not self._looked_at:
                _check_file(connection, self._path)
                self._looked_at = connection
            if not connection.in_transaction:
                if not self._host.declared:
                    raise not_joined(f"the connection is in no transaction; {_BEGIN}")
                # The driver begins late, with the first statement that changes something.
                connection.execute("begin immediate")
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error
        return connection

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """See `Journal.append`; a failure leaves the host's own writes as they were."""
        check_runs_differ(batches)
        with self._reading() as connection:
            connection.execute("savepoint squidmesh_append")
            try:
                outcomes = appends.write(connection, batches, self._clock())
            except BaseException:
                with suppress(sqlite3.Error):  # some errors have undone it all already
                    connection.execute("rollback to squidmesh_append")
                    connection.execute("release squidmesh_append")
                raise
            connection.execute("release squidmesh_append")
        self._withhold(batches)
        return outcomes

    def define(self, fingerprint: Fingerprint, text: str) -> None:
        """
        Store a definition in the host's transaction.

        A transaction of its own would wait for this one.  Nobody else can name what
        it holds before it ends, so a rollback takes nothing away from anybody.
        """
        if self.definition(fingerprint) is None:
            with self._reading() as connection:
                connection.execute(SQL["put_definition"], (fingerprint, text))

    def close(self) -> None:
        """Give the hints that were withheld, unless the host tells when; nothing is ended."""
        if not self._told_by_host:
            self._ring()
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

    def _writing(self) -> NoReturn:
        raise not_here()

    # -- helpers

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        connection = self.connection
        try:
            with _plain(connection):
                yield connection
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error

    def _withhold(self, batches: Sequence[Batch]) -> None:
        queues = {row.queue for one in batches for row in one.rows.put if row.held_until is None}
        if queues:
            # Each time: a rollback to a savepoint may have dropped what was said before it.
            self._told_by_host = self._host.afterwards(self._ring)
        self._withheld |= queues

    def _ring(self) -> None:
        queues, self._withheld = self._withheld, set()
        with suppress(StorageError):  # a journal that was closed meanwhile wakes nobody
            self._journal._process.bell.ring(queues)


@frozen(kw_only=True)
class _Borrower(Borrower):
    """The host inside one of our transactions."""

    held: sqlite3.Connection
    declared: bool = False

    def connection(self) -> sqlite3.Connection:
        if not self.held.in_transaction:
            raise StorageError(
                "the transaction was ended by an error, or by whoever borrowed it; "
                "nothing of it is recorded",
                "storage_error",
                {},
            )
        return self.held


def join(journal: SqliteJournal, path: Path | None, connection: object) -> JoinedSqliteJournal:
    """
    The journal inside the host's transaction.

    Raises:
        StorageError: It is in memory, where nobody else can write.
    """
    host = journal._process.lent.host_of(connection) or host_of(connection)
    return JoinedSqliteJournal(journal, host, _file(path))


@contextmanager
def lend(journal: SqliteJournal, path: Path | None) -> Iterator[JoinedSqliteJournal]:
    """
    A transaction for others to write in, on a connection of its own.

    Raises:
        StorageError: As `Journal.lend` says.
    """
    path, lent = _file(path), journal._writable.lent
    with closing(connect(path)) as connection:  # closing it rolls back what is open
        try:
            # What the borrower's tables declare is to hold; ours declare nothing.
            connection.execute("pragma foreign_keys = on")
            connection.execute("begin immediate")
        except sqlite3.Error as error:
            raise translated(error, path) from error
        connection.set_authorizer(_may_not_end)
        borrower = _Borrower(held=connection)
        joined = JoinedSqliteJournal(journal, borrower, path)
        with lent.of(connection, borrower):
            yield joined
        _commit(joined.connection, path)
    joined.close()
    borrower.tell()


def _commit(connection: sqlite3.Connection, path: Path) -> None:
    try:
        connection.set_authorizer(None)
        connection.execute("commit")
    except sqlite3.Error as error:
        if primary_code(error) != sqlite3.SQLITE_IOERR:
            raise translated(error, path) from error
        raise in_doubt(error, path) from error


def _may_not_end(action: int, *_about: str | None) -> int:
    """Refuse the borrower's COMMIT and ROLLBACK; savepoints are its own business."""
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK


def _file(path: Path | None) -> Path:
    if path is None:
        raise not_joined("a journal in memory has one connection; use sqlite:///FILE")
    return path


def _check_file(connection: sqlite3.Connection, path: Path) -> None:
    with _plain(connection):
        (_, _, file), *_ = connection.execute("pragma database_list").fetchall()
    if not file or not os.path.samefile(file, path):
        raise not_joined(f"the connection is to {file or ':memory:'}, the journal is in {path}")


@contextmanager
def _plain(connection: sqlite3.Connection) -> Iterator[None]:
    """Rows as the driver gives them; how the host wants its own is set again afterwards."""
    rows, text = connection.row_factory, connection.text_factory
    connection.row_factory, connection.text_factory = None, READ_TEXT
    try:
        yield
    finally:
        connection.row_factory, connection.text_factory = rows, text


def _translated(error: sqlite3.Error, path: Path) -> StorageError:
    if primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StorageUnavailable(
            f"{path} is locked by another transaction, or was changed after this one began to "
            "read; nothing was written: roll back, and start over with `begin immediate`",
            "storage_unavailable",
            {"path": str(path)},
        )
    return translated(error, path)
