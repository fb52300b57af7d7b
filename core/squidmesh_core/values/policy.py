"""Policies of a step: how often to retry, when it is late, what undoes it."""

from typing import Final, Literal, get_args

from attrs import frozen

Escalation = Literal["diagnostic", "operator_action", "workflow_step", "host_callback"]
ESCALATIONS: Final[tuple[Escalation, ...]] = get_args(Escalation)
#: No wait, and no delay between tries, is longer: 366 days.  More is a mistake in the unit.
LONGEST_DELAY_MS: Final = 366 * 24 * 60 * 60 * 1000


@frozen(kw_only=True)
class Exponential:
    """Delays that double from `min_ms` and never pass `max_ms`."""

    min_ms: int
    max_ms: int


@frozen(kw_only=True)
class RetryPolicy:
    """How often a step is tried; attempts count the first one."""

    max_attempts: int
    backoff: Exponential | None = None
    #: Whether the shell's drawn number shortens each delay, down to its half.
    jitter: bool = False
    #: Names of the exception classes that may be retried; empty: all.
    retry_on: tuple[str, ...] = ()


@frozen(kw_only=True)
class DeadlinePolicy:
    """When people should notice; it never changes execution."""

    within_ms: int
    due_soon_ms: int | None = None
    escalate_after_ms: int | None = None
    escalation: Escalation = "diagnostic"
    #: Whom or what to tell, a text of the host.
    target: str | None = None


@frozen(kw_only=True)
class RecoveryPolicy:
    """What may be done about a step once it is applied (specs/protocol.md §5, §6)."""

    irreversible: bool = False
    compensatable: bool = True
    #: Action key of the callback that undoes the step.
    compensate: str | None = None
    compensate_retry: RetryPolicy | None = None


def retry_to_json(policy: RetryPolicy) -> dict[str, object]:
    """The JSON form of a retry policy."""
    backoff = policy.backoff
    return {
        "max_attempts": policy.max_attempts,
        "backoff": backoff
        and {"type": "exponential", "min_ms": backoff.min_ms, "max_ms": backoff.max_ms},
        "jitter": policy.jitter,
        "retry_on": list(policy.retry_on),
    }


def deadline_to_json(policy: DeadlinePolicy) -> dict[str, object]:
    """The JSON form of a deadline; `target` only when set."""
    data: dict[str, object] = {
        "within_ms": policy.within_ms,
        "due_soon_ms": policy.due_soon_ms,
        "escalate_after_ms": policy.escalate_after_ms,
        "escalation": policy.escalation,
    }
    return data if policy.target is None else {**data, "target": policy.target}
