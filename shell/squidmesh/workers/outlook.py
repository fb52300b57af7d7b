"""
What is known to wait while a worker has no slot free.

A slot goes on with its run for a while, unless more urgent work waits in the queue.
Nobody else would see it: whoever has no slot free claims nothing.  So the worker looks,
as often as `LOOK` says and no longer than it makes a difference.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from squidmesh.workers.loop import LONGEST_STRAND, LOOK

LOG: Final = logging.getLogger("squidmesh.worker")


class Outlook:
    """
    How urgent it is what waits, as one worker last saw it.

    Args:
        ask: By queue, the most urgent priority that waits (`Journal.foremost`).
        monotonic: Seconds on a clock that never steps back.
    """

    def __init__(
        self,
        ask: Callable[[], Mapping[str, int]] = dict,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._waiting: Mapping[str, int] = {}
        #: Not again before this instant.
        self._next = monotonic()
        #: From this instant on every slot lets go of its run anyway.
        self._until = self._next

    @property
    def waiting(self) -> Mapping[str, int]:
        """By queue; replaced as a whole, never changed."""
        return self._waiting

    @property
    def due(self) -> bool:
        """Whether it is time to look, and some slot would go by what is seen."""
        return self._next <= self._monotonic() < self._until

    def begun(self) -> None:
        """A slot has begun with a run: for so long it goes on, if nothing urgent waits."""
        self._until = self._monotonic() + LONGEST_STRAND

    def look(self) -> None:
        """Look if it is time; nothing is known to wait if that fails."""
        if not self.due:
            return
        self._next = self._monotonic() + LOOK
        try:
            self._waiting = self._ask()
        except Exception as error:  # whatever it is, slots go on without; settling tells of it
            self._waiting = {}
            LOG.debug("nobody knows what waits: %s", error, exc_info=error)

    def clear(self) -> None:
        """Nothing is known to wait any more: whoever is about to claim finds out."""
        self._waiting = {}
