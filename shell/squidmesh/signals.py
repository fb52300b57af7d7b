"""The line between a running step and whoever performs it."""

from collections.abc import Mapping


class StepSignals:
    """
    What a step can learn while it runs, and what it says of itself.

    The flags only ever go from false to true, and progress is replaced as a
    whole, so threads need no lock.
    """

    def __init__(self) -> None:
        #: The lease is gone: whatever the step returns will be refused.
        self.lost = False
        #: The step should stop: its run ended.
        self.cancelled = False
        self._progress: Mapping[str, object] | None = None

    def progress(self, done: float, of: float | None, note: str | None) -> None:
        """Keep it for the next heartbeat to carry."""
        said: dict[str, object] = {"done": done}
        if of is not None:
            said["of"] = of
        if note is not None:
            said["note"] = note
        self._progress = said

    def take_progress(self) -> Mapping[str, object] | None:
        """What was said last and not carried yet."""
        said, self._progress = self._progress, None
        return said
