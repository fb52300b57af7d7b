"""All families: those that every change is tested with, and those of the long form."""

from typing import Final

from explore.families import cancels, claims, gates, joins, messages, mixed, saga, unknown
from explore.family import Family

#: A minute of one core at most; no fewer states than this in all.
CI_STATES: Final = 250_000
CI: Final[tuple[Family, ...]] = (
    claims.CI,
    unknown.CI,
    unknown.CANCELLED,
    gates.CI,
    gates.HELD,
    saga.CI,
    joins.CI,
    cancels.CI,
    messages.CI,
)
LONG: Final[tuple[Family, ...]] = (
    *CI,
    claims.SLOTS,
    claims.THREE,
    unknown.FOUR,
    unknown.CHAINED,
    gates.WORKERS,
    gates.HELD_WORKERS,
    saga.THREE,
    saga.AGAIN,
    joins.ALL,
    cancels.TORN,
    cancels.WORKERS,
    messages.WORKERS,
    mixed.GATE,
    mixed.TIMED,
    mixed.WAITS,
    mixed.LOOP,
    mixed.SIBLINGS,
)
