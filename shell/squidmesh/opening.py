"""
The one module that knows adapters: a URL becomes a journal.

    memory://            nothing is kept when the process ends
    sqlite:///orders.db  a file, relative to the working directory
    sqlite:////var/x.db  a file, by its full path
    sqlite:///:memory:   a database that ends with the mesh
"""

import re
from typing import Final

from squidmesh_core.errors import ConfigError
from squidmesh_storage.api import Journal

#: A host with its port, a path, or both.
_PLACE: Final = re.compile(r"[\w.:/\\~ %+-]*")


def open_journal(url: str) -> Journal:
    """
    The journal behind a URL.

    Raises:
        ConfigError: `unknown_url`, or `missing_extra` for an adapter that is
            not installed; a password in the URL is never shown.
        StorageError: The storage is not what it should be.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "memory" and not rest:
        from squidmesh_storage.memory import MemoryJournal

        return MemoryJournal()
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from squidmesh_storage.sqlite import SqliteJournal

        return SqliteJournal(rest[1:])
    if separator and scheme in {"postgres", "postgresql"}:
        raise ConfigError(
            f"{shown(url)}: the PostgreSQL adapter is not part of this release; "
            "use sqlite:///FILE or memory://",
            "missing_extra",
            {"option": "url", "reason": "postgresql is not supported yet"},
        )
    raise ConfigError(
        f"{shown(url)!r} is no journal URL; expected sqlite:///FILE, sqlite:///:memory: or memory://",
        "unknown_url",
        {"option": "url", "reason": "unknown scheme or missing path"},
    )


def migrate(url: str, *, plan: bool = False) -> tuple[str, ...]:
    """
    Bring the schema behind a URL up to date; the names of what was (or would be) done.

    Raises:
        ConfigError: The URL has no schema to migrate.
        StorageError: The storage is unreachable, or newer than this release.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "memory":
        return ()
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from squidmesh_storage import sqlite

        steps = sqlite.plan(rest[1:]) if plan else sqlite.migrate(rest[1:])
        return tuple(f"{step.number:04} {step.kind}: {step.title}" for step in steps.steps)
    open_journal(url)  # says what is wrong with it
    return ()


def shown(url: str) -> str:
    """The URL without what may hold a password: user, query and fragment."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    _, at, place = rest.rpartition("@")
    hidden = "***@" if at else ""
    place = re.split("[?#]", place)[0]
    # What looks like no place may be anything.
    return f"{scheme}{separator}{hidden}{place if _PLACE.fullmatch(place) else '…'}"
