"""
One command per run at a time: the next is decided on what this one left.

Two at once would both be right, and one of them would have to be decided afresh.
"""

import asyncio
from collections import deque

from squidmesh_core.ids import RunId


class Turns:
    """Whose turn it is with which run, on one event loop."""

    def __init__(self) -> None:
        #: Runs that somebody is at, and who waits for the next turn, if anybody does.
        self._waiting: dict[RunId, deque[asyncio.Future[None]] | None] = {}

    def taken(self, run_id: RunId) -> bool:
        """Whether somebody is at this run; if nobody is, the turn is the caller's."""
        if run_id in self._waiting:
            return True
        self._waiting[run_id] = None
        return False

    async def wait(self, run_id: RunId) -> None:
        """Wait for one's turn with a run that is taken."""
        turn = asyncio.get_running_loop().create_future()
        waiting = self._waiting[run_id]
        if waiting is None:
            waiting = self._waiting[run_id] = deque()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.pass_on(run_id)  # it had come, and is not wanted any more
            raise

    def pass_on(self, run_id: RunId) -> None:
        """End one's turn; the next one who still waits has it."""
        waiting = self._waiting[run_id]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[run_id]
