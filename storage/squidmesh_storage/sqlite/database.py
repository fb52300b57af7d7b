"""
The connections of one process to one file: a single writer, and some readers.

All writes of a process go through one connection under one lock, so that its
threads queue in memory, where it is cheap, and only processes meet at SQLite's
lock.  Readers have connections of their own; in WAL mode nobody waits for them.
A database in memory has one connection, which everybody shares.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import Final, TypeAlias

from squidmesh_core.errors import StorageError
from squidmesh_storage.problems import closed, writing_inside_decide
from squidmesh_storage.sqlite.connection import (
    BUSY_SECONDS,
    connect,
    in_doubt,
    primary_code,
    taken_away,
    translated,
)

#: Idle readers that are kept open.
_IDLE_READERS: Final = 8
#: Changed rows after which the log is written back; 4 to 12 MB of it with bodies of 1 kB.
CHECKPOINT_ROWS: Final = 1_600
#: Growth of the log in bytes after which it is, however few rows that took.
_CHECKPOINT_GROWTH: Final = 8 * 2**20
#: Milliseconds that a checkpoint waits for other processes' transactions.
_CHECKPOINT_WAIT: Final = 250

#: Device and number; null: there is no file.
_FileId: TypeAlias = tuple[int, int] | None


class Writer:
    """The one connection through which a process writes."""

    def __init__(self, path: Path | None, *, checkpoint_rows: int = CHECKPOINT_ROWS) -> None:
        self.lock = RLock()
        self._path = path
        #: Where SQLite's files are: the database, its log, the shared memory of all who use it.
        self._places = () if path is None else tuple(f"{path}{end}" for end in ("", "-wal", "-shm"))
        self._connection: sqlite3.Connection | None = None
        #: Which files lay there when the connection first wrote.
        self._files: list[_FileId] | None = None
        self._closed = False
        self._checkpoint_rows = checkpoint_rows
        #: What stood here at the last checkpoint.
        self._rows_then, self._size_then = 0, 0

    @property
    def connection(self) -> sqlite3.Connection:
        """
        The connection, opened when first asked for; hold the lock.

        Raises:
            StorageError: It cannot be opened, or the journal is closed.
        """
        if self._closed:
            raise closed(str(self._path))
        if self._connection is None:
            self._connection, self._rows_then = connect(self._path), 0
            self._files = None
        return self._connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """
        A write transaction: committed at the end of the block, or rolled back.

        Raises:
            StorageError: Nothing was written.
            OutcomeUnknown: COMMIT failed in a way that may have left it durable.
        """
        with self.lock:
            connection = self.connection
            if connection.in_transaction:
                raise writing_inside_decide()
            try:
                # Never deferred: a read that turns into a write fails at once in WAL
                # mode, whatever the timeout.
                connection.execute("begin immediate")
                self._look_at_files()
                yield connection
                self._commit(connection)
            except sqlite3.Error as error:
                self._roll_back(connection)
                raise translated(error, self._path) from error
            except BaseException:
                self._roll_back(connection)
                raise
            self._checkpoint_if_due(connection)

    def checkpoint(self) -> bool:
        """
        Write the log back into the file; whether all of it was.

        This is the only place where it is done, and no commit of any process can
        overlap, because SQLite's write lock is held meanwhile.  A mode that takes
        the lock itself would not do: TRUNCATE goes on without it when it is busy.
        And it makes the log shorter, so that each commit has to make it longer
        again: that cost a third of the speed of one thread.
        """
        if self._path is None:
            return True
        with self.lock, suppress(sqlite3.Error, StorageError):  # what is in the log is durable
            connection = self.connection
            connection.execute(f"pragma busy_timeout = {_CHECKPOINT_WAIT}")
            try:
                connection.execute("begin immediate")
                with closing(connect(self._path)) as other:
                    row = other.execute("pragma wal_checkpoint(passive)").fetchone()
                (_, frames, written) = row
                return bool(frames == written)
            finally:
                self._roll_back(connection)
                connection.execute(f"pragma busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        return False

    def close(self) -> None:
        """Write the log back, if nobody minds, and close."""
        with self.lock:
            if self._connection is not None:
                self.checkpoint()
                self._connection.close()
                self._connection = None
            self._closed = True

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("commit")
        except sqlite3.Error as error:
            if primary_code(error) != sqlite3.SQLITE_IOERR:
                raise
            # A new connection will see what became of it.
            connection.close()
            self._connection = None
            raise in_doubt(error, self._path) from error

    def _look_at_files(self) -> None:
        """
        Make sure that what is written can be found by whoever opens the path.

        Raises:
            StorageError: Somebody deleted or replaced the file or what lies beside it.
        """
        # sqlite.org/howtocorrupt.html §2.4: SQLite goes on with what it has open, and what it
        # commits is gone when the process ends; without the shared memory it does not know of
        # the others.  As long as we have them open, nobody else deletes or makes these files.
        if self._path is None:
            return
        there = [_file_at(place) for place in self._places]
        if self._files is None:
            self._files = there
        if there != self._files:
            raise taken_away(self._path)

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        # Some errors have rolled back already, and a broken connection cannot.
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("rollback")

    def _checkpoint_if_due(self, connection: sqlite3.Connection) -> None:
        rows, size = connection.total_changes, self._log_size()
        if (
            rows - self._rows_then >= self._checkpoint_rows
            or size - self._size_then >= _CHECKPOINT_GROWTH
        ):
            self.checkpoint()
            self._rows_then, self._size_then = rows, self._log_size()

    def _log_size(self) -> int:
        if self._path is None:
            return 0
        try:
            return os.stat(self._places[1]).st_size
        except OSError:
            return 0


class Readers:
    """Connections for reading, kept between uses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """
        One state of the database, for as long as the block lasts.

        Raises:
            StorageError: It cannot be read.
        """
        connection = self._take()
        try:
            connection.execute("begin")
            yield connection
            connection.execute("commit")
        except sqlite3.Error as error:
            connection.close()
            raise translated(error, self._path) from error
        except BaseException:
            if connection.in_transaction:
                connection.execute("rollback")
            self._give_back(connection)
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close those that are idle now, and the others when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        connection = connect(self._path)
        connection.execute("pragma query_only = on")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _IDLE_READERS:
                self._idle.append(connection)
                return
        connection.close()


class SharedReader:
    """Reading through the writer's connection, for a database in memory."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """
        One state of the database: nobody else can write while the lock is held.

        Raises:
            StorageError: It cannot be read.
        """
        with self._writer.lock:
            try:
                yield self._writer.connection
            except sqlite3.Error as error:
                raise translated(error, None) from error

    def close(self) -> None:
        """Nothing of its own to close."""


def _file_at(path: str) -> _FileId:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
