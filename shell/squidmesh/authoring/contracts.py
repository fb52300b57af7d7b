"""
Contracts of hosts as fields of a spec.

    str → string      datetime, date, time, timedelta, Decimal, UUID → string
    int → integer     record, mapping → map      Enum → the type of its values
    float → float     list, tuple, set → list    Literal, Enum → choices
    bool → boolean    Any, object → any          X | None → nullable
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Any, Final, Literal, TypeVar, get_args, get_origin
from uuid import UUID
from weakref import WeakSet

from squidmesh.authoring.decode import LISTS, MAPS
from squidmesh.authoring.encode import encode
from squidmesh.authoring.frames import Names
from squidmesh.authoring.hints import bare, markers, members, name_of, parts, without_none
from squidmesh.authoring.markers import SECRET
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.records import ABSENT, Member, record_class, record_members
from squidmesh_core.definition.spec import Default, Field, FieldType

_TEXTS: Final = (str, datetime, date, time, timedelta, Decimal, UUID)
_PLAIN: Final[Mapping[object, FieldType]] = {
    bool: "boolean",
    int: "integer",
    float: "float",
    object: "any",
    Any: "any",
    **dict.fromkeys(_TEXTS, "string"),
}

_ACCEPTED: Final[WeakSet[type]] = WeakSet()


class InvalidContract(ValueError):  # named after the code it becomes
    """A class cannot be a contract; the text says which field and why."""


def fields_of(contract: object, names: Names | None = None) -> tuple[Field, ...]:
    """
    The fields of a contract, as payloads, forms and messages list them.

    Args:
        contract: A dataclass, an attrs class, a TypedDict or a pydantic model; `None` has no
            fields.
        names: Where to look for the names its annotations use.

    Raises:
        InvalidContract: It is none of these, or a field has no JSON form.
    """
    if contract is None:
        return ()
    if record_class(contract) is None:
        raise InvalidContract(
            f"expected a dataclass, an attrs class or a TypedDict, not {name_of(contract)}"
        )
    try:
        found = record_members(contract, names)
        return tuple(_field(name_of(contract), member, names) for member in found.values())
    except NameError as exc:
        raise InvalidContract(f"{name_of(contract)} cannot be read: {exc}") from exc


def without_instants(written: dict[str, object], contract: object) -> dict[str, object]:
    """The JSON form of a contract's object, without what the instant of the command fills in."""
    for member in record_members(contract).values():
        if member.clock is None or member.name not in written:
            continue
        if written[member.name] == encode(member.default, member.hint):
            del written[member.name]
    return written


def wire_type(hint: object, names: Names | None = None) -> FieldType:
    """
    The JSON type of a hint's values.

    Raises:
        InvalidContract: Some values have no JSON form.
    """
    found = {_wire(member, names) for member in without_none(hint)}
    return found.pop() if len(found) == 1 else "any"


def choices_of(hint: object) -> tuple[object, ...] | None:
    """The JSON values that a hint allows, where they can be listed."""
    listed: list[object] = []
    for member in without_none(hint):
        if get_origin(member) is Literal:
            listed.extend(encode(value, Any) for value in get_args(member) if value is not None)
        elif isinstance(member, type) and issubclass(member, Enum) and not issubclass(member, Flag):
            listed.extend(value.value for value in member)
        else:
            return None
    return tuple(listed) or None


def is_nullable(hint: object) -> bool:
    """Whether null is among a hint's values."""
    return any(
        member is type(None) or (get_origin(member) is Literal and None in get_args(member))
        for member in members(hint)
    )


def sensitive_paths(hint: object, start: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """
    The paths of all `Sensitive[...]` values below a path.

    What is in a list has no path of its own, so the whole list is named.
    """
    yield from dict.fromkeys(_sensitive(hint, start, frozenset()))


def _sensitive(
    hint: object, start: tuple[str, ...], seen: frozenset[object]
) -> Iterator[tuple[str, ...]]:
    if SECRET in markers(hint):
        yield start
        return
    members = parts(hint)
    if len(members) > 1:
        for member in members:
            yield from _sensitive(member, start, seen)
    elif record_class(hint) is None:
        for argument in get_args(bare(hint)):
            if argument is not ... and next(_sensitive(argument, start, seen), None):
                yield start
    elif bare(hint) not in seen:  # a tree refers to itself
        for field in record_members(hint).values():
            yield from _sensitive(field.hint, (*start, field.name), seen | {bare(hint)})


def _field(contract: str, member: Member, names: Names | None) -> Field:
    try:
        kind = wire_type(member.hint, names)
        default = _default(member)
    except (InvalidContract, ContractMismatch) as exc:
        raise InvalidContract(f"the field '{member.name}' of {contract}: {exc}") from exc
    return Field(
        name=member.name,
        type=kind,
        required=member.required,
        default=default,
        nullable=is_nullable(member.hint),
        choices=choices_of(member.hint),
    )


def _default(member: Member) -> Default | None:
    if member.clock is not None:
        if member.required:
            raise InvalidContract(
                "a field with Now or Today needs a default that means 'not given'"
            )
        return Default(clock=member.clock.clock)
    if member.default is ABSENT:
        return None
    return Default(value=encode(member.default, member.hint))


def _wire(hint: object, names: Names | None) -> FieldType:
    if isinstance(hint, TypeVar):
        return "any"
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin = get_origin(hint) or hint
    if origin is Literal:
        return _type_of_values(get_args(hint))
    if not isinstance(origin, type):
        raise InvalidContract(f"{name_of(hint)} has no JSON form")
    if record_class(hint) is not None:
        _check_record(hint, names)
        return "map"
    if issubclass(origin, Enum):
        return _type_of_values(tuple(value.value for value in origin))
    if issubclass(origin, Mapping):
        _must_be_read(hint, origin in MAPS, "dict")
        key, value = get_args(hint) or (str, object)
        if bare(key) is not str:
            raise InvalidContract(f"the keys of {name_of(hint)} are not texts")
        wire_type(value, names)
        return "map"
    if issubclass(origin, Collection) and not issubclass(origin, str | bytes | bytearray):
        _must_be_read(hint, origin in LISTS, "list")
        for argument in get_args(hint):
            if argument is not ...:
                wire_type(argument, names)
        return "list"
    raise InvalidContract(f"{name_of(hint)} has no JSON form")


def _must_be_read(hint: object, is_read: bool, instead: str) -> None:
    """Refuse what would come back from the journal as another class: a namedtuple as a list."""
    if not is_read:
        raise InvalidContract(
            f"{name_of(hint)} has no JSON form of its own; declare a dataclass or {instead}[...]"
        )


def _type_of_values(values: tuple[object, ...]) -> FieldType:
    found = {_PLAIN.get(type(value), "any") for value in values if value is not None}
    return found.pop() if len(found) == 1 else "any"


def _check_record(hint: object, names: Names | None) -> None:
    """A tree refers to itself, so a class counts as good while it is being looked at."""
    cls = record_class(hint)
    if cls is None or cls in _ACCEPTED:
        return
    _ACCEPTED.add(cls)
    try:
        for member in record_members(hint, names).values():
            wire_type(member.hint, names)
    except (InvalidContract, NameError) as exc:
        _ACCEPTED.discard(cls)
        raise InvalidContract(f"{name_of(hint)} inside it: {exc}") from exc
