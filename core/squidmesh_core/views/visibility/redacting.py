"""`Redaction`: one door for records and plain data."""

from collections.abc import Callable, Collection, Iterator, Mapping
from operator import is_
from typing import Final, TypeVar, cast

import attrs

from squidmesh_core.protocol.wire import WIRE_TYPES
from squidmesh_core.values.scope import SCOPES, Scope
from squidmesh_core.views.visibility.copying import Copied, copier
from squidmesh_core.views.visibility.documents import Documents
from squidmesh_core.views.visibility.records import changes_of, loose
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
            TypeError: It is no view, or lies deeper in itself than anything stored may.
        """
        if scope not in SCOPES:
            raise ValueError(f"expected one of {', '.join(SCOPES)} as a scope")
        if scope == "auditor":
            return view
        try:  # a record is copied as its own class, a map as a dict
            return cast("T", self._scoped[scope].view(view))
        except RecursionError:
            raise TypeError("it is nested too deeply to be a view, or holds itself") from None

    def each(self, scope: Scope) -> Callable[[T], T]:
        """What redacts one view after the other, for many of them."""
        if scope == "auditor":
            return _itself
        return cast("Callable[[T], T]", self._scoped[scope].view)

    def entry_data(self, scope: Scope) -> Callable[[object, object], object]:
        """What redacts the members of a journal entry, given its wire type and them."""
        return _whole if scope == "auditor" else self._scoped[scope].documents.entry


def _itself(view: T) -> T:
    return view


def _whole(_: object, data: object) -> object:
    return data


class _Scoped:
    """Redaction for one scope below auditor."""

    def __init__(self, tables: Tables, instead: Mapping[type, type], scope: Scope) -> None:
        self._tables, self._instead, self._scope = tables, instead, scope
        self._copies: dict[type, Copied] = {}
        self.documents: Final = Documents(tables, scope)

    def view(self, view: object) -> object:
        copy = self._copies.get(type(view))
        if copy is not None:
            return copy(view)
        match view:
            case None:
                return None
            case Mapping():
                return self.documents.any(view)
            case list():
                return list(self._each(view, self._one))
            case tuple():
                return tuple(self._each(view, self._one))
            case _ if attrs.has(type(view)):
                return self._record(view)
            case _:
                raise TypeError(f"{type(view).__name__} is no view")

    def _one(self, member: object) -> object:
        return self._record(member) if attrs.has(type(member)) else self.documents.any(member)

    def _record(self, record: object) -> object:
        copy = self._copies.get(type(record)) or self._learn(type(record))
        return copy(record)

    def _learn(self, kind: type) -> Copied:
        cls = self._instead.get(kind, kind)
        # An entry is shown as the shell hands it out: as data, with its wire type.
        if cls not in self._tables or cls in WIRE_TYPES:
            raise TypeError(f"nobody has said who may see which part of a {cls.__name__}")
        changes = changes_of(cls, self._tables[cls], self._scope)
        copy = self._copies[kind] = copier(cls, changes, self._inside)
        return copy

    def _inside(self, member: object) -> object:
        """What a member holds that its scope sees."""
        cls = type(member)
        copy = self._copies.get(cls)
        if copy is not None:
            return copy(member)
        if cls is tuple:
            members = cast("tuple[object, ...]", member)
            kinds = set(map(type, members))
            redact = (
                self._copies.get(kinds.pop(), self._inside) if len(kinds) == 1 else self._inside
            )
            redacted = tuple(map(redact, members))
            return members if all(map(is_, members, redacted)) else redacted
        if attrs.has(cls):
            return self._record(member)
        return loose(member) if isinstance(member, Mapping) else member

    def _each(self, members: Collection[object], redact: Copied) -> Iterator[object]:
        """Several at once; most often they are records of one class, which is then known."""
        kinds = set(map(type, members))
        return map(self._copies.get(kinds.pop(), redact) if len(kinds) == 1 else redact, members)
