"""`Redaction`: one door for records and plain data."""

from collections.abc import Mapping
from operator import is_
from typing import Final, TypeVar, cast

import attrs

from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.values.scope import SCOPES, Scope
from squidmesh_core.views.visibility.documents import Documents
from squidmesh_core.views.visibility.records import Copy, copy_of, loose
from squidmesh_core.views.visibility.rules import Tables

T = TypeVar("T")


class Redaction:
    """
    Redaction by tables.

    Args:
        tables: Record class → who sees which member.  A record of another class, and a
            member that its table does not name, is shown to auditors alone.
        instead: Record class → the class that it is copied as: for those that carry more
            than they show.
    """

    def __init__(self, tables: Tables, instead: Mapping[type, type] | None = None) -> None:
        self.tables: Final = tables
        self._scoped = {s: _Scoped(tables, instead or {}, s) for s in SCOPES if s != "auditor"}

    def redact(self, view: T, scope: Scope) -> T:
        """
        A view as a scope may see it: for auditors itself, for others a copy.

        Args:
            view: A snapshot, run, page, explanation, graph, gate, entry …, several of them
                in a list or tuple, or plain data; null stays null.
            scope: Who looks.

        Raises:
            ValueError: There is no such scope.
            TypeError: It is no view.
        """
        if scope not in SCOPES:
            raise ValueError(f"expected one of {', '.join(SCOPES)} as a scope")
        if scope == "auditor":
            return view
        # A record is copied as its own class, a map as a dict.
        return cast("T", self._scoped[scope].view(view))

    def entry_data(
        self, kind: object, data: Mapping[str, object], scope: Scope
    ) -> Mapping[str, object]:
        """What a scope may see of the members of a journal entry, given its wire type."""
        return data if scope == "auditor" else self._scoped[scope].documents.entry(str(kind), data)


class _Scoped:
    """Redaction for one scope below auditor."""

    def __init__(self, tables: Tables, instead: Mapping[type, type], scope: Scope) -> None:
        self._tables, self._instead, self._scope = tables, instead, scope
        self._copies: dict[type, Copy] = {}
        self.documents: Final = Documents(tables, scope)

    def view(self, view: object) -> object:
        match view:
            case None:
                return None
            case Mapping():
                return self.documents.any(view)
            case list():
                return [self._one(member) for member in view]
            case tuple():
                return tuple(map(self._one, view))
            case _ if attrs.has(type(view)):
                return self._record(view)
            case _:
                raise TypeError(f"{type(view).__name__} is no view")

    def _one(self, member: object) -> object:
        return self._record(member) if attrs.has(type(member)) else self.documents.any(member)

    def _record(self, record: object) -> object:
        copy = self._copies.get(type(record)) or self._learn(type(record))
        return copy.of(record, self._inside)

    def _learn(self, kind: type) -> Copy:
        cls = self._instead.get(kind, kind)
        # An entry is shown as the shell hands it out: as data, with its wire type.
        if cls not in self._tables or cls in WIRE_TYPES:
            raise TypeError(f"nobody has said who may see which part of a {cls.__name__}")
        copy = self._copies[kind] = copy_of(cls, self._tables[cls], self._scope)
        return copy

    def _inside(self, member: object) -> object:
        """What a member holds that its scope sees."""
        cls = type(member)
        copy = self._copies.get(cls)
        if copy is not None:
            return copy.of(member, self._inside)
        if cls is tuple:
            members = cast("tuple[object, ...]", member)
            redacted = tuple(map(self._inside, members))
            return members if all(map(is_, members, redacted)) else redacted
        if attrs.has(cls):
            return self._record(member)
        return loose(member) if isinstance(member, Mapping) else member
