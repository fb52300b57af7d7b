"""Ctrl-C at one moment after the other: wherever a signal may be heard of while a lock is taken."""

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final

_THREADING: Final = threading.__file__


class _Interrupting:
    """
    Interrupts this thread as the n-th function of `threading` returns to somebody else.

    What `threading` calls itself, as where it starts a thread, is Python's own affair.
    """

    def __init__(self, after: int) -> None:
        self._left = after
        self.struck = False

    def __call__(self, frame: FrameType, event: str, arg: object) -> "_Interrupting | None":
        del arg
        caller = frame.f_back
        if frame.f_code.co_filename != _THREADING or caller is None:
            return None
        if caller.f_code.co_filename == _THREADING:
            return None
        if event == "return" and not self.struck:
            self._left -= 1
            if self._left < 0:
                self.struck = True
                raise KeyboardInterrupt
        return self


def interrupted_everywhere(act: Callable[[], object], look: Callable[[], object]) -> None:
    """
    Interrupt an act at each of these moments in turn, and at last not at all.

    Args:
        act: What is interrupted.
        look: Looks, after each, at what it left behind.
    """
    moment, struck = 0, True
    while struck:
        interrupting, before = _Interrupting(moment), sys.gettrace()
        sys.settrace(interrupting)
        try:
            with suppress(KeyboardInterrupt):
                act()
        finally:
            sys.settrace(before)
        look()
        moment, struck = moment + 1, interrupting.struck
