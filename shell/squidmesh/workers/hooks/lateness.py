"""
Deadlines as hooks hear of them: nobody appends them, so notices are made as time passes.

    look      runs with a deadline that has passed a threshold ─▶ a notice for each
    remember  that a hook was told of a threshold: a marker, written before the notice
              goes, so that a notice that is made a second time is never told again
    sweep     markers go once their deadline does not run any more

Each threshold is told once, if it comes after the hook was subscribed.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen

from squidmesh.workers.hooks.asking import Trip, drop, list_late, put, read, read_run
from squidmesh.workers.hooks.handlers import Handler, Handlers
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.notices import (
    DEADLINE_EVENTS,
    Delivery,
    Notice,
    delivery_from_text,
    delivery_to_text,
    row_of,
)
from squidmesh_core.state.run import RunState
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.notices import deadline_notices
from squidmesh_storage.api import Listed
from squidmesh_storage.records import NOTICE, notice_key

#: The kind of record that says which threshold a hook was told of.
TOLD: Final = "told"
#: Between two looks at deadlines.
EVERY: Final = timedelta(seconds=15)
#: Between two sweeps, and how old a marker is at least that goes: whoever found the
#: deadline before it was over has made his notice by then.
SWEEP: Final = timedelta(hours=1)
PAGE: Final = 100
#: Event → how the worst deadline of a run stands that has come to it.
_AT_LEAST: Final[Mapping[str, tuple[DeadlineStatus, ...]]] = {
    "deadline_due_soon": ("due_soon", "overdue", "escalated"),
    "deadline_overdue": ("overdue", "escalated"),
    "deadline_escalated": ("escalated",),
}


@frozen(kw_only=True)
class _Seen:
    """What was found in a run the last time."""

    revision: Revision
    #: When its next threshold comes; null: none does.
    next_at: datetime | None
    #: Notices that were made or told, by key.
    keys: frozenset[str]

    def stands(self, listed: Listed, now: datetime) -> bool:
        """Whether there is nothing new to find."""
        waits = self.next_at is None or now < self.next_at
        return waits and self.revision == listed.head.revision


class Late:
    """The deadlines that the functions of one process are told of."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._look_at: datetime | None = None
        self._sweep_at: datetime | None = None
        #: Runs with something late, as they were the last time; lost with the process.
        self._seen: dict[RunId, _Seen] = {}

    def look(self, now: datetime, since: Mapping[str, datetime]) -> Trip[None]:
        """
        Make notices of what has passed, if it is time to look.

        Args:
            now: The storage clock's reading.
            since: From when on each hook is told, by key.
        """
        wanted = [one for one in self._handlers.all if one.event in DEADLINE_EVENTS]
        if not wanted or (self._look_at is not None and now < self._look_at):
            return
        found: dict[RunId, _Seen] = {}
        for status in sorted({status for one in wanted for status in _AT_LEAST[one.event]}):
            yield from self._list(status, now, since, found)
        self._seen = found
        self._look_at = now + EVERY
        if self._sweep_at is None or now >= self._sweep_at:
            for handler in wanted:
                yield from _sweep(handler, now)
            self._sweep_at = now + SWEEP

    def _list(
        self,
        status: DeadlineStatus,
        now: datetime,
        since: Mapping[str, datetime],
        found: dict[RunId, _Seen],
    ) -> Trip[None]:
        cursor: tuple[datetime, RunId] | None = None
        while True:
            page = yield from list_late(status, now, cursor, PAGE)
            for listed in page.items:
                run_id = listed.row.run_id
                before = self._seen.get(run_id)
                if before is not None and before.stands(listed, now):
                    found[run_id] = before
                elif (run := (yield from read_run(run_id))) is not None:
                    keys = before.keys if before is not None else frozenset()
                    found[run_id] = yield from self._make(run, now, since, keys)
            cursor = page.next
            if cursor is None:
                return

    def _make(
        self, run: RunState, now: datetime, since: Mapping[str, datetime], known: frozenset[str]
    ) -> Trip[_Seen]:
        """Make the notices of one run that were not made yet."""
        notices = deadline_notices(run, now)
        keys = dict(self._passed(notices, now, since))
        for key, notice in keys.items():
            if key not in known and not (yield from _is_marked(key)):
                yield from put(NOTICE, key, row_of(notice).body, expected=0)
        coming = (notice.at for notice in notices if notice.at > now)
        return _Seen(revision=run.revision, next_at=min(coming, default=None), keys=frozenset(keys))

    def _passed(
        self, notices: Iterable[Notice], now: datetime, since: Mapping[str, datetime]
    ) -> Iterator[tuple[str, Notice]]:
        for notice in notices:
            for handler in self._handlers.all:
                begins = since.get(handler.key)
                if handler.event == notice.event and begins and begins <= notice.at <= now:
                    yield notice_key(handler.key, notice.id), notice


def was_told(key: str, delivery: Delivery) -> Trip[bool]:
    """Whether a notice of a deadline was made once more after it had been told."""
    return delivery.notice.event in DEADLINE_EVENTS and (yield from _is_marked(key))


def remember(key: str, delivery: Delivery) -> Trip[None]:
    """Mark a threshold as told; of what is appended no notice is made twice."""
    if delivery.notice.event in DEADLINE_EVENTS:
        yield from put(TOLD, key, delivery_to_text(delivery), expected=0)


def _is_marked(key: str) -> Trip[bool]:
    found = yield from read(TOLD, prefix=key, limit=1)
    return bool(found) and found[0].key == key


def _sweep(handler: Handler, now: datetime) -> Trip[None]:
    """Forget the markers of deadlines that do not run any more."""
    after = ""
    while True:
        page = yield from read(TOLD, prefix=notice_key(handler.key, ""), after=after, limit=PAGE)
        for record in page:
            told = delivery_from_text(record.body)
            if told is None or (told.until is not None and now < told.until + SWEEP):
                continue
            run = yield from read_run(told.notice.run_id)
            if run is not None and told.notice.id not in {
                one.id for one in deadline_notices(run, now)
            }:
                yield from drop(TOLD, record.key, expected=record.version)
        if len(page) < PAGE:
            return
        after = page[-1].key
