"""The notifier of a worker: a thread that tells hooks what is to be told."""

import inspect
import logging
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any, Final

from squidmesh.door.door import Door
from squidmesh.results import Defer
from squidmesh.workers.hooks.asking import Asked, Call, Reply, Rest, answer
from squidmesh.workers.hooks.handlers import Handlers
from squidmesh.workers.hooks.subscribing import Mine
from squidmesh.workers.hooks.telling import notifier
from squidmesh.workers.line import StepSignals
from squidmesh.workers.perform import failed
from squidmesh_core.errors import SquidmeshError
from squidmesh_storage.api import Wakeups

LOG: Final = logging.getLogger("squidmesh.hooks")
#: Characters that are kept of what went wrong.
LONGEST_PROBLEM: Final = 500

#: Runs a coroutine to its end for a thread that waits.
RunAsync = Callable[[Coroutine[Any, Any, object], StepSignals], object]


class Notifier:
    """
    Calls the hooks of one mesh while a worker works; without hooks it does nothing.

    Args:
        door: Whose journal keeps the notices.
        handlers: What is called.
        run_async: Where async functions run.
    """

    def __init__(self, door: Door, handlers: Handlers, run_async: RunAsync) -> None:
        self._door = door
        self._handlers = handlers
        self._run_async = run_async
        self._mine = Mine(handlers)
        self._stopping = threading.Event()
        self._wakeups: Wakeups | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to tell, if there is anybody to be told; from now on notices are kept."""
        if self._handlers.all:
            subscribe(self._mine, self._door)
            self._thread = threading.Thread(target=self._work, name="squidmesh-hooks")
            self._thread.start()

    def stop(self) -> None:
        """Let the present call end, and make no other."""
        self._stopping.set()
        if self._wakeups is not None:
            self._wakeups.ring()
        if self._thread is not None:
            self._thread.join()

    def is_here(self) -> bool:
        """Whether this is the thread that hooks are called on."""
        return threading.current_thread() is self._thread

    def _work(self) -> None:
        events = sorted(self._handlers.events)
        with self._handlers.bell.listen(events) as self._wakeups:
            try:
                self._drive(self._wakeups)
            except Exception:  # the worker works all the same
                LOG.exception("hooks are not told any more by this worker")

    def _drive(self, wakeups: Wakeups) -> None:
        loop = notifier(self._handlers, self._mine, self._stopping.is_set)
        reply: Reply = None
        failure: SquidmeshError | None = None
        while True:
            try:
                request = loop.throw(failure) if failure is not None else loop.send(reply)
            except StopIteration:
                return
            reply, failure = None, None
            match request:
                case Call():
                    reply = self._call(request)
                case Rest(seconds=seconds):
                    self._door.ports.rest(wakeups, seconds)
                case _:
                    reply, failure = attempt(request, self._door)

    def _call(self, request: Call) -> str | None:
        try:
            returned = copy_context().run(request.handler.fn, request.notice)
            if inspect.iscoroutine(returned):
                self._run_async(returned, StepSignals())
        except BaseException as error:  # whatever it is, the others are told all the same
            LOG.debug("%s raised", request.handler.key, exc_info=error)
            return problem_of(error)
        return None


def subscribe(mine: Mine, door: Door) -> None:
    """Say which hooks there are, before anything happens that they are to be told of."""
    try:
        trip = mine.keep(door.journal.now())
        request = next(trip, None)
        while isinstance(request, Asked):
            request = trip.send(answer(request, door))
    except StopIteration:
        return
    except SquidmeshError as error:
        LOG.warning("hooks are not subscribed yet, trying again: %s", error)


def attempt(request: Asked, door: Door) -> tuple[Reply, SquidmeshError | None]:
    """The answer of the storage, or what it failed with."""
    try:
        return answer(request, door), None
    except SquidmeshError as error:
        return None, error


def problem_of(error: BaseException) -> str:
    """What went wrong in a call, as it is kept and shown."""
    if isinstance(error, Defer):
        error = TypeError("a hook cannot be deferred; it is called again if it fails")
    failure = failed(error, retryable=True, after_ms=None).error
    return f"{failure.kind}: {failure.message}"[:LONGEST_PROBLEM]
