"""
What each kind of signal says: its members, and what each of them may be.

The order of the members is the order in which they are judged; the first that
is wrong is reported, and no other (specs/protocol.md §6).
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from attrs import frozen

from squidmesh_core.canonical import restore, storable
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import is_run_id
from squidmesh_core.protocol.commands import Verb

#: Characters of a name, a key or an actor.
LONGEST_TEXT: Final = 255
#: Characters of a comment.
LONGEST_NOTE: Final = 8 * 1024

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: RFC 3339; what a fraction says beyond microseconds is cut off.
INSTANT_PATTERN: Final = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_UUID: Final = "[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"


class UnfitError(Exception):
    """A field of a signal is not what it should be; its readers turn this into `PayloadError`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason.replace('_', ' ')}")
        self.field = field
        self.reason = reason


@frozen(kw_only=True)
class Kind(Generic[T_co]):
    """What a member may be."""

    #: The value as a signal keeps it; raises `ValueError` with the reason if it does not fit.
    read: Callable[[object], T_co]
    schema: Mapping[str, object]


@frozen
class Member:
    """A member of a payload."""

    name: str
    kind: Kind[object]
    required: bool = False


def read_member(name: str, kind: Kind[T], members: Mapping[str, object]) -> T:
    """
    A member that must be there.

    Raises:
        UnfitError: It is missing, or does not fit.
    """
    if name not in members:
        raise UnfitError(name, "missing")
    try:
        return kind.read(members[name])
    except ValueError as unfit:
        raise UnfitError(name, str(unfit)) from None


def read_payload(verb: Verb, payload: object) -> dict[str, object]:
    """
    The payload of a signal, as signals keep it.

    Raises:
        UnfitError: It does not fit; the first field that is wrong.
    """
    if not isinstance(payload, Mapping):
        raise UnfitError("payload", "expected_map")
    members = MEMBERS[verb]
    kept = {
        member.name: read_member(member.name, member.kind, payload)
        for member in members
        if member.required or member.name in payload
    }
    refuse_others(payload, [member.name for member in members])
    return kept


def refuse_others(members: Mapping[str, object], known: Collection[str]) -> None:
    """
    Nothing is read and ignored.

    Raises:
        UnfitError: There is a member that is not known.
    """
    for name in members:
        if name not in known:
            raise UnfitError(shown(name), "unsupported")


def shown(name: object) -> str:
    """A name of somebody else's as an error may show it: printable, and short."""
    return repr(name)[1:-1][:128] if isinstance(name, str) else f"<{type(name).__name__}>"


def plain(value: object) -> object:
    """
    A copy made of JSON types, of what a journal can store.

    Raises:
        ValueError: A journal cannot store it.
    """
    try:
        return restore(storable(value))
    except StorageError:
        raise ValueError("not_storable") from None


def instant(value: object) -> datetime:
    """
    An instant in UTC.

    Raises:
        ValueError: It is none, has no time zone, or is out of range.
    """
    try:
        if isinstance(value, datetime) and value.utcoffset() is not None:
            return value.astimezone(UTC)
    except OverflowError:
        pass
    raise ValueError("expected_datetime")


def _written_instant(value: object) -> datetime:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return instant(datetime.fromisoformat(value))
        except ValueError:  # the 30th of February
            pass
    raise ValueError("expected_datetime")


def _text(value: object, reason: str, longest: int = LONGEST_TEXT) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(reason)
    if len(value) > longest:
        raise ValueError("too_long")
    return str(plain(value))


def _map(value: object) -> dict[str, object]:
    copy = plain(value) if isinstance(value, Mapping) else None
    if isinstance(copy, dict):
        return copy
    raise ValueError("expected_map")


def _run_id(value: object) -> str:
    if isinstance(value, str) and is_run_id(value.lower()):
        return value.lower()
    raise ValueError("invalid")


def _actor(value: object) -> object:
    if isinstance(value, Mapping) and value:
        return plain(value)
    return _text(value, "expected_non_empty_string_or_map")


def _flag(value: object) -> bool:
    # Not what merely counts as true: an override is said, never implied.
    if isinstance(value, bool):
        return value
    raise ValueError("expected_boolean")


def _definition(value: object) -> str:
    if isinstance(value, str) and value in {"source", "current"}:
        return str(plain(value))
    raise ValueError("expected_source_or_current")


_INSTANT: Final = re.compile(INSTANT_PATTERN)
_TEXT_SCHEMA: Final = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}

TEXT: Final = Kind(
    read=lambda value: _text(value, "expected_non_empty_string"), schema=_TEXT_SCHEMA
)
MAP: Final = Kind(read=_map, schema={"type": "object"})
INSTANT: Final = Kind(
    read=_written_instant, schema={"type": "string", "pattern": f"^{INSTANT_PATTERN}$"}
)
_NAME: Final = Kind(read=lambda value: _text(value, "invalid"), schema=_TEXT_SCHEMA)
_NOTE: Final = Kind(
    read=lambda value: _text(value, "expected_non_empty_string", LONGEST_NOTE),
    schema={"type": "string", "minLength": 1, "maxLength": LONGEST_NOTE},
)
_RUN_ID: Final = Kind(read=_run_id, schema={"type": "string", "pattern": f"^{_UUID}$"})
_ACTOR: Final = Kind(
    read=_actor, schema={"oneOf": [_TEXT_SCHEMA, {"type": "object", "minProperties": 1}]}
)
_FLAG: Final = Kind(read=_flag, schema={"type": "boolean"})
_DEFINITION: Final = Kind(read=_definition, schema={"enum": ["source", "current"]})
_ANYTHING: Final = Kind(read=plain, schema={})

_RUN: Final = Member("run_id", _RUN_ID, required=True)
_SAID: Final = (Member("actor", _ACTOR), Member("comment", _NOTE))
_NODE: Final = Member("node", TEXT)
#: A decision without a person behind it is none.
_REVIEW: Final = (
    _RUN,
    Member("actor", _ACTOR, required=True),
    Member("comment", _NOTE),
    _NODE,
    Member("form", MAP),
)

#: The verb → the members of its payload.
MEMBERS: Final[Mapping[Verb, tuple[Member, ...]]] = {
    "start": (
        Member("input", MAP, required=True),
        Member("workflow", _NAME, required=True),
        Member("trigger", _NAME),
    ),
    "cancel": (_RUN, *_SAID, Member("compensate", _FLAG), Member("abandon", _FLAG)),
    "pause": (_RUN, *_SAID),
    "resume": (_RUN, *_SAID, _NODE),
    "approve": _REVIEW,
    "reject": _REVIEW,
    "send": (
        _RUN,
        *_SAID,
        Member("node", TEXT, required=True),
        Member("message", _ANYTHING, required=True),
    ),
    "replay": (
        _RUN,
        *_SAID,
        Member("from_step", TEXT),
        Member("allow_irreversible", _FLAG),
        Member("definition", _DEFINITION),
    ),
    "retry_compensation": (_RUN, *_SAID),
}
