"""Watching a run on an event loop: `squidmesh.views.stream`, awaited."""

from collections.abc import AsyncGenerator

from squidmesh.aio.door import AsyncDoor
from squidmesh.aio.waiting import Moved
from squidmesh.views.stream import Stream, Watched
from squidmesh_core.ids import RunId


async def watch(door: AsyncDoor, run_id: RunId, *, after: int = 0) -> AsyncGenerator[Watched]:
    """
    The entries of a run as they are committed, until it is over.

    Raises:
        SquidmeshError: What `squidmesh.views.stream.watch` raises.
    """
    threads, stream = door.threads, Stream(run_id, after)
    with threads.watchers.watching(run_id, Moved()) as moved:
        while True:
            for entry in await door.aside(stream.read, threads):
                yield entry
            if stream.over:
                return
            await moved.wait(stream.rest())
