"""The line between a running step and whoever performs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from squidmesh_core.canonical import storable

if TYPE_CHECKING:  # a mesh with sync steps only never loads asyncio
    import asyncio
    from collections.abc import Callable, Mapping


class StepSignals:
    """
    What a step can learn while it runs, and what it says of itself.

    The flags only ever go from false to true, and progress is replaced as a
    whole, so threads need no lock.
    """

    def __init__(self) -> None:
        #: The lease is gone: whatever the step returns will be refused.
        self.lost = False
        #: The step should stop: its run ended or undoes its steps, or its time is over.
        self.cancelled = False
        #: It took longer than it may: whatever it returns, the attempt has failed.
        self.timed_out = False
        #: What an async step runs in, once it does.
        self.task: asyncio.Task[object] | None = None
        self._progress: Mapping[str, object] | None = None
        self._interrupt: Callable[[], object] | None = None

    def lose(self, *, cancelled: bool) -> None:
        """Tell the step that its lease is gone; an async step is interrupted."""
        self.cancelled = self.cancelled or cancelled
        self.lost = True
        if self._interrupt is not None:
            self._interrupt()

    def cancel(self) -> None:
        """Tell the step that its run wants nothing more of it; its result still counts."""
        self.cancelled = True

    def time_out(self) -> None:
        """Tell the step that its time is over; an async step is interrupted."""
        self.timed_out = self.cancelled = True
        if self._interrupt is not None:
            self._interrupt()

    def interruptible(self, interrupt: Callable[[], object]) -> None:
        """Interrupt the step like this from now on, and at once if it is over already."""
        self._interrupt = interrupt
        if self.lost or self.timed_out:
            interrupt()

    @property
    def ignored(self) -> bool:
        """Whether an async step was interrupted, by us or by its host, and goes on."""
        task = self.task
        if task is None or task.done():
            return False
        return self.lost or self.timed_out or task.cancelling() > 0

    def progress(self, done: float, of: float | None, note: str | None) -> None:
        """
        Keep it for the next heartbeat to carry.

        Raises:
            StorageError: `not_storable`: a number is no number, or the note no text.
        """
        said: dict[str, object] = {"done": done}
        if of is not None:
            said["of"] = of
        if note is not None:
            said["note"] = note
        stored = storable(said, where="the progress")
        self._progress = stored if isinstance(stored, dict) else None

    def take_progress(self) -> Mapping[str, object] | None:
        """What was said last and not carried yet."""
        said, self._progress = self._progress, None
        return said
