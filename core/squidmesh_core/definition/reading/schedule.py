"""
Schedules: cron expressions and time zones, really parsed.

croniter and zoneinfo know the calendar, and neither reads the clock here: the
expression is tried from a fixed day.
"""

import re
from datetime import UTC, datetime
from typing import Final, Protocol, cast
from zoneinfo import ZoneInfo

from squidmesh_core.definition.reading import members
from squidmesh_core.definition.reading.source import UnreadableError, shown

#: A day to look for the first slot from; any would do.
_SOME_DAY: Final = datetime(2024, 1, 1, tzinfo=UTC)
#: `R` and `H` are croniter's own: slots drawn by chance, or from a hash.
_DRAWN: Final = re.compile(r"(?:^|[\s,])[hr](?![a-z])", re.IGNORECASE)


class _Slots(Protocol):
    def get_next(self, ret_type: type[datetime]) -> datetime: ...


def expression(value: object) -> str:
    """A cron expression that has a slot at all."""
    written = members.title(value)
    if _DRAWN.search(written):
        raise UnreadableError(f"{shown(written)} draws its slots; a schedule must be repeatable")
    try:
        _slots(written).get_next(datetime)
    except (ValueError, KeyError, OverflowError) as problem:
        # croniter says what is wrong with the syntax, or that no day fits.
        raise UnreadableError(f"{shown(written)} is no schedule: {problem}") from None
    return written


def timezone(value: object) -> str:
    """The IANA name of a time zone."""
    name = members.title(value)
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise UnreadableError(
            f"there is no time zone {shown(name)}", hint="Write a name like Europe/Lisbon."
        ) from None
    return name


def _slots(written: str) -> _Slots:
    # croniter costs milliseconds to import, and most programs have no schedule.
    from croniter import croniter

    return cast("_Slots", croniter(written, _SOME_DAY))
