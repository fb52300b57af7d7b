"""One SQLite connection: how it is opened, and what its errors mean."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Final

from squidmesh_core.errors import OutcomeUnknown, StorageError, StorageUnavailable

#: Seconds to wait for another process's transaction before giving up.
BUSY_SECONDS: Final = 10.0
#: Size in bytes that the log keeps between checkpoints.
_LOG_BYTES: Final = 16 * 2**20
#: The first version with STRICT tables.
_OLDEST: Final = (3, 37)
#: Bytes that are no text stand in the journal of one damaged run; an error would be
#: one of every run beside it.  A body that was altered breaks its chain.
READ_TEXT: Final = partial(str, encoding="utf-8", errors="replace")


def connect(path: Path | None, *, only_look: bool = False) -> sqlite3.Connection:
    """
    A connection with the settings that every one of ours has.

    Args:
        path: The file; null: a database of its own in memory.
        only_look: Write nothing, and leave the file in the mode that it is in.

    Raises:
        StorageError: It cannot be opened, or will not take the settings.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StorageError(
            f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed",
            "storage_error",
            {"found": sqlite3.sqlite_version, "wanted": "3.37"},
        )
    try:
        connection = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=BUSY_SECONDS,
            isolation_level=None,  # transactions are begun where they are meant
            check_same_thread=False,  # one thread at a time; the owner sees to it
        )
    except sqlite3.Error as error:
        raise translated(error, path) from error
    try:
        if only_look:
            connection.execute("pragma query_only = on")
        else:
            _configure(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise translated(error, path) from error
    except StorageError:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, path: Path | None) -> None:
    connection.text_factory = READ_TEXT
    # Checkpoints race with commits in SQLite before 3.51.3 (the WAL-reset bug), so
    # none comes by itself: `Writer` makes them, under the write lock.
    connection.execute("pragma wal_autocheckpoint = 0")
    connection.execute("pragma synchronous = full")
    # A log that grew beside a long reader is cut back when it begins anew.
    connection.execute(f"pragma journal_size_limit = {_LOG_BYTES}")
    if path is None:
        return
    (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
    if mode != "wal":
        raise StorageError(
            f"{path} cannot be put into WAL mode (it stays in {mode}); use a local disk",
            "storage_error",
            {"path": str(path)},
        )


def translated(error: sqlite3.Error, path: Path | None) -> StorageError:
    """What a driver's error means to a host; the transaction was rolled back."""
    where = ":memory:" if path is None else str(path)
    details = {"path": where, "sqlite": getattr(error, "sqlite_errorname", type(error).__name__)}
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StorageUnavailable(
                f"{where} is locked by the transaction of another connection, in this process or "
                "in another one; nothing was written, try again when it has ended",
                "storage_unavailable",
                details,
            )
        case sqlite3.SQLITE_FULL:
            why = "the disk is full; nothing was written, free some space and go on"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            why = "it may not be written to; nothing was written, change its owner or mode"
        case sqlite3.SQLITE_CANTOPEN:
            why = "it cannot be opened; look at its path, owner and mode"
        case sqlite3.SQLITE_NOTADB:
            why = "it is no SQLite database; nothing was changed in it"
        case sqlite3.SQLITE_CORRUPT:
            why = "SQLite finds it damaged; copy it before anything else, then restore a backup"
        case _:
            why = f"SQLite says {str(error)!r}; nothing was written"
    return StorageError(f"{where}: {why}", "storage_error", details)


def in_doubt(error: sqlite3.Error, path: Path | None) -> OutcomeUnknown:
    """What it means that the disk failed during COMMIT: the log may hold all of it or nothing."""
    return OutcomeUnknown(
        f"{path}: writing to the disk failed during COMMIT ({error})",
        "outcome_unknown",
        {"path": str(path)},
    )


def taken_away(path: Path) -> StorageError:
    """What it means that a path no longer leads to what is open: others would never see it."""
    return StorageError(
        f"{path}: the file, or its -wal or -shm, was deleted or replaced while this process had "
        "it open; nothing was written: stop every process that uses it, see that all of its "
        "files are the right ones, and start again",
        "storage_error",
        {"path": str(path)},
    )


def primary_code(error: sqlite3.Error) -> int:
    """The kind of an error: the low byte of its code; 0 if the driver itself raised it."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
