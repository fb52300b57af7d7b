"""
What a step may answer besides its output.

Each of the three can be returned, so that the signature shows it, or raised
from deep inside; both mean the same.
"""

from collections.abc import Mapping
from datetime import datetime

from squidmesh.duration import Duration, duration_ms
from squidmesh_core.errors import ConfigError


class StepResult(Exception):  # an answer, not an error
    """What `Retry`, `Defer` and `Fail` have in common: equality, pickling, details."""

    #: JSON-safe facts, kept with the attempt.
    details: Mapping[str, object]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by state: the constructors take keywords, which exceptions would lose."""
        return _restore, (type(self), self.args, self.__dict__)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.args == other.args and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class Retry(StepResult):
    """
    Try again later, as the step's retry policy allows.

    Args:
        message: Why, for people.
        after: Lengthens the policy's delay up to its cap, never shortens it.
        code: A stable word of the host, kept beside the error's kind.
        details: JSON-safe facts.

    Raises:
        ConfigError: `after` is not a duration.
    """

    def __init__(
        self,
        message: str = "",
        *,
        after: Duration | None = None,
        code: str | None = None,
        **details: object,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.after_ms = None if after is None else duration_ms(after, option="after")
        self.code = code
        self.details = details


class Defer(StepResult):
    """
    Same work, later; costs no attempt.

    Args:
        reason: Why, for people.
        for_: How long to wait.
        until: The instant to wait for, instead of `for_`.
        details: JSON-safe facts.

    Raises:
        ConfigError: `for_` is not a duration, or `until` is not an instant with a time zone.
        TypeError: Neither or both of `for_` and `until` are given.
    """

    def __init__(
        self,
        reason: str,
        *,
        for_: Duration | None = None,
        until: datetime | None = None,
        **details: object,
    ) -> None:
        super().__init__(reason)
        if (for_ is None) is (until is None):
            raise TypeError("Defer needs exactly one of for_ and until")
        if until is not None and not _is_instant(until):
            expected = "expected an instant with a time zone"
            message = f"the option until is no instant: {expected}"
            raise ConfigError(message, "invalid_option", {"option": "until", "reason": expected})
        self.reason = reason
        self.for_ms = None if for_ is None else duration_ms(for_, option="for_")
        self.until = until
        self.details = details


class Fail(StepResult):
    """
    Give up now: skips the retries and takes the error route.

    Args:
        message: Why, for people.
        code: A stable word of the host, kept beside the error's kind.
        details: JSON-safe facts.
    """

    def __init__(self, message: str, *, code: str | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.details = details


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _restore(
    kind: type[StepResult], args: tuple[object, ...], state: Mapping[str, object]
) -> StepResult:
    result = kind.__new__(kind, *args)
    result.__dict__.update(state)
    return result
