"""What an `AsyncMesh` runs on while it is entered: the door, the threads beside the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from attrs import evolve

from squidmesh.aio.carry import Hands, to_its_end
from squidmesh.aio.door import AsyncDoor
from squidmesh.door.handle import Handled
from squidmesh.engine import Engine
from squidmesh.starting import Request
from squidmesh.workers.claim import Claim, claim_in
from squidmesh.workers.crew import Crew
from squidmesh.workers.eventloop import run_on
from squidmesh.workers.stopping import waits_for_itself
from squidmesh.workers.taking import Taken
from squidmesh_core.protocol.commands import Offer
from squidmesh_storage.aio import AsyncJournal

P = ParamSpec("P")
T = TypeVar("T")


class Verbs(Protocol):
    """Some of the verbs of `Mesh`, which block."""

    engine: Engine


V = TypeVar("V", bound=Verbs)


class AsyncSlotKeeper(Protocol):
    """Whoever has slots that a start may fill at once: a worker on the same loop."""

    def reserve(self, queue: str) -> tuple[Offer, str] | None:
        """A free slot for work of this queue, with its token; null: there is none."""

    async def fill(self, claim: Claim | None) -> None:
        """Begin the claim that a reserved slot got, or give the slot back."""

    async def stop(self) -> None:
        """Drain, and wait for it."""

    def waits_for_caller(self) -> bool:
        """Whether it is a step or a hook of its own that calls."""


class AsyncEngine:
    """
    The runtime of one mesh on one event loop.

    Leases are kept and time limits watched by the threads of `Engine`, so that a
    step that blocks the loop does not lose its lease.

    Args:
        engine: The runtime for those who may block, on the same journal.
        door: The way to that journal; both are closed with this.
    """

    def __init__(self, engine: Engine, door: AsyncDoor) -> None:
        self.engine = engine
        self.door = door
        self._loop = asyncio.get_running_loop()
        self._keepers: tuple[AsyncSlotKeeper, ...] = ()
        self._looking: asyncio.Task[None] | None = None
        #: What ends whatever becomes of who asked: starts that fill a slot, claims given back.
        self._unheard: set[asyncio.Future[Any]] = set()

    async def close(self) -> None:
        """
        Drain the workers, then let go of threads, connections and files.

        Once its loop is closed nothing of it goes on there, and there is nothing to drain.

        Raises:
            Refused: `waits_for_itself`: a step or a hook of theirs called it.
        """
        if not self.is_abandoned():
            await self._drain()
        await self.aside(self.engine.close)
        await self.journal.close()
        self.door.close()
        # A verb that was cancelled may still be at work, and must not hold up the loop.
        await asyncio.to_thread(self.door.executor.shutdown)

    @property
    def journal(self) -> AsyncJournal:
        """Where journals are kept."""
        return self.door.journal

    def is_elsewhere(self) -> bool:
        """Whether another loop than its own runs here."""
        try:
            return asyncio.get_running_loop() is not self._loop
        except RuntimeError:
            return False  # nothing can be awaited

    def is_abandoned(self) -> bool:
        """Whether its loop is closed, so that nobody can leave it there any more."""
        return self._loop.is_closed()

    async def aside(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        """Call something that blocks, beside the loop; cancelled, it goes on unheard."""
        return await self.door.aside(call, *args, **options)

    def blocking(self, verbs: type[V]) -> V:
        """Verbs for `aside`, on the runtime of threads: seldom used, so that one costs nothing."""
        made = verbs()
        made.engine = self.engine
        return made

    async def _drain(self) -> None:
        if any(keeper.waits_for_caller() for keeper in self._keepers):
            raise waits_for_itself()
        for keeper in self._keepers:
            await keeper.stop()
        if self._unheard:
            await asyncio.wait(self._unheard)

    # -- starts, and the workers whose slots they fill

    def enlist(self, keeper: AsyncSlotKeeper) -> None:
        """Let starts fill these slots."""
        self._keepers = (*self._keepers, keeper)

    def dismiss(self, keeper: AsyncSlotKeeper) -> None:
        """Fill these slots no more."""
        self._keepers = tuple(one for one in self._keepers if one is not keeper)

    async def start(self, request: Request) -> Handled:
        """Begin a run, in a free slot of this loop if there is one."""
        if self._keepers and self.engine.lanes.due:
            await self.look()
        for keeper in self._keepers:
            slot = keeper.reserve(request.command.queue)
            if slot is not None:
                # Not cancelled with its caller: nobody else would perform what it claims.
                start = self._loop.create_task(self._start_in(keeper, request, *slot))
                self._unheard.add(start)
                start.add_done_callback(self._unheard.discard)
                return await asyncio.shield(start)
        return await self._start(request, None)

    async def _start_in(
        self, keeper: AsyncSlotKeeper, request: Request, offer: Offer, token: str
    ) -> Handled:
        claim = None
        try:
            handled = await self._start(request, offer)
            claim = claim_in(handled.state, handled.entries, offer, token)
        finally:
            await keeper.fill(claim)
        return handled

    async def _start(self, request: Request, offer: Offer | None) -> Handled:
        command = request.offering(offer)
        begin = self.door.threads.beginning(command.run_id, request.spec)
        return await self.door.handle(command.run_id, command, begin=begin, now=request.now)

    # -- claims

    def hands(self, crew: Crew, threads: Executor | None = None) -> Hands:
        """What it takes to carry claims of this crew; `threads` perform its sync steps."""
        here = evolve(crew, run_async=partial(run_on, self._loop))
        return Hands(
            crew=here,
            door=self.door,
            threads=threads or self.door.executor,
            look=self.look,
            unheard=self._unheard,
        )

    async def look(self) -> None:
        """Read the limits of queues again; all who ask meanwhile share one reading."""
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self.aside(self.engine.lanes.look))
        await asyncio.shield(self._looking)

    async def take(self, crew: Crew, limit: int) -> Taken:
        """
        Claim up to so many attempts for a crew.

        Raises:
            StorageError: The storage failed.
        """
        taking = self.aside(self.engine.take, crew, limit)
        return await to_its_end(self.hands(crew), taking, lambda taken: taken.claims)

    async def take_one(self, crew: Crew) -> Claim | None:
        """
        Claim one attempt for a crew; what needs nobody is done on the way.

        Raises:
            StorageError: The storage failed.
        """
        while True:
            taken = await self.take(crew, 1)
            if taken.claims or not taken.appends:
                return taken.claims[0] if taken.claims else None


class AsyncVerbs:
    """A family of the verbs of `AsyncMesh`, which says what they run on."""

    @property
    def engine(self) -> AsyncEngine:
        """What this mesh runs on while it is entered."""
        raise NotImplementedError
