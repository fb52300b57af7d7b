"""`AsyncQueueing`: the verbs of `squidmesh.queues.verbs` as coroutines; `AsyncMesh` has them all."""

from __future__ import annotations

from typing import Unpack

from squidmesh.aio.engine import AsyncVerbs
from squidmesh.queues.limits import QueueCommand, QueueLimits
from squidmesh.queues.queue import Queue
from squidmesh.queues.verbs import Queueing
from squidmesh.workers.registry import WorkerInfo


class AsyncQueueing(AsyncVerbs):
    """The verbs that look at queues and workers, and set queues up."""

    async def queues(self) -> tuple[Queue, ...]:
        """See `Mesh.queues`."""
        return await self.engine.aside(self.engine.blocking(Queueing).queues)

    async def workers(self) -> tuple[WorkerInfo, ...]:
        """See `Mesh.workers`."""
        return await self.engine.aside(self.engine.blocking(Queueing).workers)

    async def set_queue(self, name: str, **limits: Unpack[QueueLimits]) -> Queue:
        """See `Mesh.set_queue`."""
        return await self.engine.aside(self.engine.blocking(Queueing).set_queue, name, **limits)

    async def pause_queue(self, name: str, **options: Unpack[QueueCommand]) -> Queue:
        """See `Mesh.pause_queue`."""
        return await self.engine.aside(self.engine.blocking(Queueing).pause_queue, name, **options)

    async def resume_queue(self, name: str, **options: Unpack[QueueCommand]) -> Queue:
        """See `Mesh.resume_queue`."""
        return await self.engine.aside(self.engine.blocking(Queueing).resume_queue, name, **options)
