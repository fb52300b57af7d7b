"""`AsyncViewing`: the verbs of `squidmesh.views.verbs` as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from squidmesh import checks
from squidmesh.aio.engine import AsyncVerbs
from squidmesh.aio.stream import watch
from squidmesh.aio.waiting import wait_for
from squidmesh.duration import Duration
from squidmesh.views import comparing, listing, reading
from squidmesh.views.board import deadlines
from squidmesh.views.comparing import Version
from squidmesh.views.counting import counts
from squidmesh.views.filtering import BoardFilters, RunFilters
from squidmesh.views.health import Health, health
from squidmesh.views.inbox import OpenGate, approvals
from squidmesh.views.paging import Page
from squidmesh.views.reading import JournalEntry, run_id_of
from squidmesh.views.snapshot import RunRef, Snapshot
from squidmesh.views.stream import Watched
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.values.scope import Scope
from squidmesh_core.views.board import Board
from squidmesh_core.views.counts import Counts
from squidmesh_core.views.diff import RunDiff
from squidmesh_core.views.inspection import Run

if TYPE_CHECKING:
    from squidmesh_core.views.explanation import Explanation
    from squidmesh_core.views.graph import RunGraph


class AsyncViewing(AsyncVerbs):
    """The verbs that read runs and tell of them; none of them changes one."""

    async def inspect(
        self,
        run: RunRef,
        *,
        history: bool = False,
        at: int | datetime | None = None,
        now: datetime | None = None,
        scope: Scope = "auditor",
    ) -> Snapshot:
        """See `Mesh.inspect`."""
        run_id, threads = run_id_of(run), self.engine.door.threads
        return await self.engine.aside(
            reading.inspect, threads, run_id, history=history, at=at, now=now, scope=scope
        )

    async def explain(self, run: RunRef, *, now: datetime | None = None) -> Explanation:
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
    ) -> RunGraph:
        """See `Mesh.graph`."""
        from squidmesh.views.graphing import graph  # few ask for it, and it is large

        run_id, threads = run_id_of(run), self.engine.door.threads
        return await self.engine.aside(graph, threads, run_id, history=history, at=at, now=now)

    async def runs(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Unpack[RunFilters]
    ) -> Page[Run]:
        """See `Mesh.runs`."""
        engine = self.engine
        return await engine.aside(listing.runs, engine.door.threads, filters, cursor, limit)

    async def deadlines(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        now: datetime | None = None,
        **filters: Unpack[BoardFilters],
    ) -> Board:
        """See `Mesh.deadlines`."""
        engine = self.engine
        return await engine.aside(deadlines, engine.door.threads, filters, cursor, limit, now)

    async def counts(self, *, now: datetime | None = None) -> Counts:
        """See `Mesh.counts`."""
        instant, engine = checks.instant("now", now), self.engine
        return await engine.aside(counts, engine.door.threads, instant)

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

    async def health(self) -> Health:
        """See `Mesh.health`."""
        host_time, performable = (
            self.engine.engine.door.ports.host_time(),
            self.engine.engine.actions.performable(),
        )
        return await self.engine.aside(health, self.engine.door.threads, performable, host_time)
