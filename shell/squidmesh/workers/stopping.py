"""
How a process is told to stop: the first SIGTERM or SIGINT asks to drain, the next ends it.

Whoever waits for a drain is none of those that the drain waits for.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from squidmesh_core.errors import Refused

#: The signals that ask.
ASKING: Final = (signal.SIGTERM, signal.SIGINT)
#: Seconds between two looks at whether an async step that was interrupted goes on: one that
#: does at both is left behind.
GRACE: Final = 5.0


def waits_for_itself() -> Refused:
    """What a step or a hook is told that would wait for the drain which waits for it."""
    return Refused(
        "a step or a hook cannot wait for its own worker to end, nor close its own mesh; nothing "
        "was done: `drain_soon()` asks the worker to stop and waits for nothing, and the mesh is "
        "closed where it was opened",
        "waits_for_itself",
        {},
    )


@contextmanager
def asked_by_signals(
    ask: Callable[[], object], *, at_once: Callable[[], object] | None = None
) -> Iterator[None]:
    """
    Within the block the first signal asks to drain, and the next one ends the process.

    Args:
        ask: Called on the main thread, which may hold any lock: it may take none.
        at_once: Called the same way before the process ends.
    """
    before = {number: signal.getsignal(number) for number in ASKING}

    def on_first(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # as signals call it
        ask()
        for each in ASKING:
            # Python's own handler would raise, and then wait for the steps after all.
            signal.signal(each, signal.SIG_DFL if at_once is None else on_second)

    def on_second(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # as signals call it
        if at_once is not None:
            at_once()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    for number in ASKING:
        signal.signal(number, on_first)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
