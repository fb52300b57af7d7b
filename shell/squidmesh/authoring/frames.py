"""Where in the host's code we were called, and the names visible there."""

import sys
from collections.abc import Iterator, Mapping
from inspect import CO_NEWLOCALS, CO_OPTIMIZED
from types import FrameType
from typing import Final

from attrs import frozen

#: Frames of these modules are ours, not the host's; the demo inside squidmesh is a host.
_OURS: Final = ("squidmesh.authoring.", "squidmesh.actions")
_COMPREHENSIONS: Final = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


@frozen(kw_only=True)
class Location:
    """A line of the host's code."""

    file: str
    line: int


def caller() -> FrameType:
    """The nearest frame that is not squidmesh's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def here() -> Location:
    """The line of the host's code that is being executed."""
    frame = caller()
    return Location(file=frame.f_code.co_filename, line=frame.f_lineno)


class Names:
    """
    The names that annotations may use beyond their own module's.

    These are the class body and the functions around the line that made a
    node or trigger, so that contracts and steps may be local.  Reading is
    lazy: a name may be bound after the node that needs it.
    """

    def __init__(self, frame: FrameType) -> None:
        self._frame: FrameType | None = frame

    def scopes(self) -> Iterator[Mapping[str, object]]:
        """The scopes that can be seen, outermost function first."""
        frame = self._frame
        scopes: list[Mapping[str, object]] = []
        while frame is not None and frame.f_code.co_name != "<module>":
            scopes.append(frame.f_locals)
            # The caller of a class body is the scope around it; the caller of a function is not.
            frame = None if _is_function(frame) else frame.f_back
        return reversed(scopes)

    def release(self) -> None:
        """Let go of the frame, once everything has been resolved."""
        self._frame = None


def _is_function(frame: FrameType) -> bool:
    function = CO_OPTIMIZED | CO_NEWLOCALS
    code = frame.f_code
    return code.co_flags & function == function and code.co_name not in _COMPREHENSIONS


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__", "")
    return isinstance(name, str) and name.startswith(_OURS)
