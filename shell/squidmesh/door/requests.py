"""
What the door asks of the storage, as values.

The door itself does no I/O: it is a generator that yields these requests and
gets their replies, so that threads, an event loop or a test can drive it.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from typing import Generic, TypeVar, assert_never

from attrs import frozen

from squidmesh.ports import Ports
from squidmesh_core.errors import SquidmeshError
from squidmesh_core.ids import AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import RunRow
from squidmesh_storage.api import (
    Batch,
    Checkpoint,
    Committed,
    Conflict,
    Journal,
    Loaded,
    Outcome,
    Quarantine,
    Unknown,
)


@frozen(kw_only=True)
class Load:
    """The appends of a run after a revision."""

    run_id: RunId
    after: Revision
    #: Leave a checkpoint aside.
    whole: bool = False


@frozen(kw_only=True)
class Write:
    """One append; the reply is its outcome."""

    batch: Batch


@frozen(kw_only=True)
class Find:
    """Where the append of this id stands, if it does."""

    run_id: RunId
    append_id: AppendId


@frozen(kw_only=True)
class ReadClock:
    """The storage's clock."""


@frozen(kw_only=True)
class ReadDefinition:
    """The canonical text of a definition."""

    fingerprint: Fingerprint


@frozen(kw_only=True)
class PutCheckpoint:
    """Store a state, so that the next cold start is quick."""

    run_id: RunId
    checkpoint: Checkpoint


@frozen(kw_only=True)
class PutQuarantine:
    """Mark a run whose journal cannot be read."""

    run_id: RunId
    mark: Quarantine


@frozen(kw_only=True)
class ListFinished:
    """Runs that ended before an instant, beyond the last one that was seen."""

    before: datetime
    limit: int
    after: tuple[datetime, RunId] | None


@frozen(kw_only=True)
class Remove:
    """Take a journal away, and put a tombstone in its place if there is one."""

    run_id: RunId
    revision: Revision
    tombstone: AppendRecord | None


Request = (
    Load
    | Write
    | Find
    | ReadClock
    | ReadDefinition
    | PutCheckpoint
    | PutQuarantine
    | ListFinished
    | Remove
)
Reply = Loaded | Outcome | Revision | datetime | str | tuple[RunRow, ...] | bool | None
Result = TypeVar("Result")
Given = TypeVar("Given")
Trip = Generator[Request, Reply, Result]
#: Hears of a batch that is about to be appended; nobody knows yet what becomes of it.
Appending = Callable[[Batch], object]


def nobody_hears(batch: Batch) -> None:
    """Whoever asks for no more than what comes of it."""


def write(batch: Batch) -> Trip[Outcome]:
    """Append one batch."""
    reply = yield Write(batch=batch)
    if isinstance(reply, Committed | Conflict | Unknown):
        return reply
    raise _unexpected(reply)


def load(run_id: RunId, after: Revision, *, whole: bool = False) -> Trip[Loaded]:
    """Read the appends after a revision."""
    reply = yield Load(run_id=run_id, after=after, whole=whole)
    if isinstance(reply, Loaded):
        return reply
    raise _unexpected(reply)


def find(run_id: RunId, append_id: AppendId) -> Trip[bool]:
    """Whether the append of this id is durable."""
    reply = yield Find(run_id=run_id, append_id=append_id)
    return reply is not None


def read_clock() -> Trip[datetime]:
    """The instant to decide at."""
    reply = yield ReadClock()
    if isinstance(reply, datetime):
        return reply
    raise _unexpected(reply)


def read_definition(fingerprint: Fingerprint) -> Trip[str | None]:
    """The text of a definition, if it is stored."""
    reply = yield ReadDefinition(fingerprint=fingerprint)
    if reply is None or isinstance(reply, str):
        return reply
    raise _unexpected(reply)


def put_checkpoint(run_id: RunId, checkpoint: Checkpoint) -> Trip[None]:
    """Store a state."""
    yield PutCheckpoint(run_id=run_id, checkpoint=checkpoint)


def put_quarantine(run_id: RunId, mark: Quarantine) -> Trip[None]:
    """Mark a run as unreadable."""
    yield PutQuarantine(run_id=run_id, mark=mark)


def list_finished(
    before: datetime, limit: int, after: tuple[datetime, RunId] | None
) -> Trip[tuple[RunRow, ...]]:
    """List runs that ended before an instant, the oldest end first."""
    reply = yield ListFinished(before=before, limit=limit, after=after)
    if isinstance(reply, tuple):
        return reply
    raise _unexpected(reply)


def remove(run_id: RunId, revision: Revision, tombstone: AppendRecord | None) -> Trip[bool]:
    """Remove a run whose head is at a revision; whether it was."""
    reply = yield Remove(run_id=run_id, revision=revision, tombstone=tombstone)
    if isinstance(reply, bool):
        return reply
    raise _unexpected(reply)


def drive(trip: Trip[Result], journal: Journal, ports: Ports) -> Result:
    """Run a trip to its end on this thread."""
    try:
        request = next(trip)
        while True:
            try:
                reply = answer(request, journal, ports)
            except SquidmeshError as error:
                request = trip.throw(error)
            else:
                request = trip.send(reply)
    except StopIteration as stop:
        result: Result = stop.value
        return result


def drive_all(
    trips: Sequence[Trip[Result]],
    journal: Journal,
    ports: Ports,
    appending: Appending = nobody_hears,
) -> list[Result | Exception]:
    """
    Run trips of different runs to their ends together: what they read or append travels as one.

    A trip that fails gives its error instead of its result, whatever it is; the
    others go on.
    """
    together = [_Together(trip, journal, ports) for trip in trips]
    while True:
        if reading := {one.load: one for one in together if one.load is not None}:
            _load_for_all(reading, journal, ports)
        elif waiting := [one for one in together if one.batch is not None]:
            _append_for_all(waiting, journal, ports, appending)
        else:
            return [one.result for one in together]


def _load_for_all(
    reading: Mapping[Load, "_Together[Result]"], journal: Journal, ports: Ports
) -> None:
    wanted = {load.run_id: load.after for load in reading}
    try:
        loaded = journal.load_many(wanted) if len(wanted) > 1 else {}
    except SquidmeshError as error:
        for one in reading.values():
            one.fail(error)
        return
    for load, one in reading.items():
        try:  # one that was left out is asked for alone, so that it says why
            reply = loaded.get(load.run_id) or answer(load, journal, ports)
        except SquidmeshError as error:
            one.fail(error)
        else:
            one.go_on(reply)


def _append_for_all(
    waiting: Sequence["_Together[Result]"], journal: Journal, ports: Ports, appending: Appending
) -> None:
    batches = [one.batch for one in waiting if one.batch is not None]
    for batch in batches:
        appending(batch)
    ports.site("append.before")
    try:
        outcomes = journal.append(batches)
    except SquidmeshError as error:
        for one in waiting:
            one.fail(error)
    else:
        ports.site("append.after")
        for one, outcome in zip(waiting, outcomes, strict=True):
            one.go_on(outcome)


class _Together(Generic[Result]):
    """One trip of several: everything but its reads and its appends is answered at once."""

    def __init__(self, trip: Trip[Result], journal: Journal, ports: Ports) -> None:
        self._trip, self._journal, self._ports = trip, journal, ports
        #: What it waits to have appended, or to have read; both null once it has ended.
        self.batch: Batch | None = None
        self.load: Load | None = None
        self.result: Result | Exception
        self._advance(trip.send, None)  # which is how a generator begins

    def go_on(self, reply: Reply) -> None:
        """Continue with what was read, or what became of the append."""
        self._advance(self._trip.send, reply)

    def fail(self, error: SquidmeshError) -> None:
        """Continue with the error that it came to."""
        self._advance(self._trip.throw, error)

    def _advance(self, go_on: Callable[[Given], Request], given: Given) -> None:
        self.batch = self.load = None
        try:
            request = go_on(given)
            while not self._waits_for(request):
                try:
                    reply = answer(request, self._journal, self._ports)
                except SquidmeshError as error:
                    request = self._trip.throw(error)
                else:
                    request = self._trip.send(reply)
        except StopIteration as stop:
            self.result = stop.value
        except Exception as error:  # a bug that one run trips over is no matter of the others
            self.result = error

    def _waits_for(self, request: Request) -> bool:
        match request:
            case Write(batch=batch):
                self.batch = batch
            case Load(whole=False):
                self.load = request
            case _:
                return False
        return True


def _unexpected(reply: Reply) -> TypeError:
    return TypeError(f"whoever drives this trip gave {type(reply).__name__} as a reply")


def answer(request: Request, journal: Journal, ports: Ports) -> Reply:
    """
    Do what a trip asks for.

    Raises:
        SquidmeshError: What the journal raises; the trip is to hear of it.
    """
    match request:
        case Write(batch=batch):
            ports.site("append.before")
            (outcome,) = journal.append((batch,))
            ports.site("append.after")
            return outcome
        case ReadClock():
            return journal.now()
        case Load(run_id=run_id, after=after, whole=whole):
            return journal.load(run_id, after, whole=whole)
        case Find(run_id=run_id, append_id=append_id):
            return journal.find(run_id, append_id)
        case ReadDefinition(fingerprint=fingerprint):
            return journal.definition(fingerprint)
        case PutCheckpoint(run_id=run_id, checkpoint=checkpoint):
            ports.site("checkpoint.before")
            journal.put_checkpoint(run_id, checkpoint)
            ports.site("checkpoint.after")
            return None
        case PutQuarantine(run_id=run_id, mark=mark):
            journal.quarantine(run_id, mark)
            return None
        case ListFinished(before=before, limit=limit, after=after):
            return journal.finished(before, limit, after=after)
        case Remove(run_id=run_id, revision=revision, tombstone=tombstone):
            ports.site("remove.before")
            removed = journal.remove(run_id, revision, tombstone)
            ports.site("remove.after")
            return removed
    assert_never(request)
