"""
The fast path of the codec: writers and readers compiled from the records.

Each record class gets one writer (record → JSON object), put together from the types of
its fields, and one reader, which `reading` writes from them.  They do what `converter`
defines, several times faster; a property test keeps the two equal.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, Literal, NewType, Union, get_args, get_origin

import attrs

from squidmesh_core.ids import AttemptKey, VisitKey
from squidmesh_core.protocol.entries import Input
from squidmesh_core.protocol.making import default_of
from squidmesh_core.protocol.reading import ReadRecord, reader_for
from squidmesh_core.protocol.wire import (
    CONSTANTS,
    NAMES,
    TWINS,
    WIRE_TYPES,
    input_from_json,
    input_to_json,
    instant_from_text,
    instant_to_text,
    long_key,
    short_key,
)

# Writers and readers are chosen by a field's type at run time, where the type
# checker cannot follow; hence `Any`.
Write = Callable[[Any, str], object]
Read = Callable[[object, str], Any]


@attrs.frozen(kw_only=True)
class Form:
    """How values of one type are written and read; both take the key prefix."""

    #: Null: the value is its own wire form.
    write: Write | None
    read: Read


@attrs.frozen(kw_only=True)
class Member:
    """One field of a record, as the wire has it."""

    #: The attribute of the record.
    field: str
    #: Its name on the wire.
    name: str
    #: The annotation that its form follows from.
    hint: object
    form: Form
    #: The value that is left out; `attrs.NOTHING`: it is always written.
    default: object
    #: The field whose value is left out here, too.
    twin: str | None


def members_of(cls: type) -> tuple[Member, ...]:
    """
    The fields of a record class in their wire form; an entry's revision is not one.

    Raises:
        TypeError: A field has a type without a wire form.
    """
    fields = {field.name: field for field in attrs.fields(cls)}
    if cls in WIRE_TYPES:
        del fields["revision"]
    names, twins = NAMES.get(cls, {}), TWINS.get(cls, {})
    return tuple(
        Member(
            field=name,
            name=names.get(name, name),
            hint=fields[twins.get(name, name)].type,
            form=form_of(fields[twins.get(name, name)].type),
            default=default_of(field),
            twin=twins.get(name),
        )
        for name, field in fields.items()
    )


def form_of(hint: object) -> Form:
    """
    The wire form of values with this type annotation.

    Raises:
        TypeError: There is none.
    """
    if hint in _FORMS:
        return _FORMS[hint]
    if isinstance(hint, NewType):
        return form_of(hint.__supertype__)
    if isinstance(hint, type) and attrs.has(hint):
        return _record(hint)
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return Form(write=None, read=_choice(frozenset(arguments)))
    if get_origin(hint) is tuple and arguments[1:] == (...,):
        return _row(form_of(arguments[0]))
    if get_origin(hint) in {Union, UnionType} and len(arguments) == 2 and NoneType in arguments:
        return _optional(form_of(next(a for a in arguments if a is not NoneType)))
    raise TypeError(f"{hint!r} has no wire form")


def writer_of(cls: type) -> Callable[[object, str], dict[str, object]]:
    """A function that writes records of this class, leaving out what is at its default."""
    constants = dict(CONSTANTS.get(cls, {}))
    plain, formed, twins, optional = _by_treatment(members_of(cls))

    def write_record(record: object, prefix: str) -> dict[str, object]:
        data = constants.copy()
        for field, name in plain:
            data[name] = getattr(record, field)
        for field, name, write in formed:
            data[name] = write(getattr(record, field), prefix)
        for field, name, twin, write in twins:
            value = getattr(record, field)
            if value != getattr(record, twin):
                data[name] = write(value, prefix)
        for field, name, default, optional_write in optional:
            value = getattr(record, field)
            if value is not default and value != default:
                data[name] = optional_write(value, prefix) if optional_write else value
        return data

    return write_record


def reader_of(cls: type) -> ReadRecord:
    """
    A function that reads records of this class, as `reader_for` says.

    Raises:
        TypeError: A field has a type without a wire form.
    """
    return reader_for(cls, members_of(cls))


def _by_treatment(
    members: tuple[Member, ...],
) -> tuple[
    list[tuple[str, str]],
    list[tuple[str, str, Write]],
    list[tuple[str, str, str, Write]],
    list[tuple[str, str, object, Write | None]],
]:
    """Sort members once, so that writing a record decides nothing about them."""
    plain: list[tuple[str, str]] = []
    formed: list[tuple[str, str, Write]] = []
    twins: list[tuple[str, str, str, Write]] = []
    optional: list[tuple[str, str, object, Write | None]] = []
    for member in members:
        field, name, write = member.field, member.name, member.form.write
        if member.twin is not None:
            twins.append((field, name, member.twin, write or _as_it_is))
        elif member.default is not attrs.NOTHING:
            optional.append((field, name, member.default, write))
        elif write is None:
            plain.append((field, name))
        else:
            formed.append((field, name, write))
    return plain, formed, twins, optional


def _record(cls: type) -> Form:
    constants = CONSTANTS.get(cls, {})

    @cache
    def reader() -> ReadRecord:  # few records ever hold one, so it is written when one does
        return reader_of(cls)

    def read_record(data: object, prefix: str) -> object:
        members = _mapping(data, prefix)
        if constants and any(members.get(name) != word for name, word in constants.items()):
            raise ValueError(f"expected {constants!r} in {data!r}")
        return reader()(members, prefix)

    return Form(write=writer_of(cls), read=read_record)


def _optional(form: Form) -> Form:
    def read_optional(value: object, prefix: str) -> object:
        return None if value is None else form.read(value, prefix)

    # Writing needs no care: a null is at its default, so it is left out.
    return Form(write=form.write, read=read_optional)


def _row(form: Form) -> Form:
    write, read = form.write or _as_it_is, form.read

    def read_row(value: object, prefix: str) -> tuple[object, ...]:
        if isinstance(value, list):
            return tuple(read(item, prefix) for item in value)
        raise ValueError(f"expected a list, not {value!r}")

    return Form(write=lambda row, prefix: [write(item, prefix) for item in row], read=read_row)


def _choice(words: frozenset[object]) -> Read:
    def read_choice(value: object, _prefix: str) -> object:
        if isinstance(value, str) and value in words:
            return value
        raise ValueError(f"expected one of {sorted(map(str, words))}, not {value!r}")

    return read_choice


def _as_it_is(value: object, _prefix: str) -> object:
    return value


def _text(value: object, _prefix: str) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"expected a text, not {value!r}")


def _boolean(value: object, _prefix: str) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected true or false, not {value!r}")


def _integer(value: object, _prefix: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a whole number, not {value!r}")


def _mapping(value: object, _prefix: str) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"expected an object, not {value!r}")


def _texts_by_name(value: object, prefix: str) -> dict[str, str]:
    return {name: _text(text, prefix) for name, text in _mapping(value, prefix).items()}


_KEY: Final = Form(write=short_key, read=long_key)
_FORMS: Final[Mapping[object, Form]] = {
    str: Form(write=None, read=_text),
    bool: Form(write=None, read=_boolean),
    int: Form(write=None, read=_integer),
    object: Form(write=None, read=_as_it_is),
    datetime: Form(
        write=lambda instant, _: instant_to_text(instant),
        read=lambda text, _: instant_from_text(text),
    ),
    AttemptKey: _KEY,
    VisitKey: _KEY,
    Input: Form(write=input_to_json, read=input_from_json),
    Mapping[str, object]: Form(write=None, read=_mapping),
    Mapping[str, str]: Form(write=None, read=_texts_by_name),
}
