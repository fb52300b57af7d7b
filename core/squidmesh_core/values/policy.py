"""Policies of a step: how often to retry, when it is late, what undoes it."""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import frozen

Escalation = Literal["diagnostic", "operator_action", "workflow_step", "host_callback"]

#: What a compensation callback gets when its step names no policy (protocol §5).
COMPENSATION_ATTEMPTS: Final = 5


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
    """What may be done about a step once it is applied (reference §16.1)."""

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


def retry_from_json(data: object) -> RetryPolicy:
    """
    Read what `retry_to_json` wrote; left-out members are at their default.

    Raises:
        ValueError: The data is no retry policy.
    """
    known = _known(data, {"max_attempts", "backoff", "jitter", "retry_on"})
    backoff = known.get("backoff")
    exponential = None
    if backoff is not None:
        delays = _known(backoff, {"type", "min_ms", "max_ms"})
        if delays.get("type") != "exponential":
            raise ValueError(f"expected the backoff type 'exponential', not {delays.get('type')!r}")
        exponential = Exponential(
            min_ms=_positive(delays.get("min_ms"), "min_ms"),
            max_ms=_positive(delays.get("max_ms"), "max_ms"),
        )
    retry_on = known.get("retry_on") or []
    if not isinstance(retry_on, list) or not all(isinstance(name, str) for name in retry_on):
        raise ValueError(f"expected a list of class names, not {retry_on!r}")
    jitter = known.get("jitter", False)
    if not isinstance(jitter, bool):
        raise ValueError(f"expected true or false for jitter, not {jitter!r}")
    return RetryPolicy(
        max_attempts=_positive(known.get("max_attempts"), "max_attempts"),
        backoff=exponential,
        jitter=jitter,
        retry_on=tuple(retry_on),
    )


def deadline_to_json(policy: DeadlinePolicy) -> dict[str, object]:
    """The JSON form of a deadline; `target` only when set."""
    data: dict[str, object] = {
        "within_ms": policy.within_ms,
        "due_soon_ms": policy.due_soon_ms,
        "escalate_after_ms": policy.escalate_after_ms,
        "escalation": policy.escalation,
    }
    return data if policy.target is None else {**data, "target": policy.target}


def deadline_from_json(data: object) -> DeadlinePolicy:
    """
    Read what `deadline_to_json` wrote; left-out members are at their default.

    Raises:
        ValueError: The data is no deadline.
    """
    members = {"within_ms", "due_soon_ms", "escalate_after_ms", "escalation", "target"}
    known = _known(data, members)
    escalation = known.get("escalation", "diagnostic")
    if escalation not in {"diagnostic", "operator_action", "workflow_step", "host_callback"}:
        raise ValueError(f"unknown escalation {escalation!r}")
    target = known.get("target")
    if target is not None and not isinstance(target, str):
        raise ValueError(f"expected a text as target, not {target!r}")
    within = _positive(known.get("within_ms"), "within_ms")
    due_soon = _at_least_zero(known.get("due_soon_ms"), "due_soon_ms")
    if due_soon is not None and due_soon >= within:
        raise ValueError(f"due_soon_ms {due_soon} is not less than within_ms {within}")
    return DeadlinePolicy(
        within_ms=within,
        due_soon_ms=due_soon,
        escalate_after_ms=_at_least_zero(known.get("escalate_after_ms"), "escalate_after_ms"),
        escalation=escalation,
        target=target,
    )


def _known(data: object, members: set[str]) -> Mapping[str, object]:
    if not isinstance(data, Mapping):
        raise ValueError(f"expected a mapping, not {data!r}")
    if unknown := sorted(set(data) - members):
        raise ValueError(f"unknown members {unknown}; known are {sorted(members)}")
    return data


def _positive(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"expected a whole number of at least 1 for {name}, not {value!r}")
    return value


def _at_least_zero(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"expected a whole number of at least 0 for {name}, not {value!r}")
    return value
