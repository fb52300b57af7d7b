"""What `mesh.on` was given: the functions of this process, and the bell that wakes the notifier."""

import threading
from collections.abc import Callable, Mapping, Sequence
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import Final

from attrs import frozen

from squidmesh import checks
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.notices import EVENTS, Event, Notice
from squidmesh_core.state.run import RunState
from squidmesh_core.views.notices import notices
from squidmesh_storage.records import hooks_of
from squidmesh_storage.wakeups import Bell

#: Sync or async; what it returns means nothing.
HookFunction = Callable[[Notice], object]
#: What the qualified name of a function has that no other process can name.
_UNNAMED: Final = ("<lambda>", "<locals>")


@frozen(kw_only=True)
class Handler:
    """A function that is told of an event."""

    event: Event
    name: str
    fn: HookFunction

    @property
    def key(self) -> str:
        """What its record is kept under, the same in every process."""
        return hooks_of(self.event) + self.name


class Handlers:
    """The functions of one mesh in this process, by the key of their hook."""

    def __init__(self) -> None:
        self._handlers: Mapping[str, Handler] = {}
        self._lock = threading.Lock()
        #: Held by the one notifier of this process that looks.
        self._turn = threading.Lock()
        #: Rung with events that were just committed here.
        self.bell = Bell()

    def add(self, event: str, fn: HookFunction, name: str | None) -> None:
        """
        Tell a function of an event from now on.

        Raises:
            ConfigError: The event is unknown, the function has no name that lasts, or its
                name belongs to another function.
        """
        if event not in EVENTS:
            raise checks.wrong("event", f"expected one of {', '.join(EVENTS)}")
        if not callable(fn):
            raise checks.wrong("fn", "expected a function of one notice")
        if isgeneratorfunction(fn) or isasyncgenfunction(fn):
            # A call runs nothing of it, and would be taken for done.
            raise checks.wrong("fn", "expected a function of one notice, not a generator")
        handler = Handler(event=event, name=_name(fn, name), fn=fn)
        with self._lock:
            known = self._handlers.get(handler.key)
            if known is not None and known.fn != fn:
                raise checks.wrong("name", f"another hook of {event} is called {handler.name}")
            self._handlers = {**self._handlers, handler.key: handler}

    def get(self, key: str) -> Handler | None:
        """The function of a hook; null: another process has it."""
        return self._handlers.get(key)

    @property
    def all(self) -> tuple[Handler, ...]:
        """Every function there is."""
        return tuple(self._handlers.values())

    @property
    def events(self) -> frozenset[Event]:
        """What they are told of."""
        return frozenset(one.event for one in self._handlers.values())

    def hear(self, entries: Sequence[Entry], after: RunState) -> None:
        """These entries are durable: wake the notifier if they tell something."""
        if self._handlers:
            self.bell.ring(row.event for row in notices(entries, after))

    def take_turn(self) -> bool:
        """Begin to look, unless another worker of this process does."""
        return self._turn.acquire(blocking=False)

    def end_turn(self) -> None:
        """Let another one look."""
        self._turn.release()


def _name(fn: HookFunction, given: str | None) -> str:
    name = given
    if name is None:
        qualified = getattr(fn, "__qualname__", "<lambda>")
        if any(part in qualified for part in _UNNAMED):
            raise checks.wrong("name", "this function has no name of its own; give one")
        from squidmesh.authoring.modules import imported_name  # who only looks loads none of it

        name = f"{imported_name(fn.__module__)}.{qualified}"
    checks.text("name", name)
    if any(one.isspace() for one in name):
        raise checks.wrong("name", "expected a text without spaces")
    return name
