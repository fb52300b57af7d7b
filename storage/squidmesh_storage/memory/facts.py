"""Small facts outside of runs."""

from collections.abc import Iterable

from squidmesh_core.protocol.notices import NoticeRow
from squidmesh_storage.api import Record
from squidmesh_storage.memory.tables import Tables
from squidmesh_storage.records import HOOK, NOTICE, hooks_of, notice_key


def of_kind(
    tables: Tables, kind: str, *, prefix: str, after: str, limit: int | None
) -> tuple[Record, ...]:
    """The records of a kind, by key; see `Journal.records`."""
    keys = sorted(key for of, key in tables.facts if of == kind)
    wanted = [key for key in keys if key.startswith(prefix) and key > after]
    return tuple(tables.facts[kind, key] for key in wanted[:limit])


def keep(tables: Tables, notices: Iterable[NoticeRow]) -> None:
    """Keep each of these for every hook of its event."""
    for notice in notices:
        event = hooks_of(notice.event)
        hooks = [key for kind, key in tables.facts if kind == HOOK and key.startswith(event)]
        for hook in hooks:
            key = notice_key(hook, notice.notice_id)
            if (NOTICE, key) not in tables.facts:
                put(tables, NOTICE, key, notice.body)


def put(tables: Tables, kind: str, key: str, body: str, expected: int | None = None) -> bool:
    """Store a record; whether the stored version was as expected (null: any, 0: none)."""
    stored = tables.facts.get((kind, key))
    version = stored.version if stored else 0
    if expected not in {None, version}:
        return False
    tables.facts[kind, key] = Record(kind=kind, key=key, body=body, version=version + 1)
    return True


def drop(tables: Tables, kind: str, key: str, expected: int | None) -> bool:
    """Forget a record of this version (null: of any); whether none is left."""
    stored = tables.facts.get((kind, key))
    if stored is not None and expected not in {None, stored.version}:
        return False
    tables.facts.pop((kind, key), None)
    return True
