"""
What a notifier asks of its surroundings, as values.

The policy (`telling`, `lateness`) is a generator that yields these and gets their
replies, so that a thread, an event loop or a test can drive it.
"""

from collections.abc import Generator
from datetime import datetime
from typing import TypeVar, assert_never

from attrs import frozen

from squidmesh.door.door import Door
from squidmesh.workers.hooks.handlers import Handler
from squidmesh_core.errors import RunNotFound, SquidmeshError, StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.notices import Notice
from squidmesh_core.state.run import RunState
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_storage.api import ListPage, Record, RunFilter


@frozen(kw_only=True)
class ReadClock:
    """The storage's clock."""


@frozen(kw_only=True)
class Read:
    """Records of a kind."""

    kind: str
    prefix: str
    after: str
    limit: int | None


@frozen(kw_only=True)
class Put:
    """Store a record, if this version is there; the reply is whether it was."""

    kind: str
    key: str
    body: str
    expected: int


@frozen(kw_only=True)
class Drop:
    """Forget a record, if this version is there; the reply is whether none is left."""

    kind: str
    key: str
    expected: int


@frozen(kw_only=True)
class ListLate:
    """Runs with a deadline that stands so."""

    status: DeadlineStatus
    at: datetime
    cursor: tuple[datetime, RunId] | None
    limit: int


@frozen(kw_only=True)
class ReadRun:
    """A run as the journal has it now; the reply is null if it cannot be read."""

    run_id: RunId


Asked = ReadClock | Read | Put | Drop | ListLate | ReadRun


@frozen(kw_only=True)
class Call:
    """Call a function of the host's; the reply is what went wrong, or null."""

    handler: Handler
    notice: Notice


@frozen(kw_only=True)
class Rest:
    """Wait until something is committed, at most so many seconds."""

    seconds: float


Request = Asked | Call | Rest
Reply = datetime | tuple[Record, ...] | bool | ListPage | RunState | str | None
T = TypeVar("T")
Trip = Generator[Request, Reply, T]


def read_clock() -> Trip[datetime]:
    """The instant to judge at."""
    reply = yield ReadClock()
    if isinstance(reply, datetime):
        return reply
    raise _unexpected(reply)


def read(
    kind: str, *, prefix: str = "", after: str = "", limit: int | None = None
) -> Trip[tuple[Record, ...]]:
    """Records of a kind, by key."""
    reply = yield Read(kind=kind, prefix=prefix, after=after, limit=limit)
    if isinstance(reply, tuple):
        return reply
    raise _unexpected(reply)


def put(kind: str, key: str, body: str, *, expected: int) -> Trip[bool]:
    """Store a record in the place of a version."""
    reply = yield Put(kind=kind, key=key, body=body, expected=expected)
    if isinstance(reply, bool):
        return reply
    raise _unexpected(reply)


def drop(kind: str, key: str, *, expected: int) -> Trip[bool]:
    """Forget a version of a record."""
    reply = yield Drop(kind=kind, key=key, expected=expected)
    if isinstance(reply, bool):
        return reply
    raise _unexpected(reply)


def call(handler: Handler, notice: Notice) -> Trip[str | None]:
    """Call a function; what went wrong, or null."""
    reply = yield Call(handler=handler, notice=notice)
    if reply is None or isinstance(reply, str):
        return reply
    raise _unexpected(reply)


def list_late(
    status: DeadlineStatus, at: datetime, cursor: tuple[datetime, RunId] | None, limit: int
) -> Trip[ListPage]:
    """Runs with a deadline that stands so, the first due first."""
    reply = yield ListLate(status=status, at=at, cursor=cursor, limit=limit)
    if isinstance(reply, ListPage):
        return reply
    raise _unexpected(reply)


def read_run(run_id: RunId) -> Trip[RunState | None]:
    """A run as it stands; null: it cannot be read now."""
    reply = yield ReadRun(run_id=run_id)
    if reply is None or isinstance(reply, RunState):
        return reply
    raise _unexpected(reply)


def answer(request: Asked, door: Door) -> Reply:
    """
    Do what is asked of the storage.

    Raises:
        StorageError: The storage failed.
    """
    journal = door.journal
    match request:
        case ReadClock():
            return journal.now()
        case Read(kind=kind, prefix=prefix, after=after, limit=limit):
            return journal.records(kind, prefix=prefix, after=after, limit=limit)
        case Put(kind=kind, key=key, body=body, expected=expected):
            return journal.put_record(kind, key, body, expected=expected)
        case Drop(kind=kind, key=key, expected=expected):
            return journal.drop_record(kind, key, expected=expected)
        case ListLate(status=status, at=at, cursor=cursor, limit=limit):
            where = RunFilter(deadline=status, deadline_at=at)
            return journal.deadlines(where, cursor, limit)
        case ReadRun(run_id=run_id):
            return _state(door, run_id)
    assert_never(request)


def _state(door: Door, run_id: RunId) -> RunState | None:
    try:
        return door.fresh(run_id).state
    except StorageUnavailable:
        raise
    except RunNotFound:
        return RunState(run_id=run_id)
    except SquidmeshError:
        return None  # set aside by now; people are told of that elsewhere


def _unexpected(reply: Reply) -> TypeError:
    return TypeError(f"whoever drives this notifier gave {type(reply).__name__} as a reply")
