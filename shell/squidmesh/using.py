"""
A mesh inside the host's own transaction: what it decides stands or falls with the host's rows.

    with engine.begin() as connection:
        connection.execute(insert(orders).values(…))
        mesh.using(connection).start(OrderFulfilment.placed, order, key=…)

Every command is decided on what is read in that transaction, and appended once: a
conflict is the host's to repeat, with all that it did.  Nothing of it is remembered,
because the host may roll it back, to a savepoint even, without a word to anybody.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from squidmesh import starting
from squidmesh.actions import ActionRegistry
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled, handle_once
from squidmesh.door.known import Forgetful, Known
from squidmesh.door.requests import Trip
from squidmesh.engine import Engine
from squidmesh.mesh import Mesh
from squidmesh.starting import Request
from squidmesh_core.definition.form import spec_to_text
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import Fingerprint, RunId
from squidmesh_core.protocol.commands import Command

if TYPE_CHECKING:
    from squidmesh_storage.api import Joined


class JoinedDoor(Door):
    """
    Where commands go through in a transaction that somebody else ends.

    Args:
        joined: The journal inside that transaction.
        outside: The mesh's own door.
    """

    def __init__(self, joined: "Joined", outside: Door) -> None:
        super().__init__(joined, outside.ports)
        self.memory = Forgetful(outside.memory)
        self._outside = outside

    def trip(
        self,
        run_id: RunId,
        command: Command,
        *,
        begin: Known | None = None,
        now: datetime | None = None,
    ) -> Trip[Handled]:
        """The way of one command: read, decide and append once, and forget."""
        return handle_once(
            self.memory,
            run_id,
            command,
            append_ids=self.mint.append_id,
            begin=begin,
            now=now,
        )

    def trip_together(
        self, run_id: RunId, commands: Sequence[Command], *, now: datetime | None = None
    ) -> Trip[list[Handled | Exception]]:
        """The way of several commands on one run: one after the other."""
        handled = list[Handled | Exception]()
        for command in commands:
            handled.append((yield from self.trip(run_id, command, now=now)))
        return handled

    def announce(self, handled: Handled) -> None:
        """Nothing is told of what may never have happened."""

    def define(self, spec: Spec) -> Fingerprint:
        """Store a definition, unless it is known to stand outside of this transaction."""
        fingerprint = Fingerprint(spec.fingerprint)
        if not self._outside.has_defined(spec):
            self.journal.define(fingerprint, spec_to_text(spec))
            self.memory.keep_spec(spec)
        return fingerprint


class HostEngine(Engine):
    """The runtime of a mesh in one transaction: a door, and nobody who works."""

    def __init__(self, joined: "Joined", outside: Engine) -> None:
        super().__init__(joined, outside.door.ports)
        self.door = JoinedDoor(joined, outside.door)
        self.actions = outside.actions
        self._outside = outside

    def perform_too(self, actions: ActionRegistry) -> None:
        """Let the workers outside perform these actions."""
        self._outside.perform_too(actions)

    def start(self, request: Request) -> Handled:
        """Begin a run; nobody can claim of it before the transaction has ended."""
        return starting.start(self.door, request, None)


class Using(Mesh):
    """
    The verbs of a mesh, inside one transaction of the host's.

    Those that decide and those that read; claims, workers and upkeep stay outside.
    Leaving it as a block, or `close`, wakes the workers for what was begun here: do that
    after the commit where the library does not tell of it.  On the connection of a
    transactional step there is nothing to do: they are woken after its commit.
    """

    def __init__(self, outside: Mesh, joined: "Joined") -> None:
        self.engine = HostEngine(joined, outside.engine)
        self._catalogue = outside._catalogue
        self._decide = outside._decide
        self._handlers = outside._handlers
