"""A journal in which somebody else comes before a settlement."""

from collections.abc import Callable, Sequence

from squidmesh_storage.api import Batch, Outcome
from squidmesh_storage.memory import MemoryJournal


class Overtaken(MemoryJournal):
    """In which something else is done before the first settlement is written."""

    def __init__(self) -> None:
        super().__init__()
        #: What that is; null: it is done, or there is nothing to do.
        self.before: Callable[[], object] | None = None

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append, after what comes before it."""
        if self.before is not None and "attempt_completed" in batches[0].record.body:
            before, self.before = self.before, None
            before()
        return super().append(batches)
