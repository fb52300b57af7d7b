"""One JSON object being read: its members, its place, and what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

from attrs import Factory, define, frozen

from squidmesh_core.definition.problem import Place, Problem

T = TypeVar("T")

_ABSENT: Final = object()


class UnreadableError(Exception):
    """A member is not what it should be; `Source` turns this into a problem."""

    def __init__(self, message: str, *, hint: str = "", code: str = "", path: Place = ()) -> None:
        self.message = message
        self.hint = hint
        #: Overrides the code of the member, where the culprit lies deeper.
        self.code = code
        #: From the member to the culprit.
        self.path = path


@define
class Report:
    """The problems found so far in one document."""

    problems: list[Problem] = Factory(list)
    #: Whether something is missing without which a graph makes no sense.
    broken: bool = False


@frozen(kw_only=True)
class Source:
    """
    A JSON object at a place of the document.

    Each reading of a member marks it as known; `close` reports the others.
    An unreadable member is reported and replaced by a stand-in of the right
    type, so that reading goes on and finds the rest.
    """

    members: Mapping[str, object]
    path: Place
    report: Report
    _known: set[str] = Factory(set)

    def optional(self, name: str, read: Callable[[object], T], *, default: T, code: str) -> T:
        """A member that may be left out."""
        value = self._get(name)
        return default if value is _ABSENT else self._read(name, value, read, default, code)

    def nullable(self, name: str, read: Callable[[object], T], *, code: str) -> T | None:
        """A member that may be left out or null."""
        value = self._get(name)
        if value is _ABSENT or value is None:
            return None
        return self._read(name, value, read, None, code)

    def required(self, name: str, read: Callable[[object], T], *, instead: T, code: str) -> T:
        """A member that must be there; `instead` is the stand-in."""
        value = self._get(name)
        if value is _ABSENT:
            self.problem(code, f"{name} is missing", place=(name,))
            return instead
        return self._read(name, value, read, instead, code)

    def essential(self, name: str, read: Callable[[object], T], *, instead: T, code: str) -> T:
        """As `required`; without it the graph is not judged."""
        before = len(self.report.problems)
        value = self.required(name, read, instead=instead, code=code)
        if len(self.report.problems) > before:
            self.report.broken = True
        return value

    def has(self, name: str) -> bool:
        """Whether the member was written."""
        return self._get(name) is not _ABSENT

    def states(self, name: str) -> bool:
        """Whether the member was written and is not null."""
        return self._get(name) not in (_ABSENT, None)

    def inside(self, name: str, *, code: str) -> "Source | None":
        """The object that is a member, or nothing where it is left out or null."""
        value = self._get(name)
        if value is _ABSENT or value is None:
            return None
        if not isinstance(value, Mapping):
            self.problem(code, f"expected an object, not {shown(value)}", place=(name,))
            return None
        return Source(members=value, path=(*self.path, name), report=self.report)

    def objects(self, name: str, *, code: str) -> "Iterator[Source]":
        """The objects in a list; what is no object there is reported and left out."""
        if self.has(name) and not isinstance(self.members[name], list):
            self.report.broken = True
        items: list[object] = self.optional(name, a_list, default=[], code="invalid_collection")
        for i, item in enumerate(items):
            if isinstance(item, Mapping):
                yield Source(members=item, path=(*self.path, name, i), report=self.report)
            else:
                self.problem(code, f"expected an object, not {shown(item)}", place=(name, i))
                self.report.broken = True

    def close(self) -> None:
        """Report the members that nobody asked for."""
        for name in sorted(self.members.keys() - self._known):
            self.problem(
                "unknown_key",
                f"there is no member {name!r} here",
                hint=f"Known are {', '.join(sorted(self._known))}.",
                place=(name,),
            )

    def problem(self, code: str, message: str, *, hint: str = "", place: Place = ()) -> None:
        """Report a problem at a place inside this object."""
        self.report.problems.append(
            Problem(path=(*self.path, *place), code=code, message=message, hint=hint)
        )

    def _get(self, name: str) -> object:
        self._known.add(name)
        return self.members.get(name, _ABSENT)

    def _read(
        self, name: str, value: object, read: Callable[[object], T], instead: T, code: str
    ) -> T:
        try:
            return read(value)
        except UnreadableError as problem:
            self.problem(
                problem.code or code,
                problem.message,
                hint=problem.hint,
                place=(name, *problem.path),
            )
            return instead


def shown(value: object) -> str:
    """A value as a message may show it: short texts and numbers, else only the kind."""
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case str() if len(value) <= 64:
            return repr(value)
        case str():
            return f"a text of {len(value)} characters"
        case int() if value.bit_length() > 64:
            return "an integer of more than 64 bits"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return type(value).__name__


def a_list(value: object) -> list[object]:
    """
    A list as it is.

    Raises:
        UnreadableError: It is none.
    """
    if not isinstance(value, list):
        raise UnreadableError(f"expected a list, not {shown(value)}")
    return value
