"""
Single values, both ways and strictly.

Left alone, cattrs would coerce: "5" to 5, 1.7 to 1, "no" to true.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum, Flag
from typing import Any, Final, cast, get_args
from uuid import UUID

from squidmesh.authoring.hints import name_of
from squidmesh.authoring.mismatch import ContractMismatch, Misfit
from squidmesh.duration import format_duration, parse_duration

#: JSON value → the host's value; raises `ContractMismatch`.
Reader = Callable[[object], object]
#: What cattrs calls: JSON value and type → the host's value.
Hook = Callable[[object, object], object]


class Unfit(Exception):  # becomes a `Misfit` in `decode`
    """A hook's no: what it expected."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(expected)


#: type → the classes of the JSON values that stand for it.
PRIMITIVES: Final[Mapping[type, tuple[type, ...]]] = {
    str: (str,),
    int: (int,),
    bool: (bool,),
    float: (float, int),
    type(None): (type(None),),
}


def primitive(kind: type) -> Reader:
    """The reader of a plain type, without a converter: most parameters are plain."""
    accepted = PRIMITIVES[kind]

    def read(value: object) -> object:
        if type(value) not in accepted:
            raise ContractMismatch([Misfit(path=(), expected=name_of(kind))])
        return float(cast("float", value)) if kind is float else value

    return read


def strict(value: object, wanted: type) -> object:
    """Take a plain value as it is, or refuse it."""
    # Single dispatch also sends subclasses here: IntEnum, StrEnum, a host's own str.
    if issubclass(wanted, Enum):
        return enum(value, wanted)
    for kind, accepted in PRIMITIVES.items():
        if issubclass(wanted, kind) and type(value) in accepted:
            build = cast("Callable[[object], object]", wanted)
            return value if wanted is kind and kind is not float else build(value)
    raise Unfit(name_of(wanted))


def enum(value: object, wanted: type[Enum]) -> object:
    """The member that has this value."""
    if issubclass(wanted, Flag):
        return _flags(value, wanted)
    for member in wanted:
        if type(member.value) is type(value) and member.value == value:
            return member
    raise Unfit("one of " + ", ".join(repr(member.value) for member in wanted))


def _flags(value: object, wanted: type[Flag]) -> Flag:
    """The members that have this value together."""
    if type(value) is int:
        try:
            found = wanted(value)
        except ValueError:
            pass
        else:
            if found.value == value:  # Python takes -1 for all of them
                return found
    raise Unfit(f"flags of {wanted.__name__}")


def from_text(parse: Callable[[str], object], expected: str) -> Hook:
    """A hook for what JSON holds as text."""

    def read(value: object, _: object) -> object:
        if isinstance(value, str):
            try:
                return parse(value)
            except (ValueError, OverflowError, InvalidOperation):
                pass
        raise Unfit(expected)

    return read


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError
    return instant


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError
    return number


def _span(text: str) -> timedelta:
    return timedelta(milliseconds=parse_duration(text))


def literal(value: object, wanted: object) -> object:
    """The listed value that equals it; 1 is not True here."""
    allowed = get_args(wanted)
    for one in allowed:
        plain = one.value if isinstance(one, Enum) else one
        if type(plain) is type(value) and plain == value:
            return one
    raise Unfit("one of " + ", ".join(map(repr, allowed)))


FROM_TEXT: Final[tuple[tuple[type, Callable[[str], object], str], ...]] = (
    (datetime, _instant, "an ISO 8601 instant with an offset"),
    (date, date.fromisoformat, "an ISO 8601 date"),
    (time, time.fromisoformat, "an ISO 8601 time"),
    (timedelta, _span, "a duration such as '1h30m'"),
    (Decimal, _finite, "a decimal number, as text"),
    (UUID, UUID, "a UUID, as text"),
)


# -- writing --


def _write_span(value: timedelta) -> str:
    return format_duration(parse_duration(value))


def _write_instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError
    return value.isoformat()


def _write_date(value: date) -> str:
    if isinstance(value, datetime):
        raise ValueError
    return value.isoformat()


def _write_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError
    return str(value)


def _same(value: object) -> object:
    return value


#: type → (what may stand for it, how it is written, what it is called)
#: The first says what the second may be given, which no checker can see.
WRITTEN: Final[Mapping[type, tuple[type | tuple[type, ...], Callable[[Any], object], str]]] = {
    str: (str, _same, "str"),
    bool: (bool, _same, "bool"),
    int: (int, _same, "int"),
    float: ((float, int), float, "float"),
    type(None): (type(None), _same, "None"),
    datetime: (datetime, _write_instant, "a datetime with a time zone"),
    date: (date, _write_date, "a date"),
    time: (time, time.isoformat, "a time"),
    timedelta: (timedelta, _write_span, "a timedelta of whole milliseconds, zero or more"),
    Decimal: (Decimal, _write_decimal, "a finite Decimal"),
    UUID: (UUID, str, "a UUID"),
}
