"""Small facts outside of runs, inside a transaction or snapshot that somebody else began."""

import sqlite3

from squidmesh_storage.api import Record
from squidmesh_storage.sqlite.statements import SQL


def of_kind(connection: sqlite3.Connection, kind: str) -> tuple[Record, ...]:
    """The records of a kind, by key."""
    return tuple(
        Record(kind=kind, key=key, body=body, version=version)
        for key, body, version in connection.execute(SQL["records"], (kind,))
    )


def put(
    connection: sqlite3.Connection, kind: str, key: str, body: str, expected: int | None = None
) -> bool:
    """Store a record; whether the stored version was as expected (null: any, 0: none)."""
    asked = {"kind": kind, "key": key, "body": body, "expected": expected}
    return bool(connection.execute(SQL["put_record"], asked).rowcount)


def drop(connection: sqlite3.Connection, kind: str, key: str, expected: int | None) -> bool:
    """Forget a record of this version (null: of any); whether none is left."""
    asked = {"kind": kind, "key": key, "expected": expected}
    dropped = connection.execute(SQL["drop_record"], asked).rowcount
    return bool(dropped) or connection.execute(SQL["record"], (kind, key)).fetchone() is None
