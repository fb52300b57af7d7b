"""
Subscriptions: the records that say which hooks there are.

Each is written when a worker with a function for it begins, and hourly from then on.
One that no worker has had a function for in a week is forgotten, with its notices.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from squidmesh.workers.hooks.asking import Trip, drop, put, read
from squidmesh.workers.hooks.handlers import Handlers
from squidmesh.workers.hooks.lateness import TOLD
from squidmesh_core.protocol.notices import (
    Subscription,
    delivery_from_text,
    subscription_from_text,
    subscription_to_text,
)
from squidmesh_core.views.hooks import Hook, hook_view
from squidmesh_storage.api import Journal, Record
from squidmesh_storage.records import HOOK, NOTICE, behind, hook_of, notice_key

#: Between two signs of life.
REFRESH: Final = timedelta(hours=1)
#: Without a sign for so long a hook is forgotten.
FORGOTTEN_AFTER: Final = timedelta(days=7)
#: Notices of one hook that are looked at for people.
SHOWN: Final = 1_000
_PAGE: Final = 100


class Mine:
    """The subscriptions of the functions of one process."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._keep_at: datetime | None = None
        #: Since when each hook of this process is told, by key.
        self.since: dict[str, datetime] = {}

    def keep(self, now: datetime) -> Trip[None]:
        """Say which hooks there are, if it is time or one is new; forget those of nobody."""
        mine = {one.key for one in self._handlers.all}
        if self._keep_at is not None and now < self._keep_at and mine <= self.since.keys():
            return
        stored = {record.key: record for record in (yield from read(HOOK))}
        for key in sorted(mine):
            self.since[key] = yield from _say(key, stored.get(key), now)
        for key in stored.keys() - mine:
            yield from _drop_old(stored[key], now)
        for kind in (NOTICE, TOLD):
            for key in (yield from _hooks_in(kind)):
                if key not in stored and key not in mine:
                    yield from _drop_left(kind, key)
        self._keep_at = now + REFRESH


def hooks(journal: Journal) -> tuple[Hook, ...]:
    """
    Every hook that is subscribed, by event and name.

    Raises:
        StorageError: The storage failed.
    """
    return tuple(_views(journal))


def forget(journal: Journal, name: str) -> tuple[Hook, ...]:
    """
    Forget the hooks of a name, with all that waits for them; what they were.

    Raises:
        StorageError: The storage failed; some may be forgotten.
    """
    gone = tuple(one for one in _views(journal) if one.name == name)
    for hook in gone:
        key = f"{hook.event} {hook.name}"
        journal.drop_record(HOOK, key)
        for kind in (NOTICE, TOLD):
            while waiting := journal.records(kind, prefix=notice_key(key, ""), limit=_PAGE):
                for record in waiting:
                    journal.drop_record(kind, record.key)
    return gone


def _views(journal: Journal) -> Iterator[Hook]:
    for record in journal.records(HOOK):
        subscription = subscription_from_text(record.body)
        if subscription is None:
            continue
        prefix = notice_key(record.key, "")
        waiting = journal.records(NOTICE, prefix=prefix, limit=SHOWN + 1)
        read = [delivery_from_text(one.body) for one in waiting[:SHOWN]]
        deliveries = [one for one in read if one is not None]
        yield hook_view(record.key, subscription, deliveries, more=len(waiting) > SHOWN)


def _say(key: str, record: Record | None, now: datetime) -> Trip[datetime]:
    """Say that a hook is there; since when it is told."""
    known = None if record is None else subscription_from_text(record.body)
    since = now if known is None else known.since
    text = subscription_to_text(Subscription(since=since, seen_at=now))
    # If it was not stored, somebody else has said the same just now.
    yield from put(HOOK, key, text, expected=0 if record is None else record.version)
    return since


def _hooks_in(kind: str) -> Trip[list[str]]:
    """Whom there are records of a kind for, by one look for each."""
    found: list[str] = []
    after = ""
    while page := (yield from read(kind, after=after, limit=1)):
        key = hook_of(page[0].key)
        found.append(key)
        after = behind(notice_key(key, "")) or ""
    return found


def _drop_old(record: Record, now: datetime) -> Trip[None]:
    known = subscription_from_text(record.body)
    if known is not None and now - known.seen_at >= FORGOTTEN_AFTER:
        yield from drop(HOOK, record.key, expected=record.version)


def _drop_left(kind: str, key: str) -> Trip[None]:
    """Forget what was kept for a hook that somebody forgot."""
    while page := (yield from read(kind, prefix=notice_key(key, ""), limit=_PAGE)):
        # Looked for after they were read: should it come back now, they are not of that.
        if any(hook.key == key for hook in (yield from read(HOOK, prefix=key))):
            return
        for record in page:
            yield from drop(kind, record.key, expected=record.version)
