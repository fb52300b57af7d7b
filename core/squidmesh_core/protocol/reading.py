"""
The quick way from the object of a record to the record.

`members` says what a record's wire form is made of.  From that one function per class is
written, as `texts` writes the way there: what is nearly always as it should be is seen to
be so on the spot, and anything else is left to the reader of its form, which says what
is wrong.  Of an entry with a required `at` and an optional `note`:

    def read(data, prefix, revision):
        try:
            known, x = 3, data["at"]
            its_at = utc_from_text(x) if type(x) is str else of_at(x, prefix)
            if "note" in data:
                known, x = known + 1, data["note"]
                its_note = x if type(x) is str else of_note(x, prefix)
            else: its_note = default_of_note
        except KeyError: raise misfit(data) from None
        if len(data) != known: raise misfit(data)
        record = twin()
        record.at = its_at; record.note = its_note; record.revision = revision
        record.__class__ = cls
        return record

A property test keeps it equal to what `converter` defines.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args, get_origin

import attrs

from squidmesh_core.ids import AttemptKey, VisitKey
from squidmesh_core.protocol.making import default, only_sets, open_twin
from squidmesh_core.protocol.wire import CONSTANTS, WIRE_TYPES, bare_type, utc_from_text

if TYPE_CHECKING:
    from squidmesh_core.protocol.members import Member

# Functions are written for a class, where the type checker cannot follow.
ReadRecord = Callable[..., Any]

#: Types whose values are their own form.  Exactly these: a boolean is no integer here.
_EXACT: Final[Mapping[object, str]] = {
    str: "str",
    bool: "bool",
    int: "int",
    Mapping[str, object]: "dict",
}


def reader_for(cls: type, members: "Sequence[Member]") -> ReadRecord:
    """
    A function that reads records of this class: from an object, constants and all, and the
    key prefix, and of an entry its revision.

    It raises `ValueError` for a member that is unknown, missing, or of another type.
    """
    source = _Source(cls, members)
    exec(source.text, source.names)  # noqa: S102  # written here, of names that stand in this package
    return cast("ReadRecord", source.names["read"])


class _Source:
    """The text of one function, and what it refers to."""

    def __init__(self, cls: type, members: "Sequence[Member]") -> None:
        self.names: dict[str, object] = {
            "cls": cls,
            "misfit": partial(_misfit, members),
            "twin": open_twin(cls),
            "utc_from_text": utc_from_text,
        }
        self._fields = {field.name: field for field in attrs.fields(cls)}
        is_entry = cls in WIRE_TYPES
        required = [one for one in members if _is_required(one)]
        known = len(required) + len(CONSTANTS.get(cls, {}))
        self.text = "\n    ".join(
            (
                f"def read(data, prefix{', revision' if is_entry else ''}):",
                "try:",
                f"    known = {known}",
                *(f"    {line}" for one in required for line in self._required(one)),
                *(f"    {line}" for one in members for line in self._optional(one)),
                "except KeyError: raise misfit(data) from None",
                "if len(data) != known: raise misfit(data)",
                *self._made(cls, [one.field for one in members], is_entry=is_entry),
            )
        )

    def _required(self, member: "Member") -> Iterator[str]:
        yield f"x = data[{member.name!r}]"
        yield f"its_{member.field} = {self._value(member)}"

    def _optional(self, member: "Member") -> Iterator[str]:
        if _is_required(member):
            return
        left_out = f"its_{member.twin}"
        if member.twin is None:
            left_out = default(self._fields[member.field], self.names)
        yield f"if {member.name!r} in data:"
        yield f"    known, x = known + 1, data[{member.name!r}]"
        yield f"    its_{member.field} = {self._value(member)}"
        yield f"else: its_{member.field} = {left_out}"

    def _value(self, member: "Member") -> str:
        """What a member's value is, of an `x` as it stands in the object."""
        name, hint = f"of_{member.field}", bare_type(member.hint)
        self.names[name] = member.form.read
        slowly = f"{name}(x, prefix)"
        if hint in _EXACT:
            return f"x if type(x) is {_EXACT[hint]} else {slowly}"
        if hint is datetime:
            return f"utc_from_text(x) if type(x) is str else {slowly}"
        if hint in {AttemptKey, VisitKey}:
            is_short = 'type(x) is str and x[:1] == ":" != x'
            return f"prefix + x[1:] if {is_short} else {slowly}"
        if get_origin(hint) is Literal:
            self.names[f"words_{name}"] = frozenset(get_args(hint))
            return f"x if type(x) is str and x in words_{name} else {slowly}"
        return "x" if hint is object else slowly

    def _made(self, cls: type, fields: Sequence[str], *, is_entry: bool) -> Iterator[str]:
        values = {name: f"its_{name}" for name in fields}
        if is_entry:
            values["revision"] = "revision"
        if not only_sets(cls):
            yield f"return cls({', '.join(f'{name}={value}' for name, value in values.items())})"
            return
        yield "record = twin()"
        for name, value in values.items():
            yield f"record.{name} = {value}"
        yield "record.__class__ = cls"
        yield "return record"


def _is_required(member: "Member") -> bool:
    return member.default is attrs.NOTHING and member.twin is None


def _misfit(members: "Sequence[Member]", data: Mapping[str, object]) -> ValueError:
    """What is said of an object that has other members than it should."""
    names = {one.name for one in members}
    missing = {one.name for one in members if _is_required(one)} - data.keys()
    unknown = data.keys() - names
    return ValueError(f"members missing: {sorted(missing)}; members unknown: {sorted(unknown)}")
