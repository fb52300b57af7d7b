"""
`Subscribing` and `Hooking`: the verbs for hooks; `Mesh` has them all.

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

from squidmesh import checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from squidmesh.engine import Engine
    from squidmesh.workers.hooks.handlers import Handlers, HookFunction
    from squidmesh_core.protocol.notices import Event
    from squidmesh_core.views.hooks import Hook

F = TypeVar("F", bound="HookFunction")


class Subscribing:
    """The verb that gives a mesh its hooks; nothing is read or written by it."""

    _handlers: Handlers

    @overload
    def on(self, event: Event, fn: F, *, name: str | None = None) -> F: ...
    @overload
    def on(self, event: Event, *, name: str | None = None) -> Callable[[F], F]: ...
    def on(
        self, event: Event, fn: F | None = None, *, name: str | None = None
    ) -> F | Callable[[F], F]:
        """
        Have a function called for each run that comes to something, also as a decorator.

        Workers of this mesh that begin afterwards call it, after the commit and at least
        once each: `Notice.id` is the same when a notice comes again, and it does not once
        the function has returned.  If it raises, it is called again after a pause of 1 s,
        doubled up to 5 min.  It changes no run.

        Args:
            event: `run_completed`, `run_failed`, `run_cancelled`, `gate_opened`,
                `compensation_failed`, `deadline_due_soon`, `deadline_overdue` or
                `deadline_escalated`.
            fn: Takes the `Notice`; sync or async.
            name: What the hook is known by in every process; null: the function's
                qualified name.  Of several processes with the same name one is told.

        Raises:
            ConfigError: The event is unknown, the function has no name that lasts (a
                lambda), or another one has its name.
        """
        if fn is not None:
            self._handlers.add(event, fn, name)
            return fn

        def decorated(function: F) -> F:
            self._handlers.add(event, function, name)
            return function

        return decorated


class Hooking:
    """The verbs that look at hooks, and forget them."""

    engine: Engine

    def hooks(self) -> tuple[Hook, ...]:
        """
        Every hook on this journal, in any process, by event and name.

        Raises:
            StorageError: The storage failed.
        """
        from squidmesh.workers.hooks.subscribing import hooks

        return hooks(self.engine.door.journal)

    def forget_hook(self, name: str) -> tuple[Hook, ...]:
        """
        Forget the hooks of a name, with all that they were to be told; what they were.

        For functions that are gone.  A worker that has one says so again when it begins,
        and within an hour if it works already.

        Raises:
            ConfigError: The name cannot be one.
            StorageError: The storage failed.
        """
        from squidmesh.workers.hooks.subscribing import forget

        return forget(self.engine.door.journal, checks.text("name", name))
