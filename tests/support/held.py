"""A step that stays until it may leave, so that a test can act meanwhile."""

import threading
from typing import Final

#: Seconds after which nobody waits any more.
PATIENCE: Final = 20.0


class HeldStep:
    """Give `step` to a worker, wait `until_inside`, and `leave.set()`."""

    def __init__(self) -> None:
        self.leave: Final = threading.Event()
        self._inside: Final = threading.Event()

    def step(self) -> int:
        """Return 1, but not before it may leave."""
        self._inside.set()
        self.leave.wait(PATIENCE)
        return 1

    def until_inside(self) -> None:
        """Wait until a worker performs it."""
        assert self._inside.wait(PATIENCE)
