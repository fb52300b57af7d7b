"""
A worker on the host's event loop: the `worker_loop` of `squidmesh.workers.loop`, awaited.

Each claim is carried by a task.  Async steps run on the host's loop, sync steps on
threads of the worker, as many at once as it has slots.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Protocol, Self, assert_never

from squidmesh.aio.carry import Hands, carry, hand_back
from squidmesh.aio.engine import AsyncEngine
from squidmesh.aio.notifier import AsyncNotifier
from squidmesh.checks import integer
from squidmesh.checks import queues as queue_names
from squidmesh.duration import Duration
from squidmesh.engine import lease_of
from squidmesh.workers import worker as on_threads
from squidmesh.workers.calling import Call
from squidmesh.workers.claim import Claim
from squidmesh.workers.loop import Begin, Look, Rest, Take, worker_loop
from squidmesh.workers.places import Place, Places
from squidmesh.workers.registry import Presence
from squidmesh.workers.stopping import GRACE, waits_for_itself
from squidmesh.workers.taking import Taken
from squidmesh_core.protocol.commands import Offer
from squidmesh_storage.aio import AsyncWakeups

LOG: Final = logging.getLogger("squidmesh.worker")


class AsyncEmbedded(Protocol):
    """Whatever has an engine while it is entered: an async mesh."""

    @property
    def engine(self) -> AsyncEngine:
        """What it runs on."""


class AsyncWorker:
    """
    Performs the steps of one mesh's runs, several at once, on the host's loop.

    Args:
        mesh: Whose actions are performed; it must be entered before the worker is.
        concurrency: Steps at once.
        queues: The queues it serves.
        lease: How long a claim lives without a heartbeat; beats come every
            third of it, by themselves.

    Raises:
        ConfigError: An option is wrong.
    """

    def __init__(
        self,
        mesh: AsyncEmbedded,
        *,
        concurrency: int = 8,
        queues: Sequence[str] = ("default",),
        lease: Duration = "60s",
    ) -> None:
        lease_of(lease)
        self._mesh = mesh
        self._concurrency = integer("concurrency", concurrency, least=1)
        self._queues = queue_names("queues", queues)
        self._lease = lease
        self._places = Places(self._ring, self._monotonic)
        self._stopping = False
        #: Whether the slots take no more claims.
        self._closed = False
        self._enlisted = asyncio.Event()
        self._wakeups: AsyncWakeups | None = None
        self._hands: Hands | None = None
        self._hooks: AsyncNotifier | None = None
        self._work: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        #: The claims that are being carried.
        self._strands: set[asyncio.Task[None]] = set()

    # -- foreground and background

    async def run(self) -> None:
        """
        Work until `stop` is called; cancelled, drain first.

        Raises:
            StorageError: It could not begin.
            RuntimeError: It has worked before; a worker works once.
        """
        work = self._begin()
        try:
            await asyncio.shield(work)
        finally:
            await self.stop()
        if self._failure is not None:
            raise self._failure

    async def start(self) -> Self:
        """
        Work in the background until `stop`; from now on starts may fill its slots.

        Raises:
            StorageError: It could not begin.
            RuntimeError: It has worked before; a worker works once.
        """
        self._begin()
        try:
            await self._enlisted.wait()
        except asyncio.CancelledError:
            await self.stop()  # nobody else would
            raise
        if self._failure is not None:
            raise self._failure
        return self

    async def stop(self) -> None:
        """
        Drain: take nothing more, let running steps end, and wait for them.

        Raises:
            Refused: `waits_for_itself`: one of them called it, or a hook; nothing was done.
        """
        if self.waits_for_caller():
            raise waits_for_itself()
        self.drain_soon()
        if self._work is not None:
            # Cancelled here, the drain goes on: the steps have a right to end.
            await asyncio.shield(self._work)

    def waits_for_caller(self) -> bool:
        """Whether it is a step or a hook of its own that calls."""
        hands, hooks = self._hands, self._hooks
        return (hands is not None and hands.is_performing(asyncio.current_task())) or (
            hooks is not None and hooks.is_here()
        )

    def drain_soon(self) -> None:
        """Ask for the drain without waiting for it."""
        self._stopping = True
        self._ring()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    # -- slots that a start on this loop may fill at once

    def reserve(self, queue: str) -> tuple[Offer, str] | None:
        """A free slot for work of this queue, with its token; null: there is none."""
        hands = self._hands
        if hands is None or self._stopping or queue not in self._queues:
            return None
        if queue in hands.crew.lanes.settings:
            return None  # whether it may start now is asked for in a claim transaction
        return hands.crew.offer() if self._places.reserve() else None

    async def fill(self, claim: Claim | None) -> None:
        """Begin the claim that a reserved slot got, or give the slot back."""
        if claim is None:
            self._places.let_go()
        elif not self._submit(claim) and self._hands is not None:
            await hand_back(self._hands, claim)
            self._places.let_go()

    # -- the loop

    def _begin(self) -> asyncio.Task[None]:
        if self._work is not None:
            raise RuntimeError("a worker works once; make another one")
        engine = self._mesh.engine
        self._work = asyncio.create_task(self._work_until_stopped(engine))
        return self._work

    async def _work_until_stopped(self, engine: AsyncEngine) -> None:
        crew = engine.engine.crew(self._queues, self._lease)
        threads = ThreadPoolExecutor(self._concurrency, "squidmesh-slot")
        hands = engine.hands(crew, threads)
        try:
            async with engine.journal.listen(self._queues) as wakeups:
                self._wakeups, self._hands = wakeups, hands
                await self._serve(engine, hands, wakeups)
        except Exception as error:
            self._failure = error
            if self._enlisted.is_set():  # else whoever began it hears of it
                LOG.exception("worker %s has ended", crew.owner)
        finally:
            self._wakeups = None
            threads.shutdown(wait=False)  # nothing runs there any more
            self._stopping = True
            self._enlisted.set()  # one that failed on the way in must not be waited for

    async def _serve(self, engine: AsyncEngine, hands: Hands, wakeups: AsyncWakeups) -> None:
        """Be known, claim until it is time to stop, and let end what runs then."""
        presence = await engine.aside(
            Presence,
            engine.door.threads,
            owner=hands.crew.owner,
            queues=self._queues,
            concurrency=self._concurrency,
            actions=engine.engine.actions.performable,
        )
        await engine.aside(presence.begin)
        hooks = self._hooks = AsyncNotifier(engine)
        await hooks.start()
        self._places.open(self._concurrency)
        engine.enlist(self)
        self._enlisted.set()
        try:
            await self._drive(engine, hands, wakeups, presence)
        finally:
            self._stopping = self._closed = True
            await engine.aside(presence.stop)
            await self._let_end(hands)
            await hooks.stop()
            await engine.aside(presence.end)
            engine.dismiss(self)  # until now whoever closes the mesh waits for it

    async def _drive(
        self, engine: AsyncEngine, hands: Hands, wakeups: AsyncWakeups, presence: Presence
    ) -> None:
        draw = hands.crew.door.ports.draw
        loop = worker_loop(self._places.free, self._is_stopping, lambda: wakeups.longest, draw)
        reply: Taken | None = None
        while True:
            try:
                request = loop.send(reply)
            except StopIteration:
                return
            reply = None
            if presence.due:
                await engine.aside(presence.keep)
            match request:
                case Take(limit=limit):
                    reply = await self._take(engine, hands, limit)
                case Begin(claims=claims):
                    for claim in claims:
                        self._submit(claim)
                case Look():
                    if hands.crew.outlook.due:
                        await engine.aside(hands.crew.outlook.look)
                case Rest(seconds=seconds):
                    await wakeups.wait(seconds)
                    if pause := self._places.pause():
                        await wakeups.wait(pause)
                case _:
                    assert_never(request)

    async def _take(self, engine: AsyncEngine, hands: Hands, limit: int) -> Taken | None:
        """Claim for so many slots; slots that got nothing are free again."""
        slots, settled = self._places.seize(limit)
        if slots == 0:
            return None
        hands.crew.outlook.clear()
        claims: tuple[Claim, ...] = ()
        try:
            taken = await engine.take(hands.crew, slots)
            claims = taken.claims
            if taken.held_back:
                self._places.wait_for_one(settled)
        except Exception as error:  # a worker outlives a storage that is away, and any bug
            LOG.error("nothing could be claimed, trying again: %s", error)
            LOG.debug("this is where it came from", exc_info=error)
            await asyncio.sleep(on_threads.AFTER_ERROR)
            return None
        else:
            return taken
        finally:
            self._places.give_back(slots - len(claims))

    def _submit(self, claim: Claim) -> bool:
        """Carry a claim in a slot; false: the slots are closed by now."""
        hands = self._hands
        if hands is None or self._closed:
            return False
        hands.crew.outlook.begun()
        strand = asyncio.create_task(self._carry(hands, claim))
        self._strands.add(strand)
        strand.add_done_callback(self._strands.discard)
        return True

    async def _carry(self, hands: Hands, claim: Claim) -> None:
        place = Place(self._places)
        try:
            await carry(hands, claim, self._is_stopping, place)
        except Exception:
            LOG.exception("%s was given up; its lease runs out", claim.attempt_key)
        finally:
            place.end()

    async def _let_end(self, hands: Hands) -> None:
        """Wait for what runs, but for no step that does not stop when it is told to."""
        ignored: Mapping[asyncio.Task[object] | None, Call] = {}
        while self._strands:
            await asyncio.wait(self._strands, timeout=GRACE)
            before, ignored = ignored, hands.ignored()
            for strand in self._strands & before.keys() & ignored.keys():
                claim = ignored[strand].claim
                message = "'%s' of run %s was told to stop and goes on; it is left behind"
                LOG.warning(message, claim.node, claim.run_id)
                self._strands.discard(strand)

    def _is_stopping(self) -> bool:
        return self._stopping

    def _monotonic(self) -> float:
        # Not by way of the mesh: what was left behind may end when that is closed.  Without
        # hands there are no slots whose times could be told.
        return self._hands.crew.door.ports.monotonic() if self._hands is not None else 0.0

    def _ring(self) -> None:
        if self._wakeups is not None:
            self._wakeups.ring()
