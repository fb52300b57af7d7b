"""A URL becomes a journal for an event loop; nothing is opened before the mesh is entered."""

import asyncio
from collections.abc import Awaitable, Callable

from squidmesh import checks, opening
from squidmesh_storage.aio import AsyncJournal

#: Opens a journal, each time a mesh is entered.
OpenJournal = Callable[[], Awaitable[AsyncJournal]]


def at_url(url: str, *, migrate: bool) -> OpenJournal:
    """
    What opens the journal behind a URL; it raises what `opening.open_journal` raises.

    Args:
        url: See `opening`.
        migrate: Bring an older schema up to date first.

    Raises:
        ConfigError: `migrate` is neither true nor false.
    """

    checks.flag("migrate", migrate)

    async def open_journal() -> AsyncJournal:
        if migrate:
            await asyncio.to_thread(opening.bring_up_to_date, url)
        return opening.for_event_loop(await asyncio.to_thread(opening.open_journal, url))

    return open_journal
