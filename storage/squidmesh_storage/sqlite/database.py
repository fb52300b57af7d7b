"""
The connections of one process to one file: a single writer, and some readers.

All writes of a process go through one connection under one lock, so that its
threads queue in memory, where it is cheap, and only processes meet at SQLite's
lock.  Readers have connections of their own; in WAL mode nobody waits for them.
A database in memory has one connection, which everybody shares.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import Final

from squidmesh_core.errors import OutcomeUnknown
from squidmesh_storage.problems import closed, writing_inside_decide
from squidmesh_storage.sqlite.connection import BUSY_SECONDS, connect, primary_code, translated

#: Idle readers that are kept open.
_IDLE_READERS: Final = 8
#: Commits between two looks at the size of the WAL.
_LOOK_EVERY: Final = 64
#: Size in bytes from which the WAL is written back; about 500 appends.
WAL_LIMIT: Final = 8 * 2**20
#: Milliseconds that a checkpoint waits for readers; other processes' writers wait with it.
_CHECKPOINT_WAIT: Final = 250


class Writer:
    """The one connection through which a process writes."""

    def __init__(self, path: Path | None, *, wal_limit: int = WAL_LIMIT) -> None:
        self.lock = RLock()
        self._path = path
        self._wal = None if path is None else path.with_name(path.name + "-wal")
        self._wal_limit = wal_limit
        self._commits = 0
        self._connection: sqlite3.Connection | None = None
        self._closed = False

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
            self._connection = connect(self._path)
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
                yield connection
                self._commit(connection)
            except sqlite3.Error as error:
                self._roll_back(connection)
                raise translated(error, self._path) from error
            except BaseException:
                self._roll_back(connection)
                raise
            self._look_at_wal()

    def checkpoint(self) -> bool:
        """
        Write the WAL back into the file and empty it; whether that was possible.

        This is the only place where it is done.  TRUNCATE holds SQLite's write
        lock, so no commit of any process can overlap.
        """
        with self.lock, suppress(sqlite3.Error):  # what is in the WAL is durable there
            connection = self.connection
            connection.execute(f"pragma busy_timeout = {_CHECKPOINT_WAIT}")
            try:
                (busy, _, _) = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
                return not busy
            finally:
                connection.execute(f"pragma busy_timeout = {BUSY_SECONDS * 1000:.0f}")
        return False

    def close(self) -> None:
        """Empty the WAL, if nobody minds, and close."""
        with self.lock:
            if self._connection is not None:
                if self._wal is not None:
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
            # The log may hold the whole commit or not: a new connection will see.
            connection.close()
            self._connection = None
            raise OutcomeUnknown(
                f"{self._path}: writing to the disk failed during COMMIT ({error})",
                "outcome_unknown",
                {"path": str(self._path)},
            ) from error

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        # Some errors have rolled back already, and a broken connection cannot.
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("rollback")

    def _look_at_wal(self) -> None:
        self._commits += 1
        if self._wal is None or self._commits % _LOOK_EVERY:
            return
        with suppress(OSError):
            if self._wal.stat().st_size >= self._wal_limit:
                self.checkpoint()


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
