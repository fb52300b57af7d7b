"""
Redaction of plain data: views as `to_dict` writes them, journal entries, and anything else.

A map with exactly the members of a view is that view, and is redacted by its table, so
that redacting and writing may come in either order.  Of any other map, only what stands
under a name that views show is kept: nobody has said who may see the rest.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import NoneType, UnionType
from typing import Final, TypeGuard, Union, get_args, get_origin

import attrs

from squidmesh_core.protocol.entries import Decided
from squidmesh_core.protocol.wire import CLASSES, NAMES, WIRE_TYPES
from squidmesh_core.values.redaction import REDACTED, is_sensitive
from squidmesh_core.values.scope import Scope
from squidmesh_core.views.graph.records import ENDS, GraphEdge
from squidmesh_core.views.plain import MILLISECOND, member_names, plain, plain_name
from squidmesh_core.views.visibility.hiding import Make, hidden
from squidmesh_core.views.visibility.records import how, loose
from squidmesh_core.views.visibility.rules import Edit, Tables

#: Names that are others in plain data.
_RENAMED: Final[Mapping[type, Mapping[str, str]]] = {Decided: NAMES[Decided], GraphEdge: ENDS}
_ATOM_CLASSES: Final = (str, int, float, bool, NoneType)
_ATOMS: Final = frozenset(_ATOM_CLASSES)


@attrs.frozen(kw_only=True)
class Parts:
    """What a scope sees of the members of a record; of those in neither, nothing at all."""

    #: Those that it sees → the class of the records in each, if any.
    seen: Mapping[str, type | None]
    #: Of the others, what makes the part that it sees, or stands for what it does not.
    edited: Mapping[str, Edit]


class Documents:
    """Redaction of plain data for one scope below auditor."""

    def __init__(self, tables: Tables, scope: Scope) -> None:
        self._tables = tables
        self._scope: Final[Scope] = scope
        self._shapes = _shapes(tables)
        self._parts: dict[type, Parts] = {}
        shown, unseen = _names(tables, scope)
        self._names: Final = shown - unseen
        self._unseen: Final = unseen

    def any(self, value: object) -> object:
        """A value about which nothing is known but what is in it."""
        match value:
            case None:
                return None
            case Mapping():
                return self._mapping(value)
            case list() | tuple():
                return [self.any(member) for member in value]
            case _:
                return REDACTED

    def entry(self, kind: object, data: object) -> dict[str, object]:
        """The members of a journal entry, by its wire type; of one that nobody knows, none."""
        cls = CLASSES.get(kind) if isinstance(kind, str) else None
        return self._record(data, cls) if cls is not None and _is_map(data) else {}

    def _mapping(self, members: Mapping[str, object]) -> dict[str, object]:
        cls = self._shapes.get(frozenset(members))
        if cls is not None:
            return self._record(members, cls)
        shown: dict[str, object] = {}
        for name, member in members.items():
            if name in self._names and not is_sensitive(name):
                shown[name] = self._listed(member)
            elif name not in self._unseen and self._is_view(member):
                shown[name] = self.any(member)
        return shown

    def _listed(self, member: object) -> object:
        """What stands under a name that views show."""
        if isinstance(member, list | tuple):
            return [self._listed(one) for one in member]
        return member if isinstance(member, _ATOM_CLASSES) else self.any(member)

    def _is_view(self, member: object) -> bool:
        if isinstance(member, list | tuple):
            return bool(member) and all(self._is_view(one) for one in member)
        return isinstance(member, Mapping) and frozenset(member) in self._shapes

    def _record(self, members: Mapping[str, object], cls: type) -> dict[str, object]:
        """
        What was a record, by its table; members that it lacks stay away.

        Of an entry hidden ones stay away too: it never has all of them.
        """
        parts = self._parts.get(cls) or self._learn(cls)
        seen, edited = parts.seen, parts.edited
        shown: dict[str, object] = {}
        for name, member in members.items():
            if name not in seen:
                if name in edited:
                    shown[name] = edited[name](members.get)
            elif type(member) in _ATOMS:
                shown[name] = member
            else:
                shown[name] = self._inside(member, seen[name])
        return shown

    def _learn(self, cls: type) -> Parts:
        """The parts of a record, under each name that they may have."""
        table, names = self._tables[cls], _RENAMED.get(cls, {})
        seen: dict[str, type | None] = {}
        edited: dict[str, Edit] = {}
        for field in attrs.fields(cls):
            edit, whole = how(table.get(field.name, "auditor"), self._scope)
            if edit is None and not whole:
                if cls in WIRE_TYPES:
                    continue
                edit = _in_place_of(hidden(field.type))
            name = names.get(field.name, field.name)
            for written in (name, plain_name(name, is_span=True)):
                if edit is None:
                    seen[written] = _record_class(field.type)
                else:
                    edited[written] = edit
        parts = self._parts[cls] = Parts(seen=seen, edited=edited)
        return parts

    def _inside(self, member: object, cls: type | None) -> object:
        """What a member holds, of the record class that its own class declares for it, if any."""
        if _is_map(member):
            return loose(member) if cls is None else self._record(member, cls)
        if isinstance(member, list | tuple):
            return [self._inside(one, cls) for one in member]
        return member if isinstance(member, _ATOM_CLASSES) else REDACTED


def _is_map(member: object) -> TypeGuard[Mapping[str, object]]:
    # Its exact type first: to ask what else is a map takes as long as to redact it.
    return type(member) is dict or isinstance(member, Mapping)


def _written(value: object) -> object:
    """What stands in the place of a member, as the record that it was would write it."""
    return value // MILLISECOND if isinstance(value, timedelta) else plain(value)


def _in_place_of(make: Make) -> Edit:
    written = _written(make())
    if isinstance(written, list | dict):
        return lambda _: written.copy()  # for hosts to keep
    return lambda _: written


def _record_class(hint: object) -> type | None:
    """The record class that a type annotation names, alone, in a row, or beside null."""
    if isinstance(hint, type) and attrs.has(hint):
        return hint
    if get_origin(hint) in {Union, UnionType, tuple}:
        found = (_record_class(argument) for argument in get_args(hint))
        return next((cls for cls in found if cls is not None), None)
    return None


def _shapes(tables: Tables) -> Mapping[frozenset[str], type]:
    """The names of a view's members in plain data → the view."""
    found: dict[frozenset[str], type] = {}
    for cls in tables:
        if cls in WIRE_TYPES:
            continue  # what is written of an entry differs from entry to entry
        names, shown = _RENAMED.get(cls, {}), member_names(cls)
        spans = {f.name for f in attrs.fields(cls) if "timedelta" in str(f.type)}
        shape = frozenset(plain_name(names.get(n, n), is_span=n in spans) for n in shown)
        found[shape] = cls
    return found


def _names(tables: Tables, scope: Scope) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a scope sees in some table, and those that some table hides from it."""
    shown: set[str] = set()
    unseen: set[str] = set()
    for cls, table in tables.items():
        for field in attrs.fields(cls):
            _, seen = how(table.get(field.name, "auditor"), scope)
            name = _RENAMED.get(cls, {}).get(field.name, field.name)
            (shown if seen else unseen).add(name)
    return frozenset(shown), frozenset(unseen)
