"""
What a mesh runs on: the door, the actions, and who works for it in this process.

`Mesh` is the public face, `Worker` the one that works; both hold an `Engine`.
Whoever only looks at runs needs no crew, so what works is imported by what makes one.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final, Protocol

from attrs import Factory, define, evolve

from squidmesh import checks
from squidmesh.actions import ActionRegistry
from squidmesh.door.door import Door
from squidmesh.duration import duration_ms
from squidmesh.workers.eventloop import EventLoop
from squidmesh.workers.hooks.handlers import Handlers
from squidmesh.workers.lanes import Lanes
from squidmesh.workers.timelimits import TimeLimits
from squidmesh_storage.lanes import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from squidmesh.door.handle import Handled
    from squidmesh.duration import Duration
    from squidmesh.ports import Ports
    from squidmesh.starting import Request
    from squidmesh.workers.claim import Claim
    from squidmesh.workers.crew import Crew
    from squidmesh.workers.heartbeat import Heartbeats
    from squidmesh.workers.line import StepSignals
    from squidmesh.workers.taking import Taken
    from squidmesh_core.definition.spec import Spec
    from squidmesh_core.protocol.commands import Offer
    from squidmesh_storage.api import Journal

#: Milliseconds of the longest lease: so long may work lie about after a crash.
LONGEST_LEASE: Final = 3_600_000
#: Seconds until a paused queue is looked at again, if nobody tells that it was resumed.
WHILE_PAUSED: Final = 5.0


class SlotKeeper(Protocol):
    """Whoever has slots that a start may fill at once: a worker."""

    def reserve(self, queue: str) -> tuple[Offer, str] | None:
        """A free slot for work of this queue, with its token; null: there is none."""

    def fill(self, claim: Claim | None) -> None:
        """Begin the claim that a reserved slot got, or give the slot back."""

    def stop(self) -> None:
        """Drain, and wait for it."""

    def waits_for_caller(self) -> bool:
        """Whether it is a step or a hook of its own that calls."""


@define(eq=False)
class _Here:
    """What works for a mesh in one process: a fork takes none of its threads along."""

    limits: TimeLimits
    pid: int = Factory(os.getpid)
    #: Guards the two below.
    lock: threading.Lock = Factory(threading.Lock)
    #: By length of lease, in milliseconds.
    heartbeats: dict[int, Heartbeats] = Factory(dict)
    keepers: tuple[SlotKeeper, ...] = ()
    event_loop: EventLoop = Factory(EventLoop)


#: Of parent processes.  To forget a loop is to close it, and what it waits on is shared.
_INHERITED: Final[list[_Here]] = []


class Engine:
    """The runtime of one mesh in this process."""

    def __init__(self, journal: Journal, ports: Ports, hooks: Handlers | None = None) -> None:
        self.door = Door(journal, ports)
        #: The functions that its workers call for what happened.
        self.hooks = hooks or Handlers()
        self.door.hear = self.hooks.hear
        #: Everything that is performed here.
        self.actions = ActionRegistry()
        #: The definitions that came with these functions, by workflow.
        self.specs: Mapping[str, Spec] = {}
        self._present = _Here(TimeLimits(ports.monotonic))
        #: The queues that somebody has set up.
        self.lanes = Lanes(lambda: journal.records(SETTINGS), ports.monotonic)

    def close(self) -> None:
        """
        Drain the workers, then let go of threads, connections and files.

        Raises:
            Refused: `waits_for_itself`: a step or a hook of theirs called it.
        """
        here = self._here
        if self.is_on_loop() or any(keeper.waits_for_caller() for keeper in here.keepers):
            from squidmesh.workers.stopping import waits_for_itself

            raise waits_for_itself()
        for keeper in here.keepers:
            keeper.stop()
        for heartbeats in here.heartbeats.values():
            heartbeats.stop()
        here.limits.stop()
        here.event_loop.close()
        self.door.journal.close()

    def perform_too(self, actions: ActionRegistry) -> None:
        """
        Perform these actions from now on; later changes of the registry change nothing.

        Raises:
            ConfigError: `duplicate_action`: a key belongs to another function.
        """
        with self._here.lock:
            self.actions.join(actions)

    def run_async(self, coroutine: Coroutine[Any, Any, object], signals: StepSignals) -> object:
        """Run an async step on the mesh's event loop."""
        return self._here.event_loop.run(coroutine, signals)

    def is_on_loop(self) -> bool:
        """Whether this is the thread of that loop."""
        return self._here.event_loop.is_here()

    # -- starts, and the workers whose slots they fill

    def enlist(self, keeper: SlotKeeper) -> None:
        """Let starts fill these slots."""
        here = self._here
        with here.lock:
            here.keepers = (*here.keepers, keeper)

    def dismiss(self, keeper: SlotKeeper) -> None:
        """Fill these slots no more."""
        here = self._here
        with here.lock:
            here.keepers = tuple(one for one in here.keepers if one is not keeper)

    def start(self, request: Request) -> Handled:
        """Begin a run, in a free slot of this process if there is one."""
        from squidmesh import starting

        for keeper in self._here.keepers:
            slot = keeper.reserve(request.command.queue)
            if slot is not None:
                return self._start_in(keeper, request, *slot)
        return starting.start(self.door, request, None)

    def _start_in(self, keeper: SlotKeeper, request: Request, offer: Offer, token: str) -> Handled:
        from squidmesh import starting
        from squidmesh.workers.claim import claim_in

        claim = None
        try:
            handled = starting.start(self.door, request, offer)
            claim = claim_in(handled.state, handled.entries, offer, token)
        except KeyboardInterrupt:  # the host ends, and may have started and claimed
            from squidmesh.workers.interrupted import give_back_offer

            give_back_offer(self.door, request.command.run_id, offer, request.now)
            raise
        finally:
            keeper.fill(claim)
        return handled

    # -- claims

    def crew(
        self,
        queues: Sequence[str],
        lease: Duration,
        *,
        owner: str | None = None,
        heartbeat: bool = True,
        now: datetime | None = None,
    ) -> Crew:
        """
        Somebody who can claim, perform and settle.

        Args:
            queues: Where claims come from.
            lease: How long a claim lives without a heartbeat.
            owner: The name in the claims; null: a fresh one of this process.
            heartbeat: Whether leases are kept alive.
            now: The instant to decide at; null: the storage's clock.

        Raises:
            ConfigError: An option is wrong.
        """
        from squidmesh.workers.crew import Crew
        from squidmesh.workers.outlook import Outlook

        lease_ms = lease_of(lease)
        if owner is None:
            owner = owner_name(self.door.ports.random_bytes(4))
        served, at = frozenset(checks.queues("queues", queues)), checks.instant("now", now)
        return Crew(
            door=self.door,
            actions=self.actions,
            specs=self.specs,
            owner=checks.text("owner", owner),
            lease_ms=lease_ms,
            queues=served,
            run_async=self.run_async,
            heartbeats=self._beats(lease_ms) if heartbeat else None,
            limits=self._here.limits,
            now=at,
            lanes=self.lanes,
            outlook=Outlook(lambda: self._foremost(served, at), self.door.ports.monotonic),
        )

    def take(self, crew: Crew, limit: int) -> Taken:
        """
        Claim up to so many attempts for a crew.

        Raises:
            StorageError: The storage failed.
        """
        from squidmesh.workers.taking import Taken, take

        if self.lanes.paused & crew.queues:
            self.lanes.reread()
        paused = self.lanes.paused & crew.queues
        taken = Taken()
        if queues := sorted(crew.queues - paused):
            performable = self.actions.performable()
            taken = take(
                self.door, queues, performable, limit, crew.offer, lanes=self.lanes, now=crew.now
            )
        if paused:
            due_in = WHILE_PAUSED if taken.due_in is None else min(taken.due_in, WHILE_PAUSED)
            taken = evolve(taken, due_in=due_in)
        return taken

    def take_one(self, crew: Crew) -> Claim | None:
        """
        Claim one attempt for a crew; what needs nobody is done on the way.

        Raises:
            StorageError: The storage failed.
        """
        while True:
            taken = self.take(crew, 1)
            if taken.claims or not taken.appends:
                return taken.claims[0] if taken.claims else None

    def _foremost(self, queues: frozenset[str], now: datetime | None) -> Mapping[str, int]:
        """What waits in these queues; where limits and turns decide, priority does not tell."""
        unlimited = sorted(queues - self.lanes.settings.keys())
        if not unlimited:
            return {}
        return self.door.journal.foremost(unlimited, self.actions.performable(), at=now)

    def _beats(self, lease_ms: int) -> Heartbeats:
        from squidmesh.workers.heartbeat import Heartbeats

        here = self._here
        with here.lock:
            beats = here.heartbeats.get(lease_ms)
            if beats is None:
                beats = here.heartbeats[lease_ms] = Heartbeats(self.door, lease_ms=lease_ms)
            return beats

    @property
    def _here(self) -> _Here:
        """What works in this process: nobody yet after a fork."""
        if self._present.pid != os.getpid():
            _INHERITED.append(self._present)
            self._present = _Here(TimeLimits(self.door.ports.monotonic))
        return self._present


def owner_name(randomness: bytes) -> str:
    """Host, process and a random incarnation: restarted workers never share a name."""
    import socket

    return f"{socket.gethostname()}:{os.getpid()}:{randomness.hex()}"


def lease_of(lease: Duration) -> int:
    """
    A lease in milliseconds.

    Raises:
        ConfigError: It is not a duration between 1 ms and 1 h.
    """
    lease_ms = duration_ms(lease, option="lease")
    if not 1 <= lease_ms <= LONGEST_LEASE:
        raise checks.wrong("lease", "expected 1ms to 1h")
    return lease_ms
