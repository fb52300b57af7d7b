"""How a process is told to stop: the first SIGTERM or SIGINT asks to drain, the next ends it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

#: The signals that ask.
ASKING: Final = (signal.SIGTERM, signal.SIGINT)


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
