"""
Redaction of records: how each class is copied for a scope, found out once.

A copy keeps what the scope sees, redacts the records inside, and has in every other
place a value of the member's type that tells nothing.  A record of which all may be
seen is its own copy: of a long run most are.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from types import NoneType, UnionType
from typing import Literal, NewType, Union, cast, get_args, get_origin

import attrs

from squidmesh_core.values.scope import Scope, sees
from squidmesh_core.views.visibility.hiding import Make, hidden
from squidmesh_core.views.visibility.rules import Edit, Partly, Table

#: Redacts what a member holds.
Redact = Callable[[object], object]
#: Reads some members of a record at once.
Read = Callable[[object], tuple[object, ...]]
#: Makes a record like another but for some members.
Alike = Callable[[object, dict[str, object]], object]
_ATOMS = frozenset({str, int, float, bool, NoneType})


@attrs.frozen(kw_only=True)
class Copy:
    """How records of one class are copied for one scope."""

    #: Members that may have to be changed.
    names: tuple[str, ...]
    #: What makes the value in the place of each; null: it is seen, and what is in it redacted.
    makes: tuple[Make | None, ...]
    #: What they are where none has to.
    quiet: tuple[object, ...]
    #: Reads them.
    look: Read
    #: Members of which a part is shown.
    edited: tuple[tuple[str, Edit], ...]
    #: Makes a record like another but for some members.
    alike: Alike

    def of(self, record: object, redact: Redact) -> object:
        """A record as the scope may see it."""
        members = self.look(record)
        if not self.edited and members == self.quiet:
            return record
        changes: dict[str, object] = {}
        for name, make, member, blank in zip(
            self.names, self.makes, members, self.quiet, strict=True
        ):
            if member is blank:
                continue
            if make is not None:
                if member != blank:
                    changes[name] = make()
            elif (redacted := redact(member)) is not member:
                changes[name] = redacted
        for name, edit in self.edited:
            part = edit(partial(getattr, record))
            if part is not getattr(record, name):
                changes[name] = part
        return self.alike(record, changes) if changes else record


def copy_of(cls: type, table: Table, scope: Scope) -> Copy:
    """How records of a class are copied for a scope; a member without a rule is hidden."""
    edited: list[tuple[str, Edit]] = []
    changed: list[tuple[str, Make | None]] = []
    for field in attrs.fields(cls):
        edit, seen = how(table.get(field.name, "auditor"), scope)
        if not seen and edit is not None:
            edited.append((field.name, edit))
        elif not seen:
            changed.append((field.name, hidden(field.type)))
        elif not _is_flat(field.type):
            changed.append((field.name, None))
    names = tuple(name for name, _ in changed)
    return Copy(
        names=names,
        makes=tuple(make for _, make in changed),
        quiet=tuple(None if make is None else make() for _, make in changed),
        look=_reader(names),
        edited=tuple(edited),
        alike=_copier(cls),
    )


def _copier(cls: type) -> Alike:
    """How a record is copied but for some members, a sixth quicker than by its constructor."""
    read = _reader(names := tuple(field.name for field in attrs.fields(cls)))
    place = object.__setattr__

    def alike(record: object, changes: dict[str, object]) -> object:
        copy: object = object.__new__(cls)
        for name, member in zip(names, read(record), strict=True):
            place(copy, name, member)
        for name, member in changes.items():
            place(copy, name, member)
        return copy

    return alike


def how(rule: object, scope: Scope) -> tuple[Edit | None, bool]:
    """What makes the part of a member that a scope sees, and whether it sees the whole."""
    if isinstance(rule, Partly):
        return (None, True) if scope == "auditor" else (rule.edit(scope), False)
    return None, sees(scope, cast("Scope", rule))


def loose(members: Mapping[str, object]) -> dict[str, object]:
    """A map of counts, names or words as it is shown: what is no such thing is left out."""
    return {name: member for name, member in members.items() if type(member) in _ATOMS}


def _reader(names: Sequence[str]) -> Read:
    if len(names) > 1:
        return attrgetter(*names)  # the quickest there is
    return lambda record: tuple(getattr(record, name) for name in names)


def _is_flat(hint: object) -> bool:
    """Whether values of a type hold nothing inside."""
    if isinstance(hint, NewType):
        return _is_flat(hint.__supertype__)
    if get_origin(hint) in {Union, UnionType, tuple}:
        return all(_is_flat(argument) for argument in get_args(hint) if argument is not ...)
    flat = {str, int, float, bool, NoneType, datetime, timedelta}
    return get_origin(hint) is Literal or hint in flat
