"""
The one module that knows adapters: a URL becomes a journal.

    memory://            nothing is kept when the process ends
    sqlite:///orders.db  a file, relative to the working directory
    sqlite:////var/x.db  a file, by its full path
    sqlite:///:memory:   a database that ends with the mesh
    postgresql://…       a database on a server, as libpq reads it; `?schema=` names
                         the schema of the tables, `prefix=` what their names begin with
"""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Protocol, assert_never

from squidmesh_core.errors import ConfigError
from squidmesh_storage.api import Journal
from squidmesh_storage.migrations import Plan

if TYPE_CHECKING:  # asyncio loads with the first mesh that needs it
    from squidmesh_storage.aio import AsyncJournal

_Kind = Literal["memory", "sqlite", "postgres"]

_POSTGRES: Final = frozenset({"postgres", "postgresql"})
#: A host with its port, a path, or both.
_PLACE: Final = re.compile(r"[\w.:/\\~ %+-]*")


class _WithTables(Protocol):
    """An adapter with tables."""

    def plan(self, address: str, /) -> Plan: ...
    def migrate(self, address: str, /) -> Plan: ...
    def script(self, address: str, /) -> str: ...


def open_journal(url: str) -> Journal:
    """
    The journal behind a URL.

    Raises:
        ConfigError: `unknown_url`, or `missing_extra` for an adapter that is
            not installed; a password in the URL is never shown.
        StorageError: The storage is not what it should be.
    """
    kind, address = _parsed(url)
    match kind:
        case "memory":
            from squidmesh_storage.memory import MemoryJournal

            return MemoryJournal()
        case "sqlite":
            from squidmesh_storage.sqlite import SqliteJournal

            return SqliteJournal(address)
        case "postgres":
            from squidmesh_storage.postgres import PostgresJournal

            return PostgresJournal(address)
    assert_never(kind)


def for_event_loop(journal: Journal) -> "AsyncJournal":
    """The same place for an event loop: by coroutines of its own, or on threads."""
    scheme, _, _ = journal.url.partition("://")
    if scheme == "postgresql":
        from squidmesh_storage.postgres import PostgresJournal
        from squidmesh_storage.postgres.aio import AsyncPostgresJournal

        if isinstance(journal, PostgresJournal):
            return AsyncPostgresJournal(journal)
    from squidmesh_storage.aio import Threaded

    # The clock of what is embedded is this machine's.
    return Threaded(journal, clock=journal.now)


def migrate(url: str, *, plan: bool = False) -> tuple[str, ...]:
    """
    Bring the schema behind a URL up to date; what was (or would be) done, in lines.

    Raises:
        ConfigError: The URL names no journal, or its adapter is not installed.
        StorageError: The storage is unreachable, or newer than this release.
    """
    place = _migrating(url)
    if place is None:
        return ()
    adapter, address = place
    return (adapter.plan(address) if plan else adapter.migrate(address)).lines


def has_tables(url: str) -> bool:
    """
    Whether anybody began a journal behind a URL; nothing is changed.

    Raises:
        ConfigError: The URL names no journal, or its adapter is not installed.
        StorageError: The storage is unreachable, or newer than this release.
    """
    place = None if _begins_when_opened(url) else _migrating(url)
    if place is None:
        return True  # opening it begins one, or says what is wrong with it
    adapter, address = place
    return adapter.plan(address).found > 0


def bring_up_to_date(url: str) -> None:
    """
    Migrate an older schema; what is not there yet gets the newest when it is opened.

    Raises:
        ConfigError: The URL names no journal, or its adapter is not installed.
        StorageError: The storage is unreachable, or newer than this release.
    """
    if not _begins_when_opened(url):
        migrate(url)


def migration_sql(url: str) -> str:
    """
    What `migrate` would execute, for somebody who has the right to; nothing if up to date.

    Raises:
        ConfigError: The URL names no journal, or its adapter is not installed.
        StorageError: The storage is unreachable, or newer than this release.
    """
    place = _migrating(url)
    if place is None:
        return ""
    adapter, address = place
    return adapter.script(address)


def shown(url: str) -> str:
    """The URL without what may hold a password: user, query and fragment."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    _, at, place = rest.rpartition("@")
    hidden = "***@" if at else ""
    place = re.split("[?#]", place)[0]
    # What looks like no place may be anything.
    return f"{scheme}{separator}{hidden}{place if _PLACE.fullmatch(place) else '…'}"


def _parsed(url: str) -> tuple[_Kind, str]:
    """
    The adapter that a URL names, and how it calls the place.

    Raises:
        ConfigError: `unknown_url`, or `missing_extra`.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "memory" and not rest:
        return "memory", ""
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return "sqlite", rest[1:]
    if separator and scheme in _POSTGRES:
        _check_driver(url)
        return "postgres", url
    raise ConfigError(
        f"{shown(url)!r} is no journal URL; expected sqlite:///FILE, sqlite:///:memory:, "
        "postgresql://… or memory://",
        "unknown_url",
        {"option": "url", "reason": "unknown scheme or missing path"},
    )


def _migrating(url: str) -> tuple[_WithTables, str] | None:
    """
    The adapter that migrates what a URL names, and how it calls that; null: nothing to do.

    Raises:
        ConfigError: `unknown_url`, or `missing_extra`.
    """
    kind, address = _parsed(url)
    match kind:
        case "memory":
            return None
        case "sqlite":
            from squidmesh_storage import sqlite

            return sqlite, address
        case "postgres":
            from squidmesh_storage import postgres

            return postgres, address
    assert_never(kind)


def _begins_when_opened(url: str) -> bool:
    kind, address = _parsed(url)
    return kind == "sqlite" and (address == ":memory:" or not Path(address).exists())


def _check_driver(url: str) -> None:
    if find_spec("psycopg") is None:
        raise ConfigError(
            f'{shown(url)}: the driver for PostgreSQL is missing; pip install "squidmesh[postgres]"',
            "missing_extra",
            {"option": "url", "reason": "psycopg is not installed", "extra": "postgres"},
        )
