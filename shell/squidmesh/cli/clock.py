"""The clock that people read by: of this host, for ages and for `in 5 min`; it decides nothing."""

from datetime import UTC, datetime


def now() -> datetime:
    """This instant."""
    return datetime.now(UTC)
