"""`AsyncHooking`: the verbs that look at hooks, as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from squidmesh.aio.engine import AsyncVerbs
from squidmesh.workers.hooks.verbs import Hooking
from squidmesh_core.views.hooks import Hook


class AsyncHooking(AsyncVerbs):
    """The verbs that look at hooks, and forget them."""

    async def hooks(self) -> tuple[Hook, ...]:
        """See `Mesh.hooks`."""
        return await self.engine.aside(self.engine.blocking(Hooking).hooks)

    async def forget_hook(self, name: str) -> tuple[Hook, ...]:
        """See `Mesh.forget_hook`."""
        return await self.engine.aside(self.engine.blocking(Hooking).forget_hook, name)
