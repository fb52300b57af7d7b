"""What limits a queue, as people set it, and what one claim leaves for the next."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from attrs import Factory, frozen

#: What may hold an attempt back, in the order it is looked at.
RefusalKind = Literal["paused", "concurrency", "per_key", "rate"]

#: Starts per period, and at once, at most: a level then fits every database's integers.
MOST_STARTS: Final = 1_000_000
#: Milliseconds of the longest period: a day.
LONGEST_PERIOD_MS: Final = 86_400_000


@frozen(kw_only=True)
class Rate:
    """How many attempts may start in a time: a token bucket."""

    #: Starts in one period.
    count: int
    #: The period, in milliseconds.
    per_ms: int
    #: Starts at once after a pause; what the bucket holds when it is full.
    burst: int

    def __attrs_post_init__(self) -> None:
        """
        Build it valid or not at all.

        Raises:
            ValueError: A member is out of range.
        """
        if not 1 <= self.count <= MOST_STARTS or not 1 <= self.burst <= MOST_STARTS:
            raise ValueError(f"expected 1 to {MOST_STARTS} starts")
        if not 1 <= self.per_ms <= LONGEST_PERIOD_MS:
            raise ValueError("expected a period of 1 ms to a day")


@frozen(kw_only=True)
class Paused:
    """Somebody has stopped a queue: what is claimed settles, nothing else is claimed."""

    at: datetime
    #: A name, or facts about somebody; null: nobody said.
    by: object = None
    note: str | None = None
    metadata: Mapping[str, object] = Factory(dict)


@frozen(kw_only=True)
class QueueSettings:
    """What limits a queue; null members do not."""

    #: Attempts of the queue that are held at once.
    concurrency: int | None = None
    #: The same, of each partition key; those without a key share one.
    per_key: int | None = None
    rate: Rate | None = None
    paused: Paused | None = None
    #: Members that a newer squidmesh has written: kept, and otherwise unknown here.
    unknown: Mapping[str, object] = Factory(dict)

    @property
    def limits_nothing(self) -> bool:
        """Whether the queue is as good as never set up."""
        return self == QueueSettings()


@frozen(kw_only=True)
class Bucket:
    """What is left of a rate."""

    #: Tokens times `per_ms`: whole numbers, so that no start is ever lost or won by rounding.
    level: int
    #: What one token is: the period of the rate it was filled by, in milliseconds.
    per_ms: int
    #: When that was.
    at: datetime

    def __attrs_post_init__(self) -> None:
        """
        Build it valid or not at all.

        Raises:
            ValueError: A member is out of range.
        """
        if self.level < 0 or not 1 <= self.per_ms <= LONGEST_PERIOD_MS:
            raise ValueError("expected a level that is not negative, and a period up to a day")


@frozen(kw_only=True)
class Turn:
    """Which partition key had the last turn among attempts of one priority."""

    priority: int
    key: str | None


@frozen(kw_only=True)
class Refusal:
    """What held attempts of a queue back."""

    kind: RefusalKind
    #: Since when nothing about it has changed.
    since: datetime
    #: Whose limit it is, if each partition key has its own; null also for those without.
    key: str | None = None
    #: How many there may be; null: none at all.
    limit: int | None = None
    #: When it lets go, if that is known.
    until: datetime | None = None


@frozen(kw_only=True)
class LaneState:
    """What the claims of one queue leave for later ones."""

    #: Null: full.
    bucket: Bucket | None = None
    #: The least recent first.
    turns: tuple[Turn, ...] = ()
    #: The newest of each kind; none of what has let go.
    refusals: tuple[Refusal, ...] = ()
