"""
Options that hosts pass: checked before anything is written, and never echoed.

What is checked here ends up in journals as it is, so a wrong type that slipped
through would make its run unreadable.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from squidmesh_core.canonical import MAX_INTEGER, storable
from squidmesh_core.errors import ConfigError, StorageError
from squidmesh_core.ids import is_queue_name
from squidmesh_core.values import deadline

#: Characters of a key, an owner or a tag.
LONGEST_TEXT: Final = 255
#: Characters of a comment.
LONGEST_NOTE: Final = 8 * 1024
#: Run ids hold the milliseconds since then.
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = deadline.LAST
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)


def wrong(option: str, reason: str) -> ConfigError:
    """The refusal of an option; never with its value, which may be a secret."""
    return ConfigError(
        f"the option {option} is wrong: {reason}; nothing was done",
        "invalid_option",
        {"option": option, "reason": reason},
    )


def text(option: str, value: object, *, longest: int = LONGEST_TEXT) -> str:
    """
    A text that can be stored: not empty, not too long, no NUL, no lone surrogates.

    Raises:
        ConfigError: It is not one.
    """
    if is_text(value, longest):
        return str(value)
    raise wrong(option, f"expected a text of 1 to {longest} characters without NUL")


def is_text(value: object, longest: int = LONGEST_TEXT) -> bool:
    """Whether this is such a text."""
    return isinstance(value, str) and 0 < len(value) <= longest and _is_storable(value)


def optional_text(option: str, value: object) -> str | None:
    """
    A text as above, or nothing.

    Raises:
        ConfigError: It is neither.
    """
    return None if value is None else text(option, value)


def texts(option: str, values: object) -> tuple[str, ...]:
    """
    A list of texts as above, each once.

    Raises:
        ConfigError: It is not one.
    """
    if isinstance(values, str) or not isinstance(values, Sequence | set | frozenset):
        raise wrong(option, "expected a list of texts")
    return tuple(dict.fromkeys(text(option, value) for value in values))


def integer(option: str, value: object, *, least: int = -MAX_INTEGER) -> int:
    """
    A whole number that every database stores.

    Raises:
        ConfigError: It is not one.
    """
    if type(value) is int and least <= value <= MAX_INTEGER:
        return value
    raise wrong(option, f"expected a whole number from {least} to {MAX_INTEGER}")


def flag(option: str, value: object) -> bool:
    """
    True or false.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(value, bool):
        return value
    raise wrong(option, "expected True or False")


def instant(option: str, value: object) -> datetime | None:
    """
    An instant in UTC that deadlines, waits and time limits can be counted from, or nothing.

    Raises:
        ConfigError: It has no time zone, or is out of range.
    """
    return _between(option, value, _FIRST, LAST)


def bound(option: str, value: object) -> datetime | None:
    """
    An instant in UTC that others are only compared with, or nothing.

    Raises:
        ConfigError: It has no time zone, or no calendar has it in UTC.
    """
    return _between(option, value, _EARLIEST, _LATEST)


def queue(option: str, value: object) -> str:
    """
    The name of a queue.

    Raises:
        ConfigError: It is not one.
    """
    if isinstance(value, str) and is_queue_name(value):
        return str(value)
    raise wrong(option, "expected a queue name: letters, digits, '_', '.' or '-', at most 64")


def queues(option: str, values: object) -> tuple[str, ...]:
    """
    Names of queues, at least one, each once.

    Raises:
        ConfigError: They are not.
    """
    if isinstance(values, str) or not isinstance(values, Sequence | set | frozenset) or not values:
        raise wrong(option, "expected a list of queue names")
    return tuple(dict.fromkeys(queue(option, value) for value in values))


def json_value(option: str, value: object) -> object:
    """
    A copy of a value in the form that journals keep.

    Raises:
        ConfigError: It cannot be stored.
    """
    try:
        return storable(value, where=f"the option {option}")
    except StorageError as refused:
        raise wrong(option, str(refused.details.get("reason"))) from None


def json_object(option: str, value: object) -> dict[str, object]:
    """
    A copy of a mapping in the form that journals keep; nothing stands for an empty one.

    Raises:
        ConfigError: It is not a mapping, or cannot be stored.
    """
    if value is None:
        return {}
    stored = json_value(option, value) if isinstance(value, Mapping) else None
    if isinstance(stored, dict):
        return stored
    raise wrong(option, "expected a mapping")


def _between(option: str, value: object, first: datetime, last: datetime) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise wrong(option, "expected an instant with a time zone")
    if first <= value <= last:
        return value.astimezone(UTC)
    raise wrong(option, f"expected an instant from {first.year} to {last.year} in UTC")


def _is_storable(value: str) -> bool:
    try:
        storable(value)
    except StorageError:
        return False
    return True
