"""
Hosts: applications with rows of their own, in the database that the journal is in.

    with host.transaction() as connection:   what `mesh.using` takes; committed at the end
        host.write("A-1")                    a row of the host's, in that transaction
        with host.savepoint(): …             what may be undone without the rest
    host.rows()                              what is committed, seen from outside
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, Protocol

import django  # type: ignore[import-untyped]  # Django ships no types
import django.conf  # type: ignore[import-untyped]  # see above
import psycopg
import sqlalchemy
from django.db import connections  # type: ignore[import-untyped]  # see above
from django.db import transaction as django_transaction
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.orm import Session

# Once for all tests, and before anybody asks Django for a database.
if not django.conf.settings.configured:
    django.conf.settings.configure(DATABASES={}, INSTALLED_APPS=[])
    django.setup()

TABLE: Final = "create table shop (id text not null)"


class SqliteHost:
    """A host with the standard library's driver, which begins its transactions itself."""

    def __init__(self, file: Path) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None)

    def begin(self) -> None:
        """As a host that is going to write should."""
        self.connection.execute("begin immediate")

    def commit(self) -> None:
        """By a statement, as it began."""
        self.connection.execute("commit")

    def rollback(self) -> None:
        """By a statement, as it began."""
        self.connection.execute("rollback")

    def close(self) -> None:
        """What is open is rolled back."""
        self.connection.close()


class PostgresHost:
    """A host with psycopg, which begins its transactions itself."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def begin(self) -> None:
        """By a statement."""
        self.connection.execute("begin")

    def commit(self) -> None:
        """By a statement, as it began."""
        self.connection.execute("commit")

    def rollback(self) -> None:
        """By a statement, as it began."""
        self.connection.execute("rollback")

    def close(self) -> None:
        """What is open is rolled back."""
        self.connection.close()


class Shop(Protocol):
    """A host with a table of its own."""

    #: Whether its library tells of a commit, so that workers are woken by themselves.
    tells: bool

    def transaction(self) -> AbstractContextManager[object]:
        """A transaction; what `using` takes."""

    def savepoint(self) -> AbstractContextManager[object]:
        """Part of the open transaction, rolled back alone if the block raises."""

    def write(self, row: str) -> None:
        """Write in the open transaction."""

    def rows(self) -> list[str]:
        """What is committed, in order."""

    def close(self) -> None:
        """Let go of the database."""


class SqliteShop:
    """The standard library's driver, by hand."""

    tells = False

    def __init__(self, url: str) -> None:
        self._file = file_of(url)
        self._connection = sqlite3.connect(self._file, isolation_level=None)
        self._connection.execute(TABLE)

    @contextmanager
    def transaction(self) -> Iterator[object]:
        self._connection.execute("begin immediate")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    @contextmanager
    def savepoint(self) -> Iterator[object]:
        self._connection.execute("savepoint part")
        try:
            yield None
        except BaseException:
            self._connection.execute("rollback to part")
            raise
        finally:
            self._connection.execute("release part")

    def write(self, row: str) -> None:
        self._connection.execute("insert into shop values (?)", (row,))

    def rows(self) -> list[str]:
        with closing(sqlite3.connect(self._file)) as outside:
            return [row for (row,) in outside.execute("select id from shop order by rowid")]

    def close(self) -> None:
        self._connection.close()


class PostgresShop:
    """psycopg, by hand."""

    tells = False

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = psycopg.connect(url)
        with self.transaction():
            self._connection.execute(TABLE)

    @contextmanager
    def transaction(self) -> Iterator[object]:
        with self._connection.transaction():
            yield self._connection

    def savepoint(self) -> AbstractContextManager[object]:
        return self._connection.transaction()

    def write(self, row: str) -> None:
        self._connection.execute("insert into shop values (%s)", (row,))

    def rows(self) -> list[str]:
        with psycopg.connect(self._url) as outside:
            return [row for (row,) in outside.execute("select id from shop order by id")]

    def close(self) -> None:
        self._connection.close()


class CoreShop:
    """SQLAlchemy Core."""

    tells = False

    def __init__(self, url: str) -> None:
        self._engine = engine_for(url)
        self._open: sqlalchemy.Connection | None = None
        with self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(TABLE))

    @contextmanager
    def transaction(self) -> Iterator[object]:
        with self._engine.begin() as self._open:
            yield self._open

    def savepoint(self) -> AbstractContextManager[object]:
        assert self._open is not None
        return self._open.begin_nested()

    def write(self, row: str) -> None:
        assert self._open is not None
        self._open.execute(sqlalchemy.text("insert into shop values (:row)"), {"row": row})

    def rows(self) -> list[str]:
        with self._engine.connect() as outside:
            return list(outside.scalars(sqlalchemy.text("select id from shop order by id")))

    def close(self) -> None:
        self._engine.dispose()


class SessionShop(CoreShop):
    """SQLAlchemy's sessions."""

    tells = True

    @contextmanager
    def transaction(self) -> Iterator[object]:
        with Session(self._engine) as session, session.begin():
            self._session = session
            yield session

    def savepoint(self) -> AbstractContextManager[object]:
        return self._session.begin_nested()

    def write(self, row: str) -> None:
        self._session.execute(sqlalchemy.text("insert into shop values (:row)"), {"row": row})


class DjangoShop:
    """Django, by the alias of a database."""

    tells = True
    alias = "shop"

    def __init__(self, url: str) -> None:
        configured = connections.configure_settings({"default": {}, self.alias: database_of(url)})
        connections.databases[self.alias] = configured[self.alias]
        self.write(None, TABLE)

    @contextmanager
    def transaction(self) -> Iterator[object]:
        with django_transaction.atomic(using=self.alias):
            yield self.alias

    def savepoint(self) -> AbstractContextManager[object]:
        atomic: AbstractContextManager[object] = django_transaction.atomic(using=self.alias)
        return atomic

    def write(self, row: str | None, statement: str = "insert into shop values (%s)") -> None:
        with connections[self.alias].cursor() as cursor:
            cursor.execute(statement, None if row is None else (row,))

    def rows(self) -> list[str]:
        outside = connections[self.alias].copy()
        try:
            with outside.cursor() as cursor:
                cursor.execute("select id from shop order by id")
                return [row for (row,) in cursor.fetchall()]
        finally:
            outside.close()

    def close(self) -> None:
        connections[self.alias].close()
        del connections[self.alias]


def driver_shop(url: str) -> Shop:
    """A host with the driver of the database, and nothing between."""
    return SqliteShop(url) if url.startswith("sqlite") else PostgresShop(url)


#: How a host may hold its connection.
HOSTS: Final[Mapping[str, Callable[[str], Shop]]] = {
    "driver": driver_shop,
    "sqlalchemy": CoreShop,
    "session": SessionShop,
    "django": DjangoShop,
}


def file_of(url: str) -> Path:
    """The file behind the URL of a journal."""
    return Path(url.removeprefix("sqlite:///"))


def engine_for(url: str) -> sqlalchemy.Engine:
    """An engine on the database of a journal's URL."""
    return sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def database_of(url: str) -> dict[str, object]:
    """Django's settings for the database of a journal's URL."""
    if url.startswith("sqlite"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": file_of(url)}
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "PASSWORD": parts.get("password", ""),
        "HOST": parts["host"],
        "PORT": parts.get("port", ""),
    }
