"""
The token bucket: how many starts a rate has left.

    it holds            `burst` tokens at most
    in each period      `count` tokens drip in
    a start             takes one

Everything is counted in tokens times period, so a drip is `count` per millisecond
and a start takes `per_ms`: whole numbers, and no drift however often it is asked.

The clock is the storage's, and readings of several claims may come in another
order than the claims.  A reading a little behind the last one lets nothing drip
in until the clock has caught up; one far behind means that the clock was set
back, and dripping begins anew from there.
"""

from datetime import datetime, timedelta
from typing import Final

from attrs import evolve

from squidmesh_core.plan.admission.records import Bucket, Rate

MILLISECOND: Final = timedelta(milliseconds=1)
#: How far behind a reading may be without the clock having been set back.
LAG: Final = timedelta(seconds=10)


def refilled(bucket: Bucket | None, rate: Rate, now: datetime) -> Bucket:
    """What is in it now, by this rate; a bucket that was never used is full."""
    most = rate.burst * rate.per_ms
    if bucket is None:
        return Bucket(level=most, per_ms=rate.per_ms, at=now)
    # Filled by another rate: tokens keep their worth, a part of one is rounded down.
    level = bucket.level * rate.per_ms // bucket.per_ms
    if was_set_back(bucket, now):
        return Bucket(level=min(level, most), per_ms=rate.per_ms, at=now)
    elapsed = max(0, (now - bucket.at) // MILLISECOND)
    level += elapsed * rate.count
    if level >= most:  # it runs over, and so does what drips in within this millisecond
        return Bucket(level=most, per_ms=rate.per_ms, at=max(now, bucket.at))
    # Whole milliseconds only: the rest drips in next time.
    return Bucket(level=level, per_ms=rate.per_ms, at=bucket.at + elapsed * MILLISECOND)


def was_set_back(bucket: Bucket, now: datetime) -> bool:
    """Whether the clock was set back since the bucket was filled."""
    return now + LAG < bucket.at


def spent(bucket: Bucket, starts: int = 1) -> Bucket:
    """What is left after so many starts."""
    return evolve(bucket, level=bucket.level - starts * bucket.per_ms)


def token_at(bucket: Bucket, rate: Rate) -> datetime:
    """When the next start is possible: in the past if it is now."""
    missing = max(0, bucket.per_ms - bucket.level)
    return bucket.at + -(-missing // rate.count) * MILLISECOND
