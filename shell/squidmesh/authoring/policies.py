"""Policies as hosts write them: `Retries` and `Deadline`."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from squidmesh.authoring.modules import class_name
from squidmesh.duration import Duration, parse_duration
from squidmesh_core.values import DeadlinePolicy, Exponential, RetryPolicy
from squidmesh_core.values.policy import ESCALATIONS, Escalation


@frozen
class Retries:
    """How often a step is tried; what is wrong with it is said when its class ends."""

    #: Counts the first try.
    attempts: int
    #: `none`: tried again at once; `exponential`: after `first`, doubled from try to try.
    backoff: Literal["none", "exponential"] = field(default="none", kw_only=True)
    #: The delay before the second try, with a backoff.
    first: Duration = field(default="1s", kw_only=True)
    #: No delay is longer.
    cap: Duration = field(default="5m", kw_only=True)
    #: Whether chance shortens each delay, down to its half.
    jitter: bool = field(default=False, kw_only=True)
    #: Which exceptions are retried, with their subclasses; empty: all.
    on: tuple[type[BaseException], ...] = field(default=(), kw_only=True)


@frozen
class Deadline:
    """When people should notice that a node is late; it never changes execution."""

    #: Due so long after the clock of the node started.
    within: Duration
    #: How long before the end people are told that it comes near.
    due_soon: Duration | None = field(default=None, kw_only=True)
    #: How long after the end it is escalated.
    escalate_after: Duration | None = field(default=None, kw_only=True)
    #: What the host makes of it; handed on to hooks and views, and nothing else.
    escalate: Escalation = field(default="diagnostic", kw_only=True)
    #: Whom or what to tell, a text of the host.
    target: str | None = field(default=None, kw_only=True)


def retry_policy(retry: object) -> RetryPolicy:
    """
    The core's form of a retry option.

    Raises:
        ValueError: It is neither a number of attempts nor `Retries`, or one of its parts is wrong.
    """
    if isinstance(retry, int) and not isinstance(retry, bool):
        retry = Retries(retry)
    if not isinstance(retry, Retries):
        raise ValueError(f"expected a number of attempts or Retries(...), not {_kind(retry)}")
    if isinstance(retry.attempts, bool) or not isinstance(retry.attempts, int):
        raise ValueError(f"attempts: expected a whole number, not {_kind(retry.attempts)}")
    if retry.attempts < 1:
        raise ValueError("attempts count the first one, so at least 1 is expected")
    if retry.backoff not in ("none", "exponential"):  # whatever it is: also what has no hash
        raise ValueError("backoff: expected 'none' or 'exponential'")
    if not isinstance(retry.jitter, bool):
        raise ValueError(f"jitter: expected a bool, not {_kind(retry.jitter)}")
    if not isinstance(retry.on, tuple | list):
        raise ValueError(f"on: expected a tuple such as (OSError,), not {_kind(retry.on)}")
    return RetryPolicy(
        max_attempts=retry.attempts,
        backoff=_backoff(retry) if retry.backoff == "exponential" else None,
        jitter=retry.jitter,
        retry_on=tuple(_class_name(cls) for cls in retry.on),
    )


def deadline_policy(deadline: object) -> DeadlinePolicy:
    """
    The core's form of a deadline.

    Raises:
        ValueError: It is no `Deadline`, or one of its parts is wrong.
    """
    if not isinstance(deadline, Deadline):
        raise ValueError(f"expected Deadline(...), not {_kind(deadline)}")
    if deadline.escalate not in ESCALATIONS:
        raise ValueError(f"escalate: expected one of {', '.join(ESCALATIONS)}")
    if deadline.target is not None and not isinstance(deadline.target, str):
        raise ValueError(f"target: expected a text, not {_kind(deadline.target)}")
    within = _milliseconds("within", deadline.within, at_least=1)
    optional: Mapping[str, Duration | None] = {
        "due_soon": deadline.due_soon,
        "escalate_after": deadline.escalate_after,
    }
    parts = {k: None if v is None else _milliseconds(k, v) for k, v in optional.items()}
    if parts["due_soon"] is not None and parts["due_soon"] >= within:
        raise ValueError("due_soon counts back from the end, so it is shorter than within")
    return DeadlinePolicy(
        within_ms=within,
        due_soon_ms=parts["due_soon"],
        escalate_after_ms=parts["escalate_after"],
        escalation=deadline.escalate,
        target=deadline.target,
    )


def _backoff(retry: Retries) -> Exponential:
    first = _milliseconds("first", retry.first, at_least=1)
    cap = _milliseconds("cap", retry.cap, at_least=1)
    if first > cap:
        raise ValueError("first is longer than cap")
    return Exponential(min_ms=first, max_ms=cap)


def _class_name(cls: object) -> str:
    if not isinstance(cls, type) or not issubclass(cls, BaseException):
        raise ValueError(f"on: expected exception classes, not {_kind(cls)}")
    return class_name(cls)


def _milliseconds(part: str, duration: object, *, at_least: int = 0) -> int:
    try:
        milliseconds = parse_duration(duration)
    except ValueError as exc:
        raise ValueError(f"{part}: {exc}") from None
    if milliseconds < at_least:
        raise ValueError(f"{part}: expected more than nothing")
    return milliseconds


def _kind(value: object) -> str:
    return type(value).__name__
