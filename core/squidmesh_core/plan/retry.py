"""
Retries: whether a failed attempt gets another one, and after how long.

    delay after attempt n = min(min_ms · 2^(n-1), max_ms), integer maths

A drawn number comes from the shell: with jitter it shortens the delay, down to
its half.  A step's `retry_after` may lengthen the delay up to the backoff's
cap, never shorten it; without a backoff there is no cap (specs/protocol.md §4).
"""

from collections.abc import Collection

from squidmesh_core.values import RetryPolicy
from squidmesh_core.values.policy import LONGEST_DELAY_MS

#: How long an attempt waits for other code, at first and at last.
_SOON_MS, _LATE_MS = 1_000, 60 * 60 * 1000


def retry_delay(
    policy: RetryPolicy | None,
    *,
    number: int,
    kinds: Collection[str],
    retryable: bool,
    retry_after_ms: int | None = None,
    jitter: float = 0.0,
) -> int | None:
    """
    Milliseconds until the next attempt, or null for none.

    Args:
        policy: The step's policy; without one nothing is retried.
        number: The attempt that just failed, counting from 1.
        kinds: Names of the exception's class and its bases; empty when the
            step asked for the retry itself, which `retry_on` does not narrow.
        retryable: False when the step said that no retry can help.
        retry_after_ms: What the step asked for.
        jitter: The shell's drawn number, 0 ≤ jitter < 1.
    """
    if policy is None or not retryable or number >= policy.max_attempts:
        return None
    if policy.retry_on and kinds and not set(policy.retry_on) & set(kinds):
        return None
    delay, cap = 0, LONGEST_DELAY_MS
    if policy.backoff is not None:
        cap = min(policy.backoff.max_ms, LONGEST_DELAY_MS)
        # 2^62 ms is past every cap, and keeps the shift small.
        delay = min(policy.backoff.min_ms << min(number - 1, 62), cap)
    if policy.jitter:
        delay -= int(delay * jitter / 2)
    if retry_after_ms is not None:
        delay = max(delay, min(retry_after_ms, cap))
    return delay


def other_code_delay(deferrals: int) -> int:
    """
    Milliseconds until an attempt is offered again that does not fit a worker's code.

    Another worker may have the code already, or the deploy is still to come: a second,
    twice as long each time, an hour at last.

    Args:
        deferrals: How often it was deferred before.
    """
    return min(_SOON_MS << min(deferrals, 62), _LATE_MS)
