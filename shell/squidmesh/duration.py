"""
Durations: a `timedelta` or a text of `ms s m h d` parts, kept in whole milliseconds.

    "90m"   "1h30m"   "250ms"   timedelta(seconds=1)

Largest unit first, each unit at most once.
"""

import re
from datetime import timedelta
from typing import Final

from squidmesh_core.errors import ConfigError

Duration = timedelta | str

_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
#: Python reads no integer of thousands of digits; no duration has more than these.
_PARTS: Final = re.compile("".join(rf"(?:(\d{{1,18}}){unit})?" for unit in _UNITS), re.ASCII)
_MILLISECOND: Final = timedelta(milliseconds=1)

#: What is said of everything that is no duration; the value itself is never echoed.
EXPECTED: Final = "a timedelta of whole milliseconds or a text such as '90s', '1h30m' or '3d'"


def parse_duration(duration: object) -> int:
    """
    The milliseconds of a duration, zero included.

    Raises:
        ValueError: It is not a duration, is negative, or is finer than a millisecond.
    """
    if isinstance(duration, timedelta):
        milliseconds, rest = divmod(duration, _MILLISECOND)
        if rest or milliseconds < 0:
            raise ValueError(f"expected {EXPECTED}")
        return milliseconds
    if isinstance(duration, str) and duration and (parts := _PARTS.fullmatch(duration)):
        counts = (int(count or 0) for count in parts.groups())
        return sum(n * unit for n, unit in zip(counts, _UNITS.values(), strict=True))
    raise ValueError(f"expected {EXPECTED}")


def duration_ms(duration: object, *, option: str) -> int:
    """
    The milliseconds of a duration that a host passed as an option.

    Raises:
        ConfigError: It is not a duration; the message names the option, never the value.
    """
    try:
        return parse_duration(duration)
    except ValueError as exc:
        details = {"option": option, "reason": str(exc)}
        message = f"the option {option} is no duration: {exc}"
        raise ConfigError(message, "invalid_option", details) from None


def format_duration(milliseconds: int) -> str:
    """The shortest text that `parse_duration` reads back; `0ms` for nothing."""
    parts: list[str] = []
    for unit, size in _UNITS.items():
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0ms"
