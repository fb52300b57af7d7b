"""`AsyncUpkeeping`: the verbs of `squidmesh.upkeep.verbs` as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from squidmesh import checks
from squidmesh.aio.engine import AsyncVerbs
from squidmesh.door.reindex import reindex
from squidmesh.duration import Duration
from squidmesh.upkeep import pruning
from squidmesh.upkeep.pruned import Pruned
from squidmesh.upkeep.verifying import Report, verify
from squidmesh.views.reading import run_id_of
from squidmesh.views.snapshot import RunRef


class AsyncUpkeeping(AsyncVerbs):
    """The verbs that rebuild, verify and prune what is stored."""

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
