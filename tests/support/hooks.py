"""A process with hooks, its notifier driven by hand, one request at a time."""

from collections.abc import Callable, Mapping

from squidmesh import Mesh
from squidmesh.ports import Ports
from squidmesh.workers.hooks.asking import Asked, Call, Reply, Request, Rest, answer
from squidmesh.workers.hooks.handlers import HookFunction
from squidmesh.workers.hooks.subscribing import Mine
from squidmesh.workers.hooks.telling import notifier
from squidmesh_core.protocol.notices import Event
from squidmesh_storage.api import Journal

#: Name → event and function.
Hooks = Mapping[str, tuple[Event, HookFunction]]


class Teller:
    """
    A process that tells its hooks, and can be stopped anywhere on the way.

    Args:
        journal: Where the notices are kept.
        hooks: What it calls.
        ports: Of its mesh.
        done: Told of each request to the storage that was carried out.
        begins: Told of each call that begins.
    """

    def __init__(
        self,
        journal: Journal,
        hooks: Hooks,
        *,
        ports: Ports | None = None,
        done: Callable[[Asked, Reply], None] = lambda asked, reply: None,
        begins: Callable[[Call], None] = lambda call: None,
    ) -> None:
        self.mesh = Mesh(journal, ports=ports)
        for name, (event, fn) in hooks.items():
            self.mesh.on(event, fn, name=name)
        self._done, self._begins = done, begins
        handlers = self.mesh.engine.hooks
        self._loop = notifier(handlers, Mine(handlers), lambda: False)
        #: What it asks for now, and nobody has done yet.
        self.asked: Request = next(self._loop)

    @property
    def calling(self) -> bool:
        """Whether a function has been called and has not returned."""
        return isinstance(self.asked, Call)

    def advance(self) -> None:
        """Do what is asked for, and hear what comes next."""
        match self.asked:
            case Call(handler=handler, notice=notice):
                try:
                    handler.fn(notice)
                    reply: Reply = None
                except Exception as error:
                    reply = repr(error)
            case Rest():
                reply = None
            case asked:
                reply = answer(asked, self.mesh.door)
                self._done(asked, reply)
        self.asked = self._loop.send(reply)
        if isinstance(self.asked, Call):
            self._begins(self.asked)

    def look(self) -> float:
        """Go on to the end of the present look, or make another; seconds to rest then."""
        self.advance()
        while not isinstance(self.asked, Rest):
            self.advance()
        return self.asked.seconds
