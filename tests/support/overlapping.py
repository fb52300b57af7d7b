"""A journal that sees whether a worker claims while what ends a run is being written."""

import threading
from collections.abc import Sequence
from typing import Any

from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.memory import MemoryJournal
from support.held import PATIENCE


class Overlapping(MemoryJournal):
    """In which the end of a run is not durable before somebody has looked for more work."""

    def __init__(self) -> None:
        super().__init__()
        self._ending, self._looked = threading.Event(), threading.Event()
        #: Of each end: whether somebody had looked by then.
        self.overlapped: list[bool] = []

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append, and before that wait for a look if this is an end."""
        if any("run_terminal" in batch.record.body for batch in batches):
            self._ending.set()
            self.overlapped.append(self._looked.wait(PATIENCE))
        return super().append(batches)

    def claimable(self, *arguments: Any, **options: Any) -> Any:
        """Claim, and tell an end that waits for it."""
        offered = super().claimable(*arguments, **options)
        if self._ending.is_set():
            self._looked.set()
        return offered
