"""
One operation of the real runtime, as far as the replies it got so far take it.

A process cannot be copied in the middle of what it does.  So an operation is
data: what was begun, what the process knew, and what the storage has replied.
Playing it runs the shell's own loops, door and claims from the beginning against
those replies, up to the next request, where it is left.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, assert_never

from attrs import Factory, frozen

from explore.recorded import Asked, Look, Recorded, Reply, Write
from explore.shelf import Shelf
from squidmesh.actions import ActionRegistry
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.requests import Appending, nobody_hears
from squidmesh.ports import Ports
from squidmesh.workers.claim import Claim
from squidmesh.workers.crew import Crew
from squidmesh.workers.loop import Begin, Perform, Settle, SlotRequest, Take, slot_loop, worker_loop
from squidmesh.workers.perform import Deferred, Failed, Outcome, Succeeded
from squidmesh.workers.settling import settle_all
from squidmesh.workers.taking import Taken, take
from squidmesh_core.errors import SquidmeshError, StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Command, Heartbeat
from squidmesh_storage.api import (
    Batch,
)
from squidmesh_storage.memory import MemoryJournal
from support.scenario import BOOM, LEASE, RUN, milliseconds

#: How a step ends.
Ending = Literal["ok", "fail", "defer"]

ENDINGS: Final[dict[Ending, Outcome]] = {
    "ok": Succeeded(output=1),
    "fail": Failed(error=BOOM, kinds=("Boom",)),
    "defer": Deferred(reason={"message": "later"}, delay_ms=0),
}
_LEASE_MS: Final = milliseconds(LEASE)


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


@frozen(kw_only=True)
class Over:
    """The operation has ended."""

    knows: str | None
    claims: tuple[Claim, ...]
    #: Each command, and what was said of it.
    said: tuple[tuple[Command, Handled | Exception], ...] = ()


Played = Look | Write | Over


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
    journal = Recorded(cast.shelf, local.replies)
    door = _candid_door(cast, journal, act.name)
    if local.knows is not None:
        door.memory.put(cast.shelf.known(local.knows))
    try:
        claims = _perform(cast, door, act, local)
    except Asked as asked:
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
    loop = worker_loop(lambda: free, lambda: False, lambda: 5.0, lambda: 0.0)
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
        self,
        commands: Sequence[tuple[RunId, Command]],
        *,
        now: datetime | None = None,
        appending: Appending = nobody_hears,
    ) -> list[Handled | Exception]:
        """Carry out commands, and remember the answers."""
        answers = super().handle_all(commands, now=now, appending=appending)
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
