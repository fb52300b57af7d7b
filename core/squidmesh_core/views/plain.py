"""
One way for every view to become plain data.

    datetime    ISO 8601 text in UTC, as the journal writes it; null where it is hidden
    timedelta   whole milliseconds, under the member's name with `_ms`
    record      an object with all its members; what is null is written as null

Texts, numbers and JSON values stay as they are: what a state holds is storable,
so what comes out of here is JSON (specs/protocol.md §8.2).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from attrs import fields, has

from squidmesh_core.protocol.wire import instant_to_text

MILLISECOND: Final = timedelta(milliseconds=1)
#: Stands where an instant is that whoever looks may not know.  A day after the first
#: one there is, so that any clock in the world can tell it.
HIDDEN_AT: Final = datetime(1, 1, 2, tzinfo=UTC)
#: Metadata of a member that is there for programs in this process only.
NOT_PLAIN: Final[Mapping[str, object]] = {"plain": False}


class View:
    """What people and programs are shown; a frozen record."""

    __slots__ = ()

    def to_dict(self) -> dict[str, object]:
        """The record as JSON-safe data; names and meanings are stable."""
        return cast("dict[str, object]", plain(self))


def plain(value: object) -> object:
    """A record, or what a record holds, as JSON-safe data."""
    match value:
        case None | str() | int() | float():
            return value
        case datetime():
            return None if value == HIDDEN_AT else instant_to_text(value)
        case Mapping():
            return {str(name): plain(member) for name, member in value.items()}
        case list() | tuple():
            return [plain(member) for member in value]
        case _:
            return _record(value)


def plain_name(name: str, *, is_span: bool) -> str:
    """What a member is called in plain data."""
    return f"{name}_ms" if is_span else name


def _record(value: object) -> dict[str, object]:
    data: dict[str, object] = {}
    for name in member_names(type(value)):
        member = getattr(value, name)
        if isinstance(member, timedelta):
            data[plain_name(name, is_span=True)] = member // MILLISECOND
        else:
            data[name] = plain(member)
    return data


def member_names(kind: type) -> tuple[str, ...]:
    """
    The members of a record that are written.

    Raises:
        TypeError: It is no record.
    """
    if not has(kind):
        raise TypeError(f"{kind.__name__} has no plain form")
    return tuple(one.name for one in fields(kind) if one.metadata.get("plain", True))
