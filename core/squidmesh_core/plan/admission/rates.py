"""Rates as people write them: `5/s`, `100/m`, `10/15m`, `1000/d`."""

import re
from typing import Final

from squidmesh_core.plan.admission.records import Rate

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_RATE: Final = re.compile(r"([0-9]{1,9})/([0-9]{0,5})([smhd])", re.ASCII)

#: What is said of everything that is no rate; the value itself is never echoed.
EXPECTED: Final = "a rate such as '5/s', '100/m' or '10/15m', at most 1000000 starts, a day at most"


def rate_from_text(text: object, *, burst: int | None = None) -> Rate:
    """
    The rate that a text means.

    Args:
        text: The number of starts, a slash, and the period.
        burst: Starts at once after a pause; null: those of one period.

    Raises:
        ValueError: It means none.
    """
    parts = _RATE.fullmatch(text) if isinstance(text, str) else None
    if parts is None:
        raise ValueError(f"expected {EXPECTED}")
    count, periods = int(parts[1]), int(parts[2] or 1)
    try:
        return Rate(
            count=count, per_ms=periods * _UNITS[parts[3]], burst=count if burst is None else burst
        )
    except ValueError:
        raise ValueError(f"expected {EXPECTED}") from None


def rate_to_text(rate: Rate) -> str:
    """The shortest text that `rate_from_text` reads back; the burst is told apart."""
    unit, size = max(
        ((unit, size) for unit, size in _UNITS.items() if rate.per_ms % size == 0),
        key=lambda one: one[1],
    )
    periods = rate.per_ms // size
    return f"{rate.count}/{'' if periods == 1 else periods}{unit}"
