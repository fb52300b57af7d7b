"""
`AsyncMesh`: what a host with an event loop holds.  Its verbs are those of `Mesh`, awaited.

A mesh may be made at import time: it opens its journal when it is entered, and
again the next time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

from squidmesh import checks
from squidmesh.actions import ActionRegistry
from squidmesh.aio.carry import carry
from squidmesh.aio.door import AsyncDoor
from squidmesh.aio.engine import AsyncEngine
from squidmesh.aio.executing import AsyncExecuting
from squidmesh.aio.filing import AsyncFiling
from squidmesh.aio.hooking import AsyncHooking
from squidmesh.aio.opening import OpenJournal, at_url
from squidmesh.aio.queueing import AsyncQueueing
from squidmesh.aio.steering import AsyncSteering
from squidmesh.aio.upkeeping import AsyncUpkeeping
from squidmesh.aio.viewing import AsyncViewing
from squidmesh.aio.worker import AsyncWorker
from squidmesh.authoring.triggers import Trigger, payload_of
from squidmesh.catalogue import Catalogue, Registrable, runnable
from squidmesh.duration import Duration
from squidmesh.engine import Engine
from squidmesh.mesh import url_or_default
from squidmesh.ports import Ports
from squidmesh.starting import StartOptions
from squidmesh.views.policy import Policy, Redacting, policy_of
from squidmesh.workers.hooks.handlers import Handlers
from squidmesh.workers.hooks.verbs import Subscribing
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import StorageError
from squidmesh_core.views.inspection import Run, run_of
from squidmesh_storage.aio import AsyncJournal
from squidmesh_storage.hosts import url_of

P = TypeVar("P")


class AsyncMesh(
    AsyncExecuting,
    AsyncSteering,
    AsyncViewing,
    AsyncQueueing,
    Subscribing,
    AsyncHooking,
    Redacting,
    AsyncFiling,
    AsyncUpkeeping,
):
    """
    The runtime, embedded in a host with an event loop.

    Nothing is read or written before `async with`; each time it is entered, it
    belongs to the loop that runs then.

    Args:
        journal: Where journals are kept, or what opens that each time the mesh is
            entered.  `AsyncMesh.open` makes one of a URL.
        workflows: Workflow classes, specs, and modules whose workflows are taken.
        actions: Further actions, by key.
        ports: Clock, chance and waiting, for tests.
        policy: Who sees views that went through `redact` in which scope: a scope for
            everybody, a function of (actor, view), or a `VisibilityPolicy`; null: external.

    Raises:
        DefinitionError: A workflow is wrong; nothing was registered.
        ConfigError: An option is wrong.
    """

    def __init__(
        self,
        journal: AsyncJournal | OpenJournal,
        *,
        workflows: Iterable[Registrable] = (),
        actions: ActionRegistry | None = None,
        ports: Ports | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._decide = policy_of(policy)
        self._handlers = Handlers()
        self._journal = journal
        self._ports = ports or Ports()
        #: Everything this mesh performs.
        self.actions = ActionRegistry()
        self._catalogue = Catalogue(workflows, self.actions)
        if actions is not None:
            self.actions.join(actions)
        self._engine: AsyncEngine | None = None
        #: Whether a task is about to enter it.
        self._opening = False

    @classmethod
    def open(
        cls,
        url: str | None = None,
        *,
        workflows: Iterable[Registrable] = (),
        actions: ActionRegistry | None = None,
        migrate: bool = False,
        policy: Policy | None = None,
    ) -> Self:
        """
        A mesh on the journal behind a URL, opened when the mesh is entered; see `Mesh.open`.

        Raises:
            ConfigError: No URL is known, or another option is wrong.
            DefinitionError: A workflow is wrong.
        """
        where = at_url(url_or_default(url), migrate=migrate)
        return cls(where, workflows=workflows, actions=actions, policy=policy)

    @classmethod
    def from_engine(
        cls,
        engine: object,
        *,
        workflows: Iterable[Registrable] = (),
        actions: ActionRegistry | None = None,
        migrate: bool = False,
        policy: Policy | None = None,
    ) -> Self:
        """See `Mesh.from_engine`."""
        return cls.open(
            url_of(engine), workflows=workflows, actions=actions, migrate=migrate, policy=policy
        )

    async def __aenter__(self) -> Self:
        """
        Open the journal.

        Raises:
            ConfigError: The URL is wrong.
            StorageError: The storage is not what it should be; nothing was changed.
            RuntimeError: The mesh is entered already, on a loop that is not closed.
        """
        entered = self._engine is not None and not self._engine.is_abandoned()
        if entered or self._opening:
            raise RuntimeError("this mesh is entered already; leave it first")
        self._opening = True
        try:
            await self.close()  # what is left of a loop that is closed
            journal = await self._journal() if callable(self._journal) else self._journal
            engine = Engine(journal.blocking, self._ports, self._handlers)
            engine.perform_too(self.actions)
            engine.specs = self._catalogue.specs
            self._engine = AsyncEngine(engine, AsyncDoor(journal, engine.door))
        finally:
            self._opening = False
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """
        Drain this mesh's workers, then let go of its threads, connections and files.

        Cancelled meanwhile, it can be called again.

        Raises:
            Refused: `waits_for_itself`: a step or a hook of theirs called it.
            StorageError: The mesh was entered on another event loop, which is not closed.
        """
        engine = self._engine
        if engine is not None:
            if engine.is_elsewhere() and not engine.is_abandoned():
                raise _elsewhere()
            await engine.close()  # steps that run may use the mesh until they end
        if self._engine is engine:  # else it was entered again, once another call had closed it
            self._engine = None

    @property
    def engine(self) -> AsyncEngine:
        """
        What this mesh runs on while it is entered.

        Raises:
            StorageError: It is not, or on another event loop.
        """
        if self._engine is None:
            raise _refused("this mesh is not open, use it within `async with mesh:`")
        if self._engine.is_abandoned():
            raise _refused(
                "the event loop that this mesh was entered on is closed by now, enter it again"
            )
        if self._engine.is_elsewhere():
            raise _elsewhere()
        return self._engine

    @property
    def door(self) -> AsyncDoor:
        """Where every command of this mesh goes through."""
        return self.engine.door

    @property
    def workflows(self) -> Mapping[str, Spec]:
        """The registered definitions, by workflow name."""
        return self._catalogue.specs

    # -- starting

    @overload
    async def start(self, trigger: Trigger[None], /, **options: Unpack[StartOptions]) -> Run: ...
    @overload
    async def start(
        self, trigger: Trigger[P], payload: P, /, **options: Unpack[StartOptions]
    ) -> Run: ...
    async def start(
        self, trigger: Trigger[Any], payload: object = None, /, **options: Unpack[StartOptions]
    ) -> Run:
        """See `Mesh.start`."""
        given = payload_of(trigger, payload)
        spec = self._catalogue.spec(trigger._owner or trigger.name)
        return await self._start(spec, trigger.name, given, options)

    async def start_spec(
        self,
        spec: Spec,
        trigger: str,
        payload: Mapping[str, object],
        *,
        actions: ActionRegistry,
        **options: Unpack[StartOptions],
    ) -> Run:
        """See `Mesh.start_spec`."""
        runnable(spec, actions)
        self.engine.engine.perform_too(actions)
        self.actions.join(actions)
        return await self._start(spec, trigger, payload, options)

    # -- in a transaction of the host's

    def using(self, connection: object) -> AsyncMesh:
        """See `Mesh.using`; the connection is used on this thread."""
        from squidmesh.aio.using import AsyncUsing  # it is a mesh itself

        return AsyncUsing(self, self.engine.journal.blocking.transaction(connection))

    # -- working

    async def execute_next(
        self,
        *,
        queue: str = "default",
        owner: str | None = None,
        lease: Duration = "60s",
        heartbeat: bool | None = None,
        now: datetime | None = None,
    ) -> Run | None:
        """See `Mesh.execute_next`; an async step runs on this loop."""
        engine = self.engine
        beats = (heartbeat is None or checks.flag("heartbeat", heartbeat)) and now is None
        served = (checks.queue("queue", queue),)
        crew = engine.engine.crew(served, lease, owner=owner, heartbeat=beats, now=now)
        claim = await self.engine.take_one(crew)
        if claim is None:
            return None
        await carry(engine.hands(crew), claim, lambda: True)
        return run_of((await engine.door.fresh(claim.run_id)).state)

    async def drain(self, *, queues: Sequence[str] | None = None, limit: int | None = None) -> int:
        """See `Mesh.drain`; async steps run on this loop."""
        if limit is not None:
            limit = checks.integer("limit", limit, least=0)
        engine = self.engine
        crew = engine.engine.crew(self._catalogue.queues if queues is None else queues, "60s")
        performed = 0

        def single() -> bool:
            return limit is not None

        while limit is None or performed < limit:
            taken = await engine.take(crew, 1)
            if not taken.appends:
                break
            for claim in taken.claims:
                performed += await carry(engine.hands(crew), claim, single)
        return performed

    def worker(
        self,
        *,
        concurrency: int = 8,
        queues: Sequence[str] = ("default",),
        lease: Duration = "60s",
    ) -> AsyncWorker:
        """
        A worker of this mesh, to be entered or run on the same loop; see `AsyncWorker`.

        Args:
            concurrency: Steps at once.
            queues: Those that it serves; a queue that a workflow or step names has to be here.
            lease: How long a claim lives without a heartbeat.

        Raises:
            ConfigError: An option is wrong.
        """
        return AsyncWorker(self, concurrency=concurrency, queues=queues, lease=lease)


def _elsewhere() -> StorageError:
    return _refused(
        "this mesh was entered on another event loop, use it there, or make one for this loop"
    )


def _refused(why: str) -> StorageError:
    return StorageError(f"{why}; nothing was done", "storage_error", {})
