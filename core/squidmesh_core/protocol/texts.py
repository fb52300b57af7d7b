"""
The quick way to the body of an append: entries as canonical text, with no object in between.

`members` says what a record's wire form is made of.  From that one function per class is
written, as attrs writes constructors, which is twice as fast as objects that are
encoded; of a record with a required `at`, a constant `type` and an optional `note`:

    def write(record, prefix):
        note = "" if record.note is None else f',"note":{quoted(record.note)}'
        return f'{{"at":"{instant_to_text(record.at)}"{note},"type":"noted"}}'

A property test keeps it equal to `canonical.encode` of what `converter` defines.
"""

from collections.abc import Callable
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, Literal, cast, get_origin

import attrs

from squidmesh_core import canonical
from squidmesh_core.ids import AttemptKey, VisitKey
from squidmesh_core.protocol.entries import Input, InputFrom
from squidmesh_core.protocol.members import Member, members_of
from squidmesh_core.protocol.wire import (
    CONSTANTS,
    bare_type,
    input_to_json,
    instant_to_text,
    short_key,
)
from squidmesh_core.values import Binding, FromPath, binding_to_json

# Functions are written for a class, where the type checker cannot follow.
WriteText = Callable[[Any, str], str]


def text_writer_of(cls: type) -> WriteText:
    """A function that writes records of this class; it takes the prefix of the run's keys."""
    source = _Source(cls)
    exec(source.text, source.names)  # noqa: S102  # written here, of names that stand in this package
    return cast("WriteText", source.names["write"])


class _Source:
    """The text of one function, and what it refers to."""

    def __init__(self, cls: type) -> None:
        self.names: dict[str, object] = {
            "encode": canonical.encode,
            "input_to_text": _input_to_text,
            "instant_to_text": instant_to_text,
            "quoted": encode_basestring,
            "short_key": short_key,
        }
        fixed = {
            name: f'"{name}":{canonical.encode(value)}'
            for name, value in CONSTANTS.get(cls, {}).items()
        }
        members = {member.name: member for member in members_of(cls)}
        lines, body, found = ["def write(record, prefix):"], "", False
        for name in sorted(fixed.keys() | members.keys()):
            written = fixed.get(name) or f'"{name}":{self._value(members[name])}'
            left_out = "" if name in fixed else self._left_out(members[name])
            if not left_out:
                body += f",{written}" if found else written
                found = True
                continue
            # What stands before the first that is always there brings a comma behind it.
            written = f",{written}" if found else f"{written},"
            lines.append(f"    {members[name].field} = '' if {left_out} else f'{written}'")
            body += f"{{{members[name].field}}}"
        lines.append(f"    return f'{{{{{body}}}}}'")
        self.text = "\n".join(lines)

    def _left_out(self, member: Member) -> str:
        """When a member is not written; empty: it always is."""
        value = f"record.{member.field}"
        if member.twin is not None:
            return f"{value} == record.{member.twin}"
        if member.default is attrs.NOTHING:
            return ""
        if member.default is None:
            return f"{value} is None"
        return f"{value} == {self._named('default', member, member.default)}"

    def _value(self, member: Member) -> str:
        """The text of a member's value, as part of a formatted one."""
        value, hint, write = f"record.{member.field}", bare_type(member.hint), member.form.write
        if hint is datetime:
            return f'"{{instant_to_text({value})}}"'
        if hint in {AttemptKey, VisitKey}:
            return f"{{quoted(short_key({value}, prefix))}}"
        if hint is str or get_origin(hint) is Literal:
            return f"{{quoted({value})}}"
        if hint is int:
            return f"{{{value}}}"
        if hint == Input:
            return f"{{input_to_text({value}, prefix)}}"
        if write is None:
            return f"{{encode({value})}}"
        if isinstance(hint, type) and _is_never_empty(hint):
            return f"{{{self._named('write', member, text_writer_of(hint))}({value}, prefix)}}"
        return f"{{encode({self._named('form', member, write)}({value}, prefix))}}"

    def _named(self, kind: str, member: Member, value: object) -> str:
        """The name under which the function finds something of a member's."""
        name = f"{kind}_of_{member.field}"
        self.names[name] = value
        return name


def _input_to_text(source: Input, prefix: str) -> str:
    """Where an input comes from: nearly always paths of the context, one for each parameter."""
    if not isinstance(source, InputFrom) or source.bindings is None:
        return canonical.encode(input_to_json(source, prefix))
    bound = sorted(source.bindings.items())
    texts = [f"{encode_basestring(name)}:{_binding_to_text(binding)}" for name, binding in bound]
    return f'{{"from":{{{",".join(texts)}}}}}'


def _binding_to_text(binding: Binding) -> str:
    if isinstance(binding, FromPath):
        return f"[{','.join(map(encode_basestring, binding.path))}]"
    return canonical.encode(binding_to_json(binding))


def _is_never_empty(cls: type) -> bool:
    """Whether it is a record with something that is always written, for commas to stand by."""
    return cls in CONSTANTS or (
        attrs.has(cls)
        and any(one.default is attrs.NOTHING and not one.twin for one in members_of(cls))
    )
