"""What is counted instead of timed: statements, commits, appends, bytes."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, Literal

#: `statements`, and `commits` among them.
Traced = Counter[Literal["statements", "commits"]]


def trace(traced: Traced) -> None:
    """Count the statements of every connection that is opened from now on."""
    connect = sqlite3.connect

    def note(statement: str) -> None:
        # Each writing transaction begins with this, and we roll none back.
        begins = statement == "begin immediate"
        traced.update(("statements", "commits") if begins else ("statements",))

    def connect_traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(note)
        return connection

    setattr(sqlite3, "connect", connect_traced)  # noqa: B010 - mypy takes no other function for it


def written(file: Path) -> tuple[int, int, int]:
    """Appends, entries and bytes of bodies in a file."""
    query = "select count(*), sum(last - first + 1), sum(length(body)) from squidmesh_journal"
    connection = sqlite3.connect(file)
    try:
        appends, entries, size = connection.execute(query).fetchone()
    finally:
        connection.close()
    return appends, entries, size


def size_of(file: Path) -> int:
    """Bytes of the file once the log is written back into it."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("pragma wal_checkpoint(truncate)")
    finally:
        connection.close()
    return file.stat().st_size
