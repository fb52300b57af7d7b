"""
One operation of the real runtime, as far as the replies it got so far take it.

A process cannot be copied in the middle of what it does.  So an operation is
data: what was begun, what the process knew, and what the storage has replied.
Playing it runs the shell's own loops, door and claims from the beginning against
those replies, up to the next request, where it is left.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, assert_never

from attrs import Factory, frozen

from explore.shelf import Shelf, instant
from squidmesh.actions import ActionRegistry
from squidmesh.carry import Crew, settle_all
from squidmesh.claim import Claim
from squidmesh.door import Door
from squidmesh.handle import Handled
from squidmesh.loop import Begin, Perform, Settle, SlotRequest, Take, slot_loop, worker_loop
from squidmesh.perform import Deferred, Failed, Outcome, Succeeded
from squidmesh.ports import Ports
from squidmesh.taking import Taken, take
from squidmesh_core.errors import SquidmeshError, StorageUnavailable
from squidmesh_core.ids import BEGINNING, AppendId, Revision, RunId
from squidmesh_core.protocol.commands import Command, Heartbeat
from squidmesh_core.protocol.rows import IndexRows
from squidmesh_storage.api import (
    Batch,
    Candidate,
    Claimed,
    Committed,
    Conflict,
    DecideClaims,
    Loaded,
    Quarantine,
    Unknown,
)
from squidmesh_storage.api import Outcome as Written
from squidmesh_storage.memory import MemoryJournal
from support.scenario import BOOM, LEASE, RUN, milliseconds

#: How a step ends.
Ending = Literal["ok", "fail", "defer"]
#: What becomes of a request that writes, as the process sees it.
Heard = Literal["written", "conflict", "unknown", "away", "found", "absent"]

ENDINGS: Final[dict[Ending, Outcome]] = {
    "ok": Succeeded(output=1),
    "fail": Failed(error=BOOM, kinds=("Boom",)),
    "defer": Deferred(reason={"message": "later"}, delay_ms=0),
}
_LEASE_MS: Final = milliseconds(LEASE)


class Reply(NamedTuple):
    """What the storage said, and no more than the process can see of it."""

    #: The story that was read, or -1.
    story: int = -1
    #: What the clock said, in milliseconds.
    now: int = -1
    heard: Heard = "written"


class Act(NamedTuple):
    """What a process has begun."""

    kind: Literal["take", "settle", "beat", "order"]
    #: Makes every identity that is drawn in it unlike those of others.
    name: str
    #: Which claim, or which order.
    which: int = 0
    ending: Ending = "ok"


class Local(NamedTuple):
    """One process: what it knows and holds, and how far it has come."""

    #: Which client, counted from 0; -1: a worker.
    client: int
    #: Hash of the journal as far as it has read it.
    knows: str | None = None
    #: Claims that it holds, or believes to hold, by their number in the cast.
    holds: tuple[int, ...] = ()
    #: Orders that were given; of a client.
    given: int = 0
    act: Act | None = None
    replies: tuple[Reply, ...] = ()


# --- what an operation waits for


@frozen
class Look:
    """A request that changes nothing."""

    what: Literal["clock", "journal", "append id"]
    #: The append that is looked for.
    append_id: AppendId | None = None


@frozen
class Write:
    """A request that appends this, or nothing; the claim's is decided inside of it."""

    batch: Batch | None


@frozen(kw_only=True)
class Over:
    """The operation has ended."""

    knows: str | None
    claims: tuple[Claim, ...]
    #: Each command, and what was said of it.
    said: tuple[tuple[Command, Handled | Exception], ...] = ()


Played = Look | Write | Over


class _Asked(BaseException):
    """The replies are used up: the operation waits here."""

    def __init__(self, request: Look | Write) -> None:
        self.request = request


@frozen(kw_only=True)
class Cast:
    """What all processes of a world share, and nobody changes."""

    shelf: Shelf
    actions: ActionRegistry
    #: Claims that one worker may hold at once.
    slots: int
    #: Per client its orders, in the order it gives them.
    orders: Sequence[Sequence[Command]]
    claims: "Claims"
    #: Fault sites of the shell that were passed.
    sites: set[str] = Factory(set)


class Claims:
    """Every claim that somebody held, by number."""

    def __init__(self) -> None:
        self._claims: list[Claim] = []
        self._numbers: dict[tuple[object, ...], int] = {}

    def __getitem__(self, number: int) -> Claim:
        return self._claims[number]

    def number(self, claim: Claim) -> int:
        """The claim's number."""
        # Names are drawn anew in each history, so the claim's id alone does not tell them apart.
        key = (claim.attempt_key, claim.claim_id, claim.fencing_token, claim.lease_until)
        if key not in self._numbers:
            self._numbers[key] = len(self._claims)
            self._claims.append(claim)
        return self._numbers[key]


def play(cast: Cast, local: Local) -> tuple[Played, tuple[Batch, ...]]:
    """What a busy process waits for now, and what its last reply made it write at once."""
    act = local.act
    if act is None:
        raise ValueError("this process does nothing")
    journal = _Recorded(cast.shelf, local.replies)
    door = _candid_door(cast, journal, act.name)
    if local.knows is not None:
        door.memory.put(cast.shelf.known(local.knows))
    try:
        claims = _perform(cast, door, act, local)
    except _Asked as asked:
        return asked.request, journal.wrote
    known = door.memory.get(RUN)
    knows = None if known is None else known.hash
    over = Over(knows=knows, claims=claims, said=tuple(door.said))
    return over, journal.wrote


def _perform(cast: Cast, door: "_CandidDoor", act: Act, local: Local) -> tuple[Claim, ...]:
    """Run the operation; the claims that the process holds after it."""
    held = [cast.claims[number] for number in local.holds]
    match act.kind:
        case "take":
            return (*held, *_take(cast, door, cast.slots - len(held)))
        case "settle":
            claim = held.pop(act.which)
            return (*held, *_settle(cast, door, claim, ENDINGS[act.ending]))
        case "beat":
            claim = held[act.which]
            door.asks(Heartbeat(held=claim.held, lease_ms=claim.lease_ms))
        case "order":
            door.asks(cast.orders[local.client][act.which])
        case _:
            assert_never(act.kind)
    return tuple(held)


def _take(cast: Cast, door: Door, free: int) -> tuple[Claim, ...]:
    """One turn of the worker's own loop."""
    loop = worker_loop(lambda: free, lambda: False, lambda: 0.0)
    request = next(loop)
    if not isinstance(request, Take):
        raise TypeError(request)
    crew = _crew(cast, door)
    taken: Taken | None = None
    with suppress(StorageUnavailable):
        taken = take(door, ("default",), cast.actions.performable(), request.limit, crew.offer)
    request = loop.send(taken)
    return request.claims if isinstance(request, Begin) else ()


def _settle(cast: Cast, door: Door, claim: Claim, outcome: Outcome) -> tuple[Claim, ...]:
    """One turn of the slot's own loop, from a performed step to the next one."""
    loop = slot_loop(claim, lambda: False, lambda: 0.0)
    request: SlotRequest = next(loop)
    request = loop.send(outcome)
    if not isinstance(request, Settle):
        raise TypeError(request)
    try:
        request = loop.send(settle_all(_crew(cast, door), [request])[0])
    except StopIteration:
        return ()
    return (request.claim,) if isinstance(request, Perform) else ()


def _crew(cast: Cast, door: Door) -> Crew:
    return Crew(
        door=door,
        actions=cast.actions,
        # All workers go by one name: an owner is a label and proves nothing.
        owner="worker",
        lease_ms=_LEASE_MS,
        queues=frozenset({"default"}),
        run_async=lambda coroutine, signals: None,
        heartbeats=None,
    )


# --- the surroundings


class _CandidDoor(Door):
    """A door that remembers what it said."""

    said: list[tuple[Command, Handled | Exception]]

    def asks(self, command: Command) -> None:
        """Hand one command in."""
        try:
            self.said.append((command, self.handle(RUN, command)))
        except SquidmeshError as error:
            self.said.append((command, error))

    def handle_all(
        self, commands: Sequence[tuple[RunId, Command]], *, now: datetime | None = None
    ) -> list[Handled | Exception]:
        """Carry out commands, and remember the answers."""
        answers = super().handle_all(commands, now=now)
        for (_, command), answer in zip(commands, answers, strict=True):
            self.said.append((command, answer))
        return answers


def _candid_door(cast: Cast, journal: MemoryJournal, name: str) -> _CandidDoor:
    ports = Ports(
        random_bytes=_named_bytes(name),
        draw=lambda: 0.0,
        monotonic=lambda: 0.0,
        pause=lambda seconds: None,
        site=cast.sites.add,
    )
    door = _CandidDoor(journal, ports)
    door.said = []
    door.memory.keep_spec(cast.shelf.spec)
    return door


def _named_bytes(name: str) -> Callable[[int], bytes]:
    """Randomness that is the same each time an operation is played, and another for each name."""
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return blake2b(f"{name}/{drawn}".encode(), digest_size=size).digest()

    return draw


class _Recorded(MemoryJournal):
    """A journal that answers from a list, and stops the operation when it is used up."""

    def __init__(self, shelf: Shelf, replies: Sequence[Reply]) -> None:
        super().__init__()
        self._shelf = shelf
        self._replies = list(reversed(replies))
        #: What the last of the replies wrote inside of its request.
        self.wrote: tuple[Batch, ...] = ()

    def _reply(self, request: Look | Write) -> Reply:
        if not self._replies:
            raise _Asked(request)
        self.wrote = ()
        return self._replies.pop()

    def now(self) -> datetime:
        """The clock."""
        return instant(self._reply(_CLOCK).now)

    def load(self, run_id: RunId, after: Revision = BEGINNING, *, whole: bool = False) -> Loaded:
        """The appends after a revision."""
        story = self._shelf[self._reply(_JOURNAL).story]
        records = tuple(record for record in story.records if record.first > after)
        return Loaded(records=records, head=story.head)

    def find(self, run_id: RunId, append_id: AppendId) -> Revision | None:
        """Where an append stands."""
        found = self._reply(Look("append id", append_id)).heard == "found"
        return Revision(1) if found else None

    def append(self, batches: Sequence[Batch]) -> tuple[Written, ...]:
        """What became of one append."""
        (batch,) = batches
        reply = self._reply(Write(batch))
        return (self._outcome(batch, reply),)

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """What became of one claim transaction."""
        reply = self._reply(CLAIM)
        story, now = self._shelf[reply.story], instant(reply.now)
        due = [row for row in story.due(reply.now) if row.action is None or row.action in actions]
        candidates = [Candidate(row=row, head=story.head) for row in due[:limit]]
        batches = decide(candidates, now) if candidates else ()
        outcomes = tuple(self._outcome(batch, reply) for batch in batches)
        if not self._replies:
            self.wrote = tuple(batches)
        return Claimed(outcomes=outcomes, now=now, next_due=None)

    def index(self, run_id: RunId, revision: Revision, rows: IndexRows) -> bool:
        """Rows are exact here, so nobody should want to mend them."""
        raise AssertionError("somebody mends the index")

    def quarantine(self, run_id: RunId, mark: Quarantine | None) -> None:
        """No journal is damaged here, so only a bug in the core can lead here."""
        raise AssertionError(f"somebody sets the run aside: {mark}")

    def _outcome(self, batch: Batch, reply: Reply) -> Written:
        record = batch.record
        if reply.heard == "away":
            raise StorageUnavailable("away; nothing was written", "storage_unavailable", {})
        if reply.heard == "unknown":
            return Unknown(run_id=record.run_id, append_id=record.append_id)
        if reply.heard == "conflict":
            beyond = Revision(batch.expected + 1)
            return Conflict(run_id=record.run_id, expected=batch.expected, actual=beyond)
        return Committed(run_id=record.run_id, revision=record.last)


_CLOCK: Final = Look("clock")
_JOURNAL: Final = Look("journal")
#: The request of a claim transaction.
CLAIM: Final = Write(None)
