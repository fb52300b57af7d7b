"""`AsyncExecuting`: the verbs of `squidmesh.workers.verbs` as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from squidmesh import checks
from squidmesh.aio.engine import AsyncVerbs
from squidmesh.door.outcomes import answered
from squidmesh.duration import Duration
from squidmesh.workers import executing
from squidmesh.workers.claim import Claim
from squidmesh.workers.perform import Outcome, deferred, failed, succeeded
from squidmesh_core.views.inspection import Run


class AsyncExecuting(AsyncVerbs):
    """The verbs of whoever performs steps without a worker."""

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
        return await self.engine.take_one(crew)

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

    async def _settle(self, claim: Claim, outcome: Outcome, now: datetime | None) -> Run:
        door = self.engine.door
        command = executing.settlement(claim, outcome, door.threads.ports)
        handled = await door.handle(claim.run_id, command, now=checks.instant("now", now))
        if door.threads.has_outgrown(claim.run_id):
            await door.aside(door.threads.leave_checkpoint, claim.run_id)
        return answered(handled)
