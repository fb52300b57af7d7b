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
from typing import Any, Literal, NewType, Union, cast, get_args, get_origin

import attrs

from squidmesh_core.values.scope import Scope, sees
from squidmesh_core.views.visibility.hiding import Make, hidden
from squidmesh_core.views.visibility.rules import Edit, Partly, Table

#: Redacts what a member holds.
Redact = Callable[[object], object]
#: Reads some members of a record at once.
Read = Callable[[object], tuple[object, ...]]
_ATOMS = frozenset({str, int, float, bool, NoneType})


@attrs.frozen(kw_only=True)
class Copy:
    """How records of one class are copied for one scope."""

    cls: type
    names: tuple[str, ...]
    #: Places of members that may hold something to be redacted.
    deep: tuple[int, ...]
    #: Members of which a part is shown.
    edited: tuple[tuple[int, Edit], ...]
    #: Members that are hidden, what makes the value in their place, and such a value.
    hidden: tuple[tuple[int, Make, object], ...]
    #: All members of a record, in the order of `names`.
    read: Read
    #: Those that may have to be changed, and what they are where none has.
    look: Read
    quiet: tuple[object, ...]

    def of(self, record: object, redact: Redact) -> object:
        """A record as the scope may see it."""
        if not self.edited and self.look(record) == self.quiet:
            return record
        members = self.read(record)
        changes: dict[str, object] = {}
        for place in self.deep:
            member = members[place]
            if type(member) not in _ATOMS:
                redacted = redact(member)
                if redacted is not member:
                    changes[self.names[place]] = redacted
        for place, edit in self.edited:
            changes[self.names[place]] = edit(partial(getattr, record))
        for place, make, blank in self.hidden:
            if members[place] != blank:
                changes[self.names[place]] = make()
        if not changes:
            return record
        shown = dict(zip(self.names, members, strict=True))
        # A class is chosen by its table, where the type checker cannot follow.
        return cast("Any", self.cls)(**shown | changes)


def copy_of(cls: type, table: Table, scope: Scope) -> Copy:
    """How records of a class are copied for a scope; a member without a rule is hidden."""
    fields = attrs.fields(cls)
    names = tuple(field.name for field in fields)
    deep: list[int] = []
    edited: list[tuple[int, Edit]] = []
    unseen: list[tuple[int, Make, object]] = []
    for place, field in enumerate(fields):
        edit, seen = how(table.get(field.name, "auditor"), scope)
        if not seen and edit is not None:
            edited.append((place, edit))
        elif not seen:
            make = hidden(field.type)
            unseen.append((place, make, make()))
        elif not _is_flat(field.type):
            deep.append(place)
    look = [names[place] for place in deep] + [names[place] for place, *_ in unseen]
    return Copy(
        cls=cls,
        names=names,
        deep=tuple(deep),
        edited=tuple(edited),
        hidden=tuple(unseen),
        read=_reader(names),
        look=_reader(look),
        quiet=(*(None for _ in deep), *(blank for *_, blank in unseen)),
    )


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
