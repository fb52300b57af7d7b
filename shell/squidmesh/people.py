"""
Who gives a command, and what is said along with it: checked before any run is looked up.

A review needs an actor; what is wrong with one, or with an answer to a pause,
has a code of its own (`_CODES`).  Metadata is redacted before it is kept.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, TypedDict, cast

from attrs import field, frozen

from squidmesh import checks
from squidmesh_core.canonical import storable
from squidmesh_core.errors import Refused, SquidmeshError, StorageError
from squidmesh_core.protocol.commands import Receipted, Verb
from squidmesh_core.values.redaction import redact_map


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@frozen
class Actor:
    """Who gives a command, and in which roles."""

    id: str
    roles: tuple[str, ...] = field(default=(), converter=_texts)


#: A name, facts about somebody, or an `Actor`.
By = str | Mapping[str, object] | Actor


class CommandOptions(TypedDict, total=False):
    """What every command may say."""

    #: Who says so.
    by: By | None
    #: Why, for people; up to 8,192 characters.
    note: str | None
    #: Further facts; values under names such as `api_key` are redacted before they are kept.
    metadata: Mapping[str, object] | None
    #: The same key again answers with the first time.
    key: str | None
    #: The instant to decide at, for tests; otherwise the storage's clock.
    now: datetime | None


#: Commands whose actor, comment and metadata have a code of their own.
_CODES: Final[Mapping[str, str]] = {
    "approve": "invalid_review",
    "reject": "invalid_review",
    "resume": "invalid_resume",
}


def said(verb: Verb, options: CommandOptions) -> Receipted:
    """
    What is said along with a command, as its receipt will keep it.

    The first problem is reported, in the order actor, comment, metadata, key.

    Raises:
        Refused: `invalid_review`, `invalid_resume`.
        ConfigError: Another verb's option, or the key, is wrong.
    """
    by = options.get("by")
    actor = _actor(by)
    if by is not None and actor is None:
        reason = "expected a name, a map with facts, or an Actor; not empty"
        raise _wrong(verb, "actor", "by", reason)
    if actor is None and _CODES.get(verb) == "invalid_review":
        raise _wrong(verb, "actor", "by", "required: say who decides")
    note = options.get("note")
    if note is not None and not checks.is_text(note, checks.LONGEST_NOTE):
        reason = f"expected a text of 1 to {checks.LONGEST_NOTE} characters"
        raise _wrong(verb, "comment", "note", reason)
    metadata = _metadata(options.get("metadata"))
    if metadata is None:
        raise _wrong(verb, "metadata", "metadata", "expected a map that can be stored")
    key = checks.optional_text("key", options.get("key"))
    return Receipted(actor=actor, comment=note, metadata=metadata, key=key)


def plain_actor(by: By | None) -> object:
    """An actor as plain data; nothing of it is checked."""
    return {"id": by.id, "roles": list(by.roles)} if isinstance(by, Actor) else by


def _actor(by: By | None) -> object:
    """The stored form of an actor; null if there is none, or if it is not one."""
    if isinstance(by, Actor) and not checks.is_text(by.id):
        return None
    by = cast("str | Mapping[str, object] | None", plain_actor(by))
    if isinstance(by, str):
        return by if checks.is_text(by) else None
    return _stored(by) or None


def _metadata(given: object) -> dict[str, object] | None:
    if given is None:
        return {}
    stored = _stored(given)
    return None if stored is None else redact_map(stored)


def _stored(given: object) -> dict[str, object] | None:
    if not isinstance(given, Mapping):
        return None
    try:
        return cast("dict[str, object]", storable(dict(given)))
    except StorageError:
        return None


def _wrong(verb: Verb, name: str, option: str, reason: str) -> SquidmeshError:
    code = _CODES.get(verb)
    if code is None:
        return checks.wrong(option, reason)
    message = f"the {name} of this {verb} is wrong: {reason}; nothing was written"
    return Refused(message, code, {"field": name, "reason": reason})
