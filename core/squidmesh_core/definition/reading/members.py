"""What one member may be; each reader raises `UnreadableError` otherwise."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from squidmesh_core.definition.reading.source import UnreadableError, a_list, shown
from squidmesh_core.ids import NodeName, is_action_key, is_node_name, is_queue_name
from squidmesh_core.values.policy import LONGEST_DELAY_MS

T = TypeVar("T", bound=str)

_DAY_MS: Final = 24 * 60 * 60 * 1000
#: Deadlines and time-outs; instants stay far from the end of the calendar.
LONGEST_LIMIT_MS: Final = 100 * LONGEST_DELAY_MS
#: Numbers that an index column holds on every database.
LARGEST_COLUMN: Final = 2**31 - 1
#: Deliveries of one attempt: past this it is the work that kills the workers.
MOST_DELIVERIES: Final = 50

#: Stands in for a name that could not be read.
NOBODY: Final = NodeName("_")

LONGEST_NAME: Final = 128
LONGEST_TITLE: Final = 255


def text(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise UnreadableError(f"expected a text that is not empty, not {shown(value)}")
    return value


def title(value: object) -> str:
    """The name of a workflow, a trigger elsewhere, a version label: one printable line."""
    label = text(value)
    if len(label) > LONGEST_TITLE or not label.isprintable() or label != label.strip():
        raise UnreadableError(
            f"expected one line of at most {LONGEST_TITLE} printable characters, not {shown(label)}"
        )
    return normal(label)


def key(value: object) -> str:
    """The name of a field, a parameter or an output."""
    name = text(value)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise UnreadableError(
            f"expected a name of at most {LONGEST_NAME} printable characters, not {shown(name)}"
        )
    if name.startswith("$"):
        raise UnreadableError(f"{shown(name)} begins with $, which marks tags in stored values")
    return normal(name)


def normal(name: str) -> str:
    """The name itself, if it is in Unicode normal form C: equal names look equal."""
    if not unicodedata.is_normalized("NFC", name):
        raise UnreadableError(
            f"{shown(name)} is not in Unicode normal form C",
            hint=f"Write {unicodedata.normalize('NFC', name)!r}.",
        )
    return name


def node_name(value: object) -> NodeName:
    """The name of a node or a trigger."""
    name = text(value)
    if not is_node_name(name):
        raise UnreadableError(
            f"{shown(name)} is no name: a letter from a to z or _, then such letters, digits, _ . - "
            f"up to {LONGEST_NAME} characters"
        )
    return NodeName(name)


def node_names(value: object) -> tuple[NodeName, ...]:
    """A list of names, each once."""
    # A dict keeps the order and finds repetitions quickly in long lists.
    names: dict[NodeName, None] = {}
    for i, item in enumerate(a_list(value)):
        try:
            name = node_name(item)
        except UnreadableError as problem:
            raise UnreadableError(problem.message, path=(i,)) from None
        if name in names:
            raise UnreadableError(f"{name!r} is named twice", path=(i,))
        names[name] = None
    return tuple(names)


def queue_name(value: object) -> str:
    """The name of a queue."""
    name = text(value)
    if not is_queue_name(name):
        raise UnreadableError(
            f"{shown(name)} is no queue name: a letter or digit, then letters, digits, _ . - "
            "up to 64 characters"
        )
    return name


def action_key(value: object) -> str:
    """The key of an action."""
    name = text(value)
    if not is_action_key(name):
        raise UnreadableError(
            f"{shown(name)} is no action key: up to 255 letters, digits, _ . < > -",
            hint='Write action="area.verb".',
        )
    return name


def path(value: object) -> tuple[str, ...]:
    """A list of names that is not empty."""
    names = a_list(value)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise UnreadableError('expected a path like ["risk", "score"]')
    return tuple(str(name) for name in names)


def boolean(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UnreadableError(f"expected true or false, not {shown(value)}")
    return value


def whole(least: int, most: int = LARGEST_COLUMN, *, unit: str = "") -> Callable[[object], int]:
    """A reader of whole numbers between two bounds, both included."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise UnreadableError(
                f"expected a whole number from {least} to {most}{unit}, not {shown(value)}"
            )
        return value

    return read


def milliseconds(least: int, most: int) -> Callable[[object], int]:
    """A reader of durations between two bounds, both included."""
    return whole(least, most, unit=f" milliseconds ({most // _DAY_MS} days)")


def one_of(choices: Sequence[T]) -> Callable[[object], T]:
    """A reader of a closed list of words."""

    def read(value: object) -> T:
        for choice in choices:
            if isinstance(value, str) and value == choice:
                return choice
        raise UnreadableError(f"expected one of {', '.join(choices)}, not {shown(value)}")

    return read
