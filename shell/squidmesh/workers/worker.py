"""
A worker: claims in batches of free slots, and carries each claim on a thread.

`run` is foreground work for `squidmesh work` and scripts; `start` and `stop`
(also as a context manager) are for hosts.  SIGTERM and SIGINT drain: running
steps end and are settled, nothing more is claimed.
"""

import logging
import os
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self, assert_never

from squidmesh.checks import integer
from squidmesh.checks import queues as queue_names
from squidmesh.duration import Duration
from squidmesh.engine import Engine
from squidmesh.workers.claim import Claim
from squidmesh.workers.hooks.notifier import Notifier
from squidmesh.workers.leaving import drained_at_exit
from squidmesh.workers.loop import Begin, Look, Rest, Take, worker_loop
from squidmesh.workers.places import Places
from squidmesh.workers.registry import Presence
from squidmesh.workers.settling import hand_back
from squidmesh.workers.slots import Slots
from squidmesh.workers.stopping import asked_by_signals, waits_for_itself
from squidmesh.workers.taking import Taken
from squidmesh_core.protocol.commands import Offer
from squidmesh_storage.api import Wakeups

LOG: Final = logging.getLogger("squidmesh.worker")
#: Seconds until a worker tries again after the storage said no.
AFTER_ERROR: Final = 1.0
#: Seconds that a start waits for a slot that the worker has taken to look for work: about
#: what the look takes, and less than a start that finds no slot would cost.
PATIENCE: Final = 0.01
#: Seconds between looks at whether a signal came.
GLANCE: Final = 0.2


class Embedded(Protocol):
    """Whatever has an engine: a mesh."""

    @property
    def engine(self) -> Engine:
        """What it runs on."""


class Worker:
    """
    Performs the steps of one mesh's runs, several at once.

    Args:
        mesh: Whose actions are performed.
        concurrency: Steps at once.
        queues: The queues it serves.
        lease: How long a claim lives without a heartbeat; beats come every
            third of it, by themselves.

    Raises:
        ConfigError: An option is wrong.
    """

    def __init__(
        self,
        mesh: Embedded,
        *,
        concurrency: int = 8,
        queues: Sequence[str] = ("default",),
        lease: Duration = "60s",
    ) -> None:
        self._engine = mesh.engine
        self._concurrency = integer("concurrency", concurrency, least=1)
        self._queues = queue_names("queues", queues)
        self._lease = lease
        self._crew = mesh.engine.crew(self._queues, lease)
        #: The process that it belongs to: a fork takes none of its threads along.
        self._pid = os.getpid()
        self._places = Places(self._ring, mesh.engine.door.ports.monotonic)
        self._enlisted = threading.Event()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        #: Set by signal handlers, which may take no lock.
        self.asked_to_drain = False
        self._wakeups: Wakeups | None = None
        #: Held for good by the one who began.
        self._begun = threading.Lock()
        self._failure: Exception | None = None
        self._slots: Slots | None = None
        self._hooks: Notifier | None = None

    @property
    def owner(self) -> str:
        """The name that claims of this worker carry: a label, no authority."""
        return self._crew.owner

    # -- foreground and background

    def run(self) -> None:
        """
        Work until `stop` is called or a signal asks to drain.

        On the main thread SIGTERM and SIGINT drain the worker: running steps
        end and are settled.  A second one ends the process at once, and the
        leases run out.

        Raises:
            StorageError: It could not begin.
            RuntimeError: It has worked before; a worker works once.
        """
        if threading.current_thread() is not threading.main_thread():
            self._begin()
            self._work()
        else:
            with asked_by_signals(self._ask):
                self.start()
                while not self._ended.wait(GLANCE):
                    if self.asked_to_drain:
                        self.drain_soon()
        if self._failure is not None:
            raise self._failure

    def start(self) -> Self:
        """
        Work on a thread of its own until `stop`; from now on starts may fill its slots.

        Raises:
            StorageError: It could not begin.
            RuntimeError: It has worked before; a worker works once.
        """
        self._begin()
        # Not a daemon: a process that ends drains it, and lets running steps end first.
        threading.Thread(target=self._work, name="squidmesh-worker").start()
        self._enlisted.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """
        Drain: take nothing more, let running steps end, and wait for them.

        Raises:
            Refused: `waits_for_itself`: one of them called it, or a hook; nothing was done.
        """
        if self._pid != os.getpid():
            return  # it works in the process that forked this one
        if self.waits_for_caller():
            raise waits_for_itself()
        self.drain_soon()
        if self._begun.locked():
            self._ended.wait()

    def waits_for_caller(self) -> bool:
        """Whether it is a step or a hook of its own that calls."""
        slots, hooks = self._slots, self._hooks
        return (
            self._engine.is_on_loop()
            or (slots is not None and slots.are_here())
            or (hooks is not None and hooks.is_here())
        )

    def drain_soon(self) -> None:
        """Ask for the drain without waiting for it."""
        self._stopping.set()
        self._ring()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _ask(self) -> None:
        self.asked_to_drain = True

    # -- slots that a start of this process may fill at once

    def reserve(self, queue: str) -> tuple[Offer, str] | None:
        """A free slot for work of this queue, with its token; null: there is none."""
        lanes = self._crew.lanes
        if queue not in self._crew.queues or self._stopping.is_set():
            return None
        lanes.look()
        if queue in lanes.settings:
            return None  # whether it may start now is asked for in a claim transaction
        return self._crew.offer() if self._places.reserve(PATIENCE) else None

    def fill(self, claim: Claim | None) -> None:
        """Begin the claim that a reserved slot got, or give the slot back."""
        if claim is None:
            self._places.let_go()
        else:
            self._submit(claim)

    # -- the loop

    def _begin(self) -> None:
        if not self._begun.acquire(blocking=False):
            raise RuntimeError("a worker works once; make another one")
        if self._pid != os.getpid():
            # Its name, and the threads that keep leases, are those of the parent.
            self._crew = self._engine.crew(self._queues, self._lease)
            self._pid = os.getpid()

    def _work(self) -> None:
        try:
            with drained_at_exit(self.drain_soon):
                self._work_until_stopped()
        except Exception as error:
            self._failure = error
            if self._enlisted.is_set():  # else whoever began it hears of it
                LOG.exception("worker %s has ended", self.owner)
        finally:
            self._stopping.set()
            self._ended.set()
            self._enlisted.set()  # one that failed on the way in must not be waited for

    def _work_until_stopped(self) -> None:
        with self._engine.door.journal.listen(self._queues) as wakeups:
            slots = Slots(self._crew, self._concurrency, self._is_stopping, self._places)
            self._wakeups, self._slots = wakeups, slots
            self._places.open(self._concurrency)
            presence = Presence(
                self._engine.door,
                owner=self.owner,
                queues=self._queues,
                concurrency=self._concurrency,
                actions=self._engine.actions.performable,
            )
            presence.begin()
            engine = self._engine
            hooks = self._hooks = Notifier(engine.door, engine.hooks, engine.run_async)
            hooks.start()
            self._engine.enlist(self)
            self._enlisted.set()
            try:
                self._drive(wakeups, presence)
            finally:
                self._stopping.set()
                presence.stop()
                slots.close()
                hooks.stop()
                presence.end()
                self._wakeups = self._slots = None
                self._engine.dismiss(self)  # until now whoever closes the mesh waits for it

    def _drive(self, wakeups: Wakeups, presence: Presence) -> None:
        ports = self._engine.door.ports
        loop = worker_loop(
            self._places.free, self._is_stopping, lambda: wakeups.longest, ports.draw
        )
        reply: Taken | None = None
        while True:
            try:
                request = loop.send(reply)
            except StopIteration:
                return
            reply = None
            presence.keep()
            match request:
                case Take(limit=limit):
                    reply = self._take(limit)
                case Begin(claims=claims):
                    for claim in claims:
                        self._submit(claim)
                case Look():
                    self._crew.outlook.look()
                case Rest(seconds=seconds):
                    ports.rest(wakeups, seconds)
                    if pause := self._places.pause():
                        ports.rest(wakeups, pause)
                case _:
                    assert_never(request)

    def _take(self, limit: int) -> Taken | None:
        """Claim for so many slots; slots that got nothing are free again."""
        slots, settled = self._places.seize(limit)
        if slots == 0:
            return None
        self._crew.outlook.clear()
        claims: tuple[Claim, ...] = ()
        try:
            taken = self._engine.take(self._crew, slots)
            claims = taken.claims
            if taken.held_back:
                self._places.wait_for_one(settled)
        except Exception as error:  # a worker outlives a storage that is away, and any bug
            LOG.error("nothing could be claimed, trying again: %s", error)
            LOG.debug("this is where it came from", exc_info=error)
            self._stopping.wait(AFTER_ERROR)
            return None
        else:
            return taken
        finally:
            self._places.give_back(slots - len(claims))

    def _submit(self, claim: Claim) -> None:
        """Work on it in a slot, or give it back if these are closed by now."""
        self._crew.outlook.begun()
        slots = self._slots
        if slots is None or not slots.begin(claim):
            hand_back(self._crew, claim)
            self._places.let_go()

    def _is_stopping(self) -> bool:
        return self.asked_to_drain or self._stopping.is_set()

    def _ring(self) -> None:
        if self._wakeups is not None:
            self._wakeups.ring()
