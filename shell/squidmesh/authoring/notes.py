"""Problems on their way: noted where they happen, reported when the class ends."""

from difflib import get_close_matches
from typing import Final

from attrs import frozen

from squidmesh.authoring.frames import Location, Names, caller, here
from squidmesh_core.definition.problem import Problem
from squidmesh_core.errors import DefinitionError

#: Stands in messages for the source of a path, whose name is not known yet.
UNNAMED: Final = "…"


@frozen(kw_only=True)
class Note:
    """A problem of one trigger or node; its place in the spec is not known yet."""

    code: str
    message: str
    hint: str = ""
    #: Below the trigger or node: `("input", "amount_cents")`.
    tail: tuple[str | int, ...] = ()
    location: Location

    def at(self, place: tuple[str | int, ...], label: str) -> Problem:
        """The problem, once the place and the name of its trigger or node are known."""
        return Problem(
            path=(*place, *self.tail),
            code=self.code,
            message=self.message.replace(UNNAMED, label),
            hint=self.hint.replace(UNNAMED, label),
            file=self.location.file,
            line=self.location.line,
        )


class Source:
    """What a class body names and paths start from: a trigger or a node."""

    def __init__(self) -> None:
        frame = caller()
        self._location = Location(file=frame.f_code.co_filename, line=frame.f_lineno)
        self._names = Names(frame)
        self._notes: list[Note] = []
        self._label: str | None = None
        self._owner: str | None = None

    @property
    def name(self) -> str:
        """
        The attribute or builder name; known once the class or builder has it.

        Raises:
            DefinitionError: It has no name yet.
        """
        if self._label is None:
            raise stopped(
                "reserved_name", "this trigger or node has no name yet", "its class names it"
            )
        return self._label

    def _must_be_open(self) -> None:
        """
        Refuse changes after the class has ended.

        Raises:
            DefinitionError: The spec exists already.
        """
        if self._owner is not None:
            message = f"{self._owner} is complete; '{self._label}' cannot be changed any more"
            raise stopped("workflow_not_extensible", message)

    def __set_name__(self, owner: type, name: str) -> None:
        # A second name for a node (`last = a.then(b)`) changes nothing.
        if self._label is None:
            self._label = name


def note(
    source: Source,
    code: str,
    message: str,
    hint: str = "",
    *,
    tail: tuple[str | int, ...] = (),
    location: Location | None = None,
) -> None:
    """
    Keep a problem until the class ends.

    Raises:
        DefinitionError: The class has ended already, so nobody else would say it.
    """
    if source._owner is not None:
        raise stopped(code, message, hint)
    source._notes.append(
        Note(code=code, message=message, hint=hint, tail=tail, location=location or here())
    )


def stopped(code: str, message: str, hint: str = "") -> DefinitionError:
    """What to raise where authoring cannot go on: the problem, with the host's line."""
    location = here()
    problem = Problem(
        path=(), code=code, message=message, hint=hint, file=location.file, line=location.line
    )
    text = f"SM{problem.sm}  {message}" + (f"\n  {hint}" if hint else "")
    return DefinitionError(text, code, {"problems": [problem.to_dict()]}, (problem,))


def suggestion(word: str, known: list[str]) -> str:
    """A hint for a misspelt word: the nearest one, and all there are."""
    near = get_close_matches(word, known, n=1)
    meant = f"did you mean '{near[0]}'?   " if near else ""
    return f"{meant}fields: {', '.join(known) or 'none'}"
