"""
The database's clock, carried forward between readings by this machine's monotonic one.

The machine's wall clock may be wrong by hours, and is never asked.
"""

import time
from datetime import datetime, timedelta
from typing import Final

#: Seconds after which the database is asked again.
LONGEST: Final = 10.0


def monotonic() -> float:
    """Seconds that never go back, and that go on while the machine is suspended."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class CarriedClock:
    """The last reading of another clock, and what time it has come to be there."""

    def __init__(self) -> None:
        #: A reading, and when it came here; replaced as one.
        self._last: tuple[datetime, float] | None = None

    def learn(self, reading: datetime) -> None:
        """Take a reading that has come just now: it is past by as long as it was on its way."""
        self._last = (reading, monotonic())

    def now(self) -> datetime | None:
        """The other clock's time; null: it has to be asked."""
        if self._last is None:
            return None
        reading, then = self._last
        passed = monotonic() - then
        return reading + timedelta(seconds=passed) if passed < LONGEST else None
