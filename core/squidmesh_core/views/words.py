"""
Words that every view uses for the same thing: spans, instants, names, values.

Whatever comes from outside may be a megabyte long, so it is clipped here; and it may
hold what a terminal obeys, so that is written out before it gets there.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate
from typing import Final

from squidmesh_core.errors import MOST_NAMED, enumerated
from squidmesh_core.protocol.entries import Failure, UnrecoveredReason

#: Why something was left that a person must look after.
LEFT: Final[Mapping[UnrecoveredReason, str]] = {
    "compensation_failed": "its callback failed for good",
    "effect_unknown": "nobody knows whether it took effect",
    "abandoned": "undoing it was given up",
}
#: Characters of a text from outside that a sentence holds.
LONGEST: Final = 200
#: Characters of a value that decided something.
LONGEST_VALUE: Final = 60
#: What stands in the place of a value that a definition calls sensitive.
HIDDEN: Final = "•••"
#: What can move the cursor, recolour, reorder or cut a line.
UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
#: A word, with the blanks before it.
_WORDS: Final = re.compile(" *[^ ]+")
#: What no shell takes for more than it is.
_PLAIN: Final = re.compile(r"[\w@%+=:,./…-]+")
_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def span(seconds: float) -> str:
    """A length of time as people say it: `850 ms`, `3 s`, `38 min`, `1 h 22 min`, `3 d 4 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"


def moment(at: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """An instant, and how far away it is: `14:02:00Z (38 min ago)`; another day's with its date."""
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    shape = "%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M:%S"
    return f"{local.strftime(shape)}{'Z' if zone is UTC else ''} ({away(at - now)})"


def away(distance: timedelta) -> str:
    """How far an instant is from now: `in 1 h 22 min`, `38 min ago`, `now`."""
    seconds = distance.total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def quoted(names: Iterable[str]) -> str:
    """Names in a row: `'charge', 'reserve'`; of many the first, and how many more."""
    return enumerated(repr(str(name)) for name in names)


def listed(parts: Iterable[str]) -> str:
    """Parts of a sentence in a row: `a`, `a and b`, `a, b and c`; of many the first."""
    *most, last = parts
    if len(most) < MOST_NAMED:
        return f"{', '.join(most)} and {last}" if most else last
    return enumerated([*most, last])


def clipped(text: str, longest: int = LONGEST) -> str:
    """A text on one line, cut where a sentence could not hold it."""
    line = " ".join(text[: 4 * longest].split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def printable(text: str) -> str:
    """The text with everything escaped that a terminal could obey."""
    return UNSAFE.sub(_escaped, text)


def columns(text: str) -> int:
    """How many columns a printable text takes on a terminal: a character takes one, or two."""
    if text.isascii():
        return len(text)
    shown = (char for char in text if not unicodedata.combining(char))
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in shown)


def filled(text: str, width: int) -> Iterator[str]:
    """
    The text in lines of so many columns, broken at blanks.

    A word that is longer stands on a line of its own, to be copied whole; but one of wide
    characters, which are written without blanks, is broken too.
    """
    line = ""
    for word in _WORDS.findall(text):
        if line and columns(line) + columns(word) > width:
            yield line
            line = ""
        line = f"{line}{word}" if line else word.lstrip(" ")
        while columns(line) > width and (end := _last_break(line, width)):
            yield line[:end]
            line = line[end:]
    if line:
        yield line


def _last_break(word: str, width: int) -> int:
    """Where a word is broken last within a width, before or after a wide character; 0: nowhere."""
    reached = accumulate(map(columns, word))
    fitting = sum(1 for end in reached if end <= width)
    wide = [unicodedata.east_asian_width(char) in "WF" for char in word[: fitting + 1]]
    return next((i for i in range(fitting, 0, -1) if wide[i - 1] or wide[i]), 0)


def typed(text: str) -> str:
    """A word as somebody types it to a shell."""
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def value_text(value: object) -> str:
    """A JSON value in a sentence."""
    return clipped(json.dumps(value, ensure_ascii=False), LONGEST_VALUE)


def actor_name(actor: object) -> str:
    """Whom to name: what they call themselves, else everything that is known of them."""
    if isinstance(actor, Mapping):
        named = actor.get("id") or actor.get("name")
        return str(named) if named else str(dict(actor))
    return str(actor)


def somebody(actor: object) -> str:
    """The one who did something, where nobody may be named."""
    return "somebody" if actor is None else clipped(actor_name(actor), LONGEST_VALUE)


def failure_text(failure: Failure) -> str:
    """What went wrong: `Boom: it broke (code)`."""
    message = f": {clipped(failure.message)}" if failure.message else ""
    return f"{failure.kind}{message}{f' ({failure.code})' if failure.code else ''}"


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
