"""Text that is fit for a terminal: escaped, shortened, and in people's units."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, assert_never

from squidmesh.config import TimeStyle
from squidmesh_core.views.plain import HIDDEN_AT
from squidmesh_core.views.words import UNSAFE, printable, span

#: Enough of a time-ordered id to know its millisecond.
_SHORTEST_ID: Final = 13


def one_line(text: str, width: int) -> str:
    """The text, printable, on one line of at most so many characters."""
    line = printable(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def json_safe(text: str) -> str:
    """JSON text whose strings a terminal cannot obey; it means the same."""
    return UNSAFE.sub(lambda match: match[0] if match[0] == "\n" else _unicode(match), text)


def counted(number: int, noun: str) -> str:
    """A number of things: `1 run`, `2 runs`, `3 entries`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun.removesuffix('y')}ies" if noun.endswith("y") else f"{number} {noun}s"


def short_ids(ids: Iterable[str]) -> Mapping[str, str]:
    """Id → a prefix of it that no other of these ids has."""
    known = sorted(set(ids))
    shortened: dict[str, str] = {}
    for i, one in enumerate(known):
        neighbours = known[max(0, i - 1) : i] + known[i + 1 : i + 2]
        length = max([_SHORTEST_ID, *(_common(one, other) + 1 for other in neighbours)])
        shortened[one] = one[:length].rstrip("-")
    return shortened


def instant(at: datetime, style: TimeStyle, now: datetime) -> str:
    """An instant in the style that was asked for."""
    match style:
        case "relative":
            distance = (at - now).total_seconds()
            if abs(distance) < 1:
                return "now"
            return f"in {span(distance)}" if distance > 0 else f"{span(-distance)} ago"
        case "local":
            return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case "utc":
            return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case "iso":
            return iso(at)
    assert_never(style)


def iso(at: datetime) -> str:
    """An instant as documents have it: ISO 8601 in UTC; nothing for one that is hidden."""
    return "" if at == HIDDEN_AT else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _unicode(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with together."""
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return i
    return min(len(one), len(other))
