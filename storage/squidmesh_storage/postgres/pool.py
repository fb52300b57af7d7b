"""
A few connections of one process, kept between uses.

`psycopg_pool` keeps threads of its own, which a fork leaves behind, and asks the
server before each use whether it is still there.  This one has no thread, and a
connection that the server has closed shows so by itself: something can be read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Semaphore
from typing import Final

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from squidmesh_core.errors import StorageError
from squidmesh_storage.postgres.connecting import Session, Target, connect, greet
from squidmesh_storage.postgres.driving import PAUSES, drive, jittered, may_repeat
from squidmesh_storage.postgres.errors import exhausted, not_connected
from squidmesh_storage.postgres.scripts import Script, T
from squidmesh_storage.problems import closed

#: Seconds to wait for a connection that others use.
PATIENCE: Final = 5.0

SyncSession = Session[Connection[TupleRow]]


class Pool:
    """Up to so many connections, opened when they are needed."""

    def __init__(self, target: Target, most: int, *, patience: float = PATIENCE) -> None:
        self._target = target
        self._most = most
        self._patience = patience
        #: Whether a pooler stood before the server, when a connection was opened last.
        self.pooled = False
        self._free = Semaphore(most)
        #: Guards the two below; held for moments only.
        self._lock = Lock()
        self._idle: list[SyncSession] = []
        self._closed = False

    def run(self, make: Callable[[], Script[T]], *, harmless: bool = False) -> T:
        """
        What a script returns; it is made and carried out anew where that may help.

        Args:
            make: Makes the script.
            harmless: Whether doing it twice is as good as doing it once.

        Raises:
            StorageError: What the last try came to.
        """
        for pause in PAUSES:
            try:
                with self.session() as session:
                    return drive(session, make())
            except StorageError as error:
                if not may_repeat(error, harmless=harmless):
                    raise
            Event().wait(jittered(pause))  # no sleep: libfaketime breaks it
        with self.session() as session:
            return drive(session, make())

    @contextmanager
    def session(self) -> Iterator[SyncSession]:
        """
        A connection, for as long as the block lasts.

        Raises:
            StorageError: There is none to be had.
        """
        if not self._free.acquire(timeout=self._patience):
            raise exhausted(self._target.url, self._most, self._patience)
        try:
            session = self._take()
            try:
                yield session
            finally:
                self._give_back(session)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close those that are idle now, and the others when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for session in idle:
            session.connection.close()

    def _take(self) -> SyncSession:
        while True:
            with self._lock:
                if self._closed:
                    raise closed(self._target.url)
                if not self._idle:
                    break
                session = self._idle.pop()
            if not session.stale:
                return session
            _discard(session)
        session = open_session(self._target)
        self.pooled = session.pooled
        return session

    def _give_back(self, session: SyncSession) -> None:
        if not session.lost:
            with self._lock:
                if not self._closed:
                    self._idle.append(session)
                    return
        _discard(session)


def open_session(target: Target) -> SyncSession:
    """
    A new connection to a server that will do.

    Raises:
        StorageError: It cannot be had, or will not do.
    """
    try:
        connection = connect(target)
    except psycopg.Error as error:
        raise not_connected(error, target.url) from error
    session = Session(connection=connection, target=target)
    try:
        drive(session, greet(session))
    except BaseException:
        connection.close()
        raise
    return session


def _discard(session: SyncSession) -> None:
    with suppress(psycopg.Error):
        session.connection.close()
