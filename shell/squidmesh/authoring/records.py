"""Classes of hosts as records: dataclasses, attrs classes, TypedDicts and pydantic models."""

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NotRequired, Required, get_args, get_origin, is_typeddict

import attrs
from attrs import frozen

from squidmesh.authoring.frames import Names
from squidmesh.authoring.hints import bare, class_hints, markers, substitute
from squidmesh.authoring.markers import ClockDefault


class _Absent:
    """The type of `ABSENT`, so that `None` stays a default like any other."""


ABSENT: Final = _Absent()

#: Factories whose result is the same each time, so that a spec can hold it.
_EMPTY: Final = (list, dict, set, frozenset, tuple)


@frozen(kw_only=True)
class Member:
    """One field of a record."""

    name: str
    hint: object
    #: Whether its JSON must hold it.  What an opaque factory makes cannot stand in a
    #: spec, so a field with one is required too.
    required: bool = True
    #: The constant default, if there is one.
    default: object = ABSENT

    @property
    def clock(self) -> ClockDefault | None:
        """The marker of a field that defaults to the instant of the start."""
        return next((m for m in markers(self.hint) if isinstance(m, ClockDefault)), None)


def record_class(hint: object) -> type | None:
    """The record class behind a hint, also behind a generic one; `None` for anything else."""
    hint = bare(hint)
    origin = get_origin(hint) or hint
    if not isinstance(origin, type):
        return None
    if dataclasses.is_dataclass(origin) or attrs.has(origin) or is_typeddict(origin):
        return origin
    return origin if is_pydantic(origin) else None


def is_pydantic(cls: type) -> bool:
    """Whether it is a pydantic model; pydantic is never imported to find out."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def read_by_key(hint: object) -> bool:
    """Whether its values are mappings, read as `case["name"]`."""
    origin = get_origin(bare(hint)) or bare(hint)
    return is_typeddict(origin) or (isinstance(origin, type) and issubclass(origin, Mapping))


def record_members(hint: object, names: Names | None = None) -> Mapping[str, Member]:
    """
    The fields of a record class by name, type variables replaced.

    Raises:
        NameError: An annotation uses a name that cannot be seen.
        TypeError: The hint is not a record class.
    """
    cls = record_class(hint)
    if cls is None:
        raise TypeError(f"expected a record class, not {hint!r}")
    class_hints(cls, names)  # remembered, so that what follows needs no names
    members = _members(cls)
    if cls is bare(hint):
        return members
    parameters: tuple[object, ...] = getattr(cls, "__parameters__", ())
    values = dict(zip(parameters, get_args(bare(hint)), strict=False))
    return {
        name: attrs.evolve(member, hint=substitute(member.hint, values))
        for name, member in members.items()
    }


@cache
def _members(cls: type) -> Mapping[str, Member]:
    hints = class_hints(cls)
    if is_typeddict(cls):
        found = _of_typeddict(cls, hints)
    elif attrs.has(cls):
        found = _of_attrs(cls, hints)
    elif dataclasses.is_dataclass(cls):
        found = _of_dataclass(cls, hints)
    else:
        found = _of_pydantic(cls, hints)
    return {member.name: member for member in found}


def _of_typeddict(cls: type, hints: Mapping[str, object]) -> Iterator[Member]:
    keys: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]  # a TypedDict
    for name, hint in hints.items():
        # Postponed annotations hide NotRequired from __required_keys__, never from the hint.
        origin = get_origin(hint)
        required = origin is Required or (name in keys and origin is not NotRequired)
        inner: object = get_args(hint)[0] if origin in {Required, NotRequired} else hint
        yield Member(name=name, hint=inner, required=required)


def _of_attrs(cls: type, hints: Mapping[str, object]) -> Iterator[Member]:
    for field in attrs.fields(cls):
        if not field.init:
            continue
        default: object = field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
            default = _made_by(default.factory)  # type: ignore[attr-defined]  # an attrs Factory
        elif default is attrs.NOTHING:
            default = ABSENT
        yield Member(
            name=field.name,
            hint=hints.get(field.name, object),
            required=default is ABSENT,
            default=default,
        )


def _of_dataclass(cls: type, hints: Mapping[str, object]) -> Iterator[Member]:
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        default: object = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = _made_by(field.default_factory)
        elif default is dataclasses.MISSING:
            default = ABSENT
        yield Member(
            name=field.name,
            hint=hints[field.name],
            required=default is ABSENT,
            default=default,
        )


def _of_pydantic(cls: type, hints: Mapping[str, object]) -> Iterator[Member]:
    fields: Mapping[str, object] = cls.model_fields  # type: ignore[attr-defined]  # a pydantic model
    for name, field in fields.items():
        factory = getattr(field, "default_factory", None)
        default = getattr(field, "default", ABSENT) if factory is None else _made_by(factory)
        if field.is_required():  # type: ignore[attr-defined]  # a pydantic FieldInfo
            default = ABSENT
        yield Member(name=name, hint=hints[name], required=default is ABSENT, default=default)


def _made_by(factory: object) -> object:
    return factory() if factory in _EMPTY else ABSENT
