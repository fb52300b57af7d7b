"""Bugs to plant in hooks: each is a mistake that somebody could make there."""

from datetime import datetime, timedelta
from typing import Final

import pytest
from attrs import evolve

from squidmesh.door import door as door_module
from squidmesh.door import handle as handle_module
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.workers.hooks import asking, lateness, telling
from squidmesh.workers.hooks.asking import Trip
from squidmesh.workers.hooks.handlers import Handler
from squidmesh_core.protocol.entries import ManualStepPaused, RunTerminal
from squidmesh_core.protocol.notices import Delivery, Notice, RunEvent, begun, delivery_from_text
from squidmesh_core.state.run import RunState
from squidmesh_core.views import notices as views
from squidmesh_storage.api import Record
from squidmesh_storage.records import HOOK, NOTICE, hooks_of, notice_key
from support.planted import Plant


def noted_before_the_call(patch: pytest.MonkeyPatch) -> None:
    """The notice goes first: whoever dies in the call has told nobody."""

    def tell(handler: Handler, record: Record) -> Trip[float]:
        delivery = delivery_from_text(record.body)
        assert delivery is not None
        yield from asking.drop(NOTICE, record.key, expected=record.version)
        yield from asking.call(handler, delivery.notice)
        return telling.LOOK

    patch.setattr(telling, "_tell", tell)


def never_noted(patch: pytest.MonkeyPatch) -> None:
    """Whoever was told is told again."""

    def drop(kind: str, key: str, *, expected: int) -> Trip[bool]:
        yield from asking.read_clock()
        return True

    patch.setattr(telling, "drop", drop)


def failure_noted(patch: pytest.MonkeyPatch) -> None:
    """A function that raised is taken for one that returned."""

    def call(handler: Handler, notice: Notice) -> Trip[None]:
        yield from asking.call(handler, notice)

    patch.setattr(telling, "call", call)


def taken_by_two(patch: pytest.MonkeyPatch) -> None:
    """A notice is free for others while its function is called."""
    patch.setattr(telling, "begun", lambda delivery, until: begun(delivery, until - telling.HELD))


def holder_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """Whoever finds a notice takes it."""

    def read(text: str) -> Delivery | None:
        delivery = delivery_from_text(text)
        return None if delivery is None else evolve(delivery, until=None)

    patch.setattr(telling, "delivery_from_text", read)


def lost_race_not_noticed(patch: pytest.MonkeyPatch) -> None:
    """Whoever was second calls as well."""

    def put(kind: str, key: str, body: str, *, expected: int) -> Trip[bool]:
        yield from asking.put(kind, key, body, expected=expected)
        return True

    patch.setattr(telling, "put", put)


def called_at_once_after_a_failure(patch: pytest.MonkeyPatch) -> None:
    """No pause between two calls."""
    patch.setattr(telling, "pause_after", lambda attempts: timedelta(0))


def given_up_after_the_second_failure(patch: pytest.MonkeyPatch) -> None:
    """A notice that failed twice goes."""
    honest = telling._put_off

    def put_off(held: Record, taken: Delivery, problem: str) -> Trip[float]:
        if taken.attempts >= 2:
            yield from asking.drop(NOTICE, held.key, expected=held.version)
        return (yield from honest(held, taken, problem))

    patch.setattr(telling, "_put_off", put_off)


def notice_outside_the_commit(patch: pytest.MonkeyPatch) -> None:
    """It is kept once the append is durable: whoever dies in between tells nobody."""
    patch.setattr(handle_module, "notices", lambda entries, after: ())
    honest = door_module.Door.announce

    def announce(self: Door, handled: Handled) -> None:
        for row in views.notices(handled.entries, handled.state):
            for hook in self.journal.records(HOOK, prefix=hooks_of(row.event)):
                key = notice_key(hook.key, row.notice_id)
                self.journal.put_record(NOTICE, key, row.body, expected=0)
        honest(self, handled)

    patch.setattr(door_module.Door, "announce", announce)


def id_without_the_revision(patch: pytest.MonkeyPatch) -> None:
    """The second gate of a run is told of under the name of the first."""
    honest = views._notice

    def notice(
        run: RunState, entry: RunTerminal | ManualStepPaused, event: RunEvent, node: str | None
    ) -> Notice:
        made = honest(run, entry, event, node)  # type: ignore[arg-type]  # as it is called
        return evolve(made, id=f"{run.run_id}:{event}")

    patch.setattr(views, "_notice", notice)


def cancelled_taken_for_failed(patch: pytest.MonkeyPatch) -> None:
    """Cancelled runs are told of as failed ones."""
    patch.setitem(views._ENDS, "cancelled", "run_failed")


def marker_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Another process finds the deadline, and tells of it again."""

    def remember(key: str, delivery: Delivery) -> Trip[None]:
        yield from asking.read_clock()

    patch.setattr(telling, "remember", remember)


def marker_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """A notice that is made a second time is told a second time."""

    def is_marked(key: str) -> Trip[bool]:
        yield from asking.read_clock()
        return False

    patch.setattr(lateness, "_is_marked", is_marked)


def later_thresholds_missed(patch: pytest.MonkeyPatch) -> None:
    """A run that was looked at is looked at again only when something is appended."""
    patch.setattr(
        lateness._Seen, "stands", lambda self, listed, now: self.revision == listed.head.revision
    )


def thresholds_told_before_they_come(patch: pytest.MonkeyPatch) -> None:
    """Whatever a deadline will come to is told of at once."""
    honest = lateness.Late._passed

    def passed(
        self: lateness.Late, found: tuple[Notice, ...], now: datetime, since: dict[str, datetime]
    ) -> object:
        return honest(self, found, now + timedelta(days=1), since)

    patch.setattr(lateness.Late, "_passed", passed)


ALL: Final[tuple[Plant, ...]] = (
    noted_before_the_call,
    never_noted,
    failure_noted,
    taken_by_two,
    holder_not_looked_at,
    lost_race_not_noticed,
    called_at_once_after_a_failure,
    given_up_after_the_second_failure,
    notice_outside_the_commit,
    id_without_the_revision,
    cancelled_taken_for_failed,
    marker_forgotten,
    marker_not_looked_at,
    later_thresholds_missed,
    thresholds_told_before_they_come,
)
