"""`AsyncFiling`: the verbs of `squidmesh.files.verbs` as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from pathlib import Path

from squidmesh.aio.engine import AsyncVerbs
from squidmesh.files.lines import FilePath
from squidmesh.files.verbs import Filing
from squidmesh.views.snapshot import RunRef
from squidmesh_core.views.inspection import Run


class AsyncFiling(AsyncVerbs):
    """The verbs for files."""

    async def bundle(self, run: RunRef, path: FilePath) -> Path:
        """See `Mesh.bundle`."""
        return await self.engine.aside(self.engine.blocking(Filing).bundle, run, path)

    async def load(self, path: FilePath) -> Run:
        """See `Mesh.load`."""
        return await self.engine.aside(self.engine.blocking(Filing).load, path)

    async def export(self, path: FilePath) -> int:
        """See `Mesh.export`."""
        return await self.engine.aside(self.engine.blocking(Filing).export, path)

    async def restore(self, path: FilePath) -> int:
        """See `Mesh.restore`."""
        return await self.engine.aside(self.engine.blocking(Filing).restore, path)
