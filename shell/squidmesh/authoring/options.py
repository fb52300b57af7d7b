"""Options that nodes share: checked, in the core's form, problems noted."""

from collections.abc import Mapping
from difflib import get_close_matches

from squidmesh.authoring.hints import class_hints
from squidmesh.authoring.notes import Source, note
from squidmesh.authoring.policies import deadline_policy, retry_policy
from squidmesh.duration import parse_duration
from squidmesh_core.values import DeadlinePolicy, RetryPolicy


def refuse_unknown(function: str, options: Mapping[str, object], known: type) -> None:
    """
    Refuse a misspelt option at once, as Python does.

    Args:
        function: How the constructor is called.
        options: What it was given.
        known: The `TypedDict` of its options.

    Raises:
        TypeError: An option does not exist; the nearest one is named.
    """
    names = list(class_hints(known))
    for name in options:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            meant = f"did you mean '{near[0]}'? " if near else ""
            raise TypeError(
                f"{function}() has no option '{name}'; {meant}It has {', '.join(names)}"
            )


def checked_retry(source: Source, option: str, retry: object) -> RetryPolicy | None:
    """The policy of a retry option; `None` if there is none or it is wrong."""
    if retry is None:
        return None
    try:
        return retry_policy(retry)
    except ValueError as exc:
        _wrong(source, "invalid_step_retry_opts", option, str(exc))
        return None


def checked_deadline(source: Source, deadline: object) -> DeadlinePolicy | None:
    """The policy of a deadline option; `None` if there is none or it is wrong."""
    if deadline is None:
        return None
    try:
        return deadline_policy(deadline)
    except ValueError as exc:
        _wrong(source, "invalid_step_deadline", "deadline", str(exc))
        return None


def checked_timeout(source: Source, timeout: object) -> int | None:
    """The milliseconds of a time-out option; `None` if there is none or it is wrong."""
    if timeout is None:
        return None
    return checked_duration(source, "timeout_ms", timeout, code="invalid_step_option")


def checked_duration(source: Source, option: str, duration: object, *, code: str) -> int | None:
    """The milliseconds of a duration that must be there; `None` if it is wrong."""
    try:
        milliseconds = parse_duration(duration)
    except ValueError as exc:
        _wrong(source, code, option, str(exc))
        return None
    if milliseconds < 1:
        _wrong(source, code, option, "expected more than nothing")
        return None
    return milliseconds


def _wrong(source: Source, code: str, option: str, reason: str) -> None:
    typed = option.removesuffix("_ms")  # a spec counts milliseconds, nobody types them
    note(source, code, f"{typed}: {reason}", tail=(option,), location=source._location)
