"""
The host's own connections, whichever library holds them: the one place that knows.

    sqlite3, psycopg       the connection itself
    SQLAlchemy             Connection, Session, scoped_session, and their async twins
    Django                 the alias of a database, such as "default"

No library is imported here: one that made the connection is loaded already.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from attrs import frozen

from squidmesh_core.errors import ConfigError
from squidmesh_storage.problems import not_joined

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
    from sqlalchemy.orm import Session, SessionTransaction

#: Where a session keeps who is to be told of the end of its transaction.
_WAITING: Final = "squidmesh.waiting"
_NOT_BEGUN: Final = "the SQLAlchemy connection is in no transaction; use engine.begin()"


class Host(Protocol):
    """A transaction of the host's, behind whatever holds its connection."""

    @property
    def declared(self) -> bool:
        """Whether a library says that a transaction is open, begun in the database or not."""
        ...

    def connection(self) -> object:
        """
        The driver's own connection, asked for anew at each use: libraries pool theirs.

        Raises:
            StorageError: There is no transaction to join.
        """
        ...

    def afterwards(self, tell: Callable[[], None]) -> bool:
        """Call this once the transaction has ended; false: nobody here can know."""
        ...


class AsyncHost(Protocol):
    """The same of a connection that belongs to an event loop, and is used there."""

    async def connection(self) -> object:
        """See `Host.connection`."""
        ...

    def afterwards(self, tell: Callable[[], None]) -> bool:
        """See `Host.afterwards`."""
        ...


def host_of(connection: object) -> Host:
    """
    What holds a connection.

    Raises:
        StorageError: It is of an async library, and this journal blocks.
    """
    if isinstance(connection, str):
        return _Django(alias=connection)
    if "sqlalchemy" not in sys.modules:
        return _Driver(held=connection)
    from sqlalchemy.engine import Connection

    if isinstance(connection, Connection):
        return _SqlAlchemy(held=connection)
    if async_host_of(connection) is not None:
        raise not_joined(
            "a connection of an event loop goes with an AsyncMesh on PostgreSQL; "
            "hand in one that blocks"
        )
    if "sqlalchemy.orm" in sys.modules and (session := _session(connection)) is not None:
        return _SqlAlchemySession(session=session)
    return _Driver(held=connection)


def async_host_of(connection: object) -> "AsyncHost | None":
    """What holds a connection of SQLAlchemy's asyncio; null: nothing of the kind does."""
    if "sqlalchemy.ext.asyncio" not in sys.modules:
        return None
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

    if isinstance(connection, async_scoped_session):
        connection = connection()
    if isinstance(connection, AsyncSession):
        return _AsyncSession(session=connection)
    return _AsyncSqlAlchemy(held=connection) if isinstance(connection, AsyncConnection) else None


def url_of(engine: object) -> str:
    """
    Where an engine of SQLAlchemy leads to, as the URL of a journal, password and all.

    Raises:
        StorageError: It leads to no database that keeps journals.
        ConfigError: Its URL says something to its driver that is not for ours.
    """
    from sqlalchemy.engine import Engine

    engine = getattr(engine, "sync_engine", engine)  # of an AsyncEngine
    if not isinstance(engine, Engine):
        raise not_joined(f"{type(engine).__qualname__} is no engine of SQLAlchemy")
    url = engine.url
    match url.get_backend_name():
        case "postgresql":
            _check_parameters(url)
            return url.set(drivername="postgresql").render_as_string(hide_password=False)
        case "sqlite" if url.database and url.database != ":memory:":
            return f"sqlite:///{url.database}"
        case backend:
            raise not_joined(f"a journal is in PostgreSQL or a SQLite file, not in {backend}")


@frozen(kw_only=True)
class _Driver:
    """A driver's own connection, which knows best whether it is in a transaction."""

    held: object
    declared: bool = False

    def connection(self) -> object:
        return self.held

    def afterwards(self, tell: Callable[[], None]) -> bool:
        del tell  # no driver calls back
        return False


@frozen(kw_only=True)
class _SqlAlchemy:
    """A Core connection; its commit event comes before the commit, so it is of no use here."""

    held: "Connection"

    @property
    def declared(self) -> bool:
        return self.held.in_transaction()

    def connection(self) -> object:
        if not self.held.in_transaction():
            raise not_joined(_NOT_BEGUN)
        return self.held.connection.driver_connection

    def afterwards(self, tell: Callable[[], None]) -> bool:
        del tell
        return False


@frozen(kw_only=True)
class _SqlAlchemySession:
    """A session; it begins its transaction by itself, as with any first statement."""

    session: "Session"

    @property
    def declared(self) -> bool:
        return self.session.in_transaction()

    def connection(self) -> object:
        return self.session.connection().connection.driver_connection

    def afterwards(self, tell: Callable[[], None]) -> bool:
        if _WAITING not in self.session.info:
            from sqlalchemy import event

            self.session.info[_WAITING] = []
            event.listen(self.session, "after_transaction_end", _ended)
        self.session.info[_WAITING].append(tell)
        return True


def _ended(session: "Session", transaction: "SessionTransaction") -> None:
    """Tell whoever waits, unless it is merely a savepoint that has ended."""
    waiting = session.info[_WAITING]
    while waiting and transaction.parent is None:
        waiting.pop()()


@frozen(kw_only=True)
class _AsyncSqlAlchemy:
    """A Core connection of an event loop."""

    held: "AsyncConnection"

    async def connection(self) -> object:
        if not self.held.in_transaction():
            raise not_joined(_NOT_BEGUN)
        return (await self.held.get_raw_connection()).driver_connection

    def afterwards(self, tell: Callable[[], None]) -> bool:
        del tell
        return False


@frozen(kw_only=True)
class _AsyncSession:
    """A session of an event loop; taking a connection from the pool may have to wait."""

    session: "AsyncSession"

    async def connection(self) -> object:
        held = await self.session.connection()
        return (await held.get_raw_connection()).driver_connection

    def afterwards(self, tell: Callable[[], None]) -> bool:
        return _SqlAlchemySession(session=self.session.sync_session).afterwards(tell)


class _DjangoConnection(Protocol):
    """What is used of `django.db.backends.base.base.BaseDatabaseWrapper`."""

    in_atomic_block: bool
    #: The driver's own.
    connection: object

    def ensure_connection(self) -> None: ...
    def get_autocommit(self) -> bool: ...
    def validate_no_broken_transaction(self) -> None: ...


@frozen(kw_only=True)
class _Django:
    """A database of a Django project, by its alias."""

    alias: str

    @property
    def declared(self) -> bool:
        held = self._held()
        return held.in_atomic_block or not held.get_autocommit()

    def connection(self) -> object:
        held = self._held()
        held.ensure_connection()
        if not self.declared:
            raise not_joined(f"Django's {self.alias!r} is in no transaction; use atomic()")
        held.validate_no_broken_transaction()
        return held.connection

    def afterwards(self, tell: Callable[[], None]) -> bool:
        on_commit = import_module("django.db.transaction").on_commit
        on_commit(tell, using=self.alias)
        return True

    def _held(self) -> _DjangoConnection:
        if "django.db" not in sys.modules:
            raise not_joined(f"{self.alias!r} is the alias of a Django database, without Django")
        connections = import_module("django.db").connections
        return cast("Mapping[str, _DjangoConnection]", connections)[self.alias]


def _check_parameters(url: "URL") -> None:
    """What other drivers take in a URL, such as asyncpg's `ssl`, libpq does not know."""
    driver = url.get_driver_name()
    foreign = sorted(set(url.query) - {"host", "port"})
    if foreign and not driver.startswith("psycopg"):
        names = ", ".join(foreign)
        reason = f"the URL of this engine tells {driver} what libpq does not understand: {names}"
        raise ConfigError(
            f"{reason}; open the mesh with a postgresql:// URL of its own",
            "unknown_url",
            {"option": "engine", "reason": reason},
        )


def _session(connection: object) -> "Session | None":
    from sqlalchemy.orm import Session, scoped_session

    if isinstance(connection, scoped_session):
        connection = connection()
    return connection if isinstance(connection, Session) else None
