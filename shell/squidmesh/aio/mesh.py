"""
`AsyncMesh`: what a host with an event loop holds.  Its verbs are those of `Mesh`, awaited.

A mesh may be made at import time: it opens its journal when it is entered, and
again the next time it is.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, overload

from squidmesh import checks
from squidmesh.actions import ActionRegistry
from squidmesh.aio.carry import carry
from squidmesh.aio.door import AsyncDoor
from squidmesh.aio.engine import AsyncEngine
from squidmesh.aio.filing import AsyncFiling
from squidmesh.aio.opening import OpenJournal, at_url
from squidmesh.aio.queueing import AsyncQueueing
from squidmesh.aio.steering import AsyncSteering
from squidmesh.aio.stream import watch
from squidmesh.aio.waiting import wait_for
from squidmesh.aio.worker import AsyncWorker
from squidmesh.authoring.triggers import Trigger, payload_of
from squidmesh.catalogue import Catalogue, Registrable, runnable
from squidmesh.door.outcomes import answered
from squidmesh.door.reindex import reindex
from squidmesh.duration import Duration
from squidmesh.engine import Engine
from squidmesh.mesh import url_or_default
from squidmesh.ports import Ports
from squidmesh.starting import StartOptions
from squidmesh.upkeep import pruning
from squidmesh.upkeep.pruned import Pruned
from squidmesh.upkeep.verifying import Report, verify
from squidmesh.views import comparing, reading
from squidmesh.views.comparing import Version
from squidmesh.views.health import Health, health
from squidmesh.views.inbox import OpenGate, approvals
from squidmesh.views.paging import Page
from squidmesh.views.policy import Policy, Redacting, policy_of
from squidmesh.views.reading import JournalEntry, RunFilters, run_id_of
from squidmesh.views.snapshot import RunRef, Snapshot
from squidmesh.views.stream import Watched
from squidmesh.workers import executing
from squidmesh.workers.carry import Crew
from squidmesh.workers.claim import Claim
from squidmesh.workers.perform import Outcome, deferred, failed, succeeded
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.diff import RunDiff
from squidmesh_core.views.inspection import Run, run_of
from squidmesh_storage.aio import AsyncJournal
from squidmesh_storage.hosts import url_of

if TYPE_CHECKING:
    from squidmesh_core.views.explanation import Explanation
    from squidmesh_core.views.graph import RunGraph

P = TypeVar("P")


class AsyncMesh(AsyncSteering, AsyncQueueing, Redacting, AsyncFiling):
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
        self._journal = journal
        self._ports = ports or Ports()
        #: Everything this mesh performs.
        self.actions = ActionRegistry()
        self._catalogue = Catalogue(workflows, self.actions)
        if actions is not None:
            self.actions.join(actions)
        self._engine: AsyncEngine | None = None

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
            RuntimeError: The mesh is entered already.
        """
        if self._engine is not None:
            raise RuntimeError("this mesh is entered already; leave it first")
        journal = await self._journal() if callable(self._journal) else self._journal
        engine = Engine(journal.blocking, self._ports)
        engine.perform_too(self.actions)
        self._engine = AsyncEngine(journal, engine)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Drain this mesh's workers, then let go of its threads, connections and files."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    @property
    def engine(self) -> AsyncEngine:
        """
        What this mesh runs on while it is entered.

        Raises:
            RuntimeError: It is not.
        """
        if self._engine is None:
            raise RuntimeError("this mesh is not open; use it within `async with mesh:`")
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
        spec = self._catalogue.spec(trigger._owner or trigger.name)
        return await self._start(spec, trigger.name, payload_of(trigger, payload), options)

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

    def using(self, connection: object) -> "AsyncMesh":
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
        beats = heartbeat is not False and now is None
        served = (checks.queue("queue", queue),)
        crew = engine.engine.crew(served, lease, owner=owner, heartbeat=beats, now=now)
        claim = await self._claim(crew)
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
        """A worker of this mesh, to be entered or run on the same loop; see `AsyncWorker`."""
        return AsyncWorker(self, concurrency=concurrency, queues=queues, lease=lease)

    # -- the worker protocol, for executors of one's own

    async def claim(
        self,
        *,
        owner: str,
        queue: str = "default",
        lease: Duration = "60s",
        now: datetime | None = None,
    ) -> Claim | None:
        """See `Mesh.claim`."""
        checks.text("owner", owner)
        served = (checks.queue("queue", queue),)
        crew = self.engine.engine.crew(served, lease, owner=owner, heartbeat=False, now=now)
        return await self._claim(crew)

    async def heartbeat(
        self,
        claim: Claim,
        *,
        progress: Mapping[str, object] | None = None,
        now: datetime | None = None,
    ) -> Claim:
        """See `Mesh.heartbeat`."""
        command = executing.heartbeat(claim, progress)
        instant = checks.instant("now", now)
        handled = await self.engine.door.handle(claim.run_id, command, now=instant)
        return executing.renewed(claim, handled)

    async def complete(
        self, claim: Claim, output: object = None, *, now: datetime | None = None
    ) -> Run:
        """See `Mesh.complete`."""
        return await self._settle(claim, succeeded(output), now)

    async def fail(
        self,
        claim: Claim,
        error: BaseException | str,
        *,
        retryable: bool = True,
        retry_after: Duration | None = None,
        now: datetime | None = None,
    ) -> Run:
        """See `Mesh.fail`."""
        outcome = failed(error, retryable=retryable, after_ms=executing.delay_ms(retry_after))
        return await self._settle(claim, outcome, now)

    async def defer(
        self,
        claim: Claim,
        reason: str,
        *,
        for_: Duration | None = None,
        until: datetime | None = None,
        now: datetime | None = None,
    ) -> Run:
        """See `Mesh.defer`."""
        return await self._settle(claim, deferred(reason, for_=for_, until=until), now)

    # -- reading

    async def inspect(
        self,
        run: RunRef,
        *,
        history: bool = False,
        at: int | datetime | None = None,
        now: datetime | None = None,
    ) -> Snapshot:
        """See `Mesh.inspect`."""
        run_id, threads = run_id_of(run), self.engine.door.threads
        return await self.engine.aside(
            reading.inspect, threads, run_id, history=history, at=at, now=now
        )

    async def explain(self, run: RunRef, *, now: datetime | None = None) -> "Explanation":
        """See `Mesh.explain`."""
        from squidmesh.views.explaining import explain  # few ask for it, and it is large

        run_id, instant = run_id_of(run), checks.instant("now", now)
        return await self.engine.aside(explain, self.engine.door.threads, run_id, now=instant)

    async def graph(
        self,
        run: RunRef,
        *,
        history: bool = False,
        at: int | datetime | None = None,
        now: datetime | None = None,
    ) -> "RunGraph":
        """See `Mesh.graph`."""
        from squidmesh.views.graphing import graph  # few ask for it, and it is large

        run_id, threads = run_id_of(run), self.engine.door.threads
        return await self.engine.aside(graph, threads, run_id, history=history, at=at, now=now)

    async def runs(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Unpack[RunFilters]
    ) -> Page[Run]:
        """See `Mesh.runs`."""
        engine = self.engine
        return await engine.aside(reading.runs, engine.door.threads, filters, cursor, limit)

    async def approvals(
        self, *, cursor: str | None = None, limit: int = 50, now: datetime | None = None
    ) -> Page[OpenGate]:
        """See `Mesh.approvals`."""
        instant, engine = checks.instant("now", now), self.engine
        return await engine.aside(approvals, engine.door.threads, cursor, limit, instant)

    async def journal(self, run: RunRef, *, after: int = 0) -> AsyncIterator[JournalEntry]:
        """See `Mesh.journal`; an iterator to be used with `async for`."""
        run_id, threads = run_id_of(run), self.engine.door.threads

        def read() -> tuple[JournalEntry, ...]:
            return tuple(reading.journal(threads, run_id, after=after))

        for entry in await self.engine.aside(read):
            yield entry

    async def watch(self, run: RunRef, *, after: int = 0) -> AsyncIterator[Watched]:
        """See `Mesh.watch`; an iterator to be used with `async for`."""
        async with aclosing(watch(self.engine.door, run_id_of(run), after=after)) as entries:
            async for entry in entries:
                yield entry

    async def diff(self, a: Version, b: Version) -> RunDiff:
        """See `Mesh.diff`."""
        before, after = comparing.version_of("a", a), comparing.version_of("b", b)
        return await self.engine.aside(comparing.compare, self.engine.door.threads, before, after)

    async def wait_for(
        self,
        run: RunRef,
        *,
        status: RunStatus | None = None,
        timeout: Duration | None = None,  # as `Mesh.wait_for` has it
    ) -> Run:
        """See `Mesh.wait_for`."""
        return await wait_for(self.engine.door, run_id_of(run), status=status, timeout=timeout)

    # -- upkeep

    async def reindex(self, run: RunRef | None = None) -> int:
        """See `Mesh.reindex`."""
        run_id = None if run is None else run_id_of(run)
        return await self.engine.aside(reindex, self.engine.door.threads, run_id)

    async def verify(self, run: RunRef | None = None, *, checker: bool = False) -> Report:
        """See `Mesh.verify`."""
        run_id = None if run is None else run_id_of(run)
        return await self.engine.aside(verify, self.engine.door.threads, run_id, checker=checker)

    async def prune(
        self,
        older_than: Duration | None = None,
        *,
        run: RunRef | None = None,
        plan: bool = False,
    ) -> Pruned:
        """See `Mesh.prune`."""
        checks.flag("plan", plan)
        what = pruning.asked(older_than, None if run is None else run_id_of(run))
        return await self.engine.aside(pruning.pruned, self.engine.door.threads, what, plan=plan)

    async def health(self) -> Health:
        """See `Mesh.health`."""
        host_time, performable = self._ports.host_time(), self.actions.performable()
        return await self.engine.aside(health, self.engine.door.threads, performable, host_time)

    # -- how

    async def _claim(self, crew: Crew) -> Claim | None:
        """One claim; what needs nobody is done on the way."""
        while True:
            taken = await self.engine.take(crew, 1)
            if taken.claims or not taken.appends:
                return taken.claims[0] if taken.claims else None

    async def _settle(self, claim: Claim, outcome: Outcome, now: datetime | None) -> Run:
        command = executing.settlement(claim, outcome, self._ports)
        instant = checks.instant("now", now)
        return answered(await self.engine.door.handle(claim.run_id, command, now=instant))
