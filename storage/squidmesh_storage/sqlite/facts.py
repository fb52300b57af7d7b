"""Small facts outside of runs, inside a transaction or snapshot that somebody else began."""

import sqlite3
from collections.abc import Iterable
from typing import Final

from squidmesh_core.protocol.notices import NoticeRow
from squidmesh_storage.api import Record
from squidmesh_storage.records import HOOK, NOTICE, behind, hooks_of
from squidmesh_storage.sqlite.statements import SQL

#: What SQLite takes for no limit.
_ALL: Final = -1
#: A blob sorts behind every text.
_BEHIND_ALL: Final = b""


def of_kind(
    connection: sqlite3.Connection,
    kind: str,
    *,
    prefix: str,
    after: str,
    limit: int | None,
) -> tuple[Record, ...]:
    """The records of a kind, by key; see `Journal.records`."""
    asked = {
        "kind": kind,
        "from": max(prefix, after),
        "behind": behind(prefix) or _BEHIND_ALL,
        "after": after,
        "limit": _ALL if limit is None else limit,
    }
    return tuple(
        Record(kind=kind, key=key, body=body, version=version)
        for key, body, version in connection.execute(SQL["records"], asked)
    )


def keep(connection: sqlite3.Connection, notices: Iterable[NoticeRow]) -> None:
    """Keep each of these for every hook of its event."""
    for notice in notices:
        event = hooks_of(notice.event)
        values = {
            "notice": NOTICE,
            "id": notice.notice_id,
            "body": notice.body,
            "hook": HOOK,
            "event": event,
            "behind": behind(event),
        }
        connection.execute(SQL["put_notice"], values)


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
