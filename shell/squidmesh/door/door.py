"""
The door with its surroundings: the journal, the ports, what is known, who waits.

`Door.handle` drives `handle.handle` on the calling thread, then tells what
became visible: log lines of log nodes, and whoever waits for a run.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from squidmesh.door.checkpoints import has_outgrown, leave_checkpoint
from squidmesh.door.handle import Handled, handle, handle_together
from squidmesh.door.known import Known, Memory
from squidmesh.door.mint import Mint
from squidmesh.door.recall import catch_up, recall, take_in
from squidmesh.door.requests import Appending, Trip, drive, drive_all, nobody_hears
from squidmesh.door.watching import Watchers
from squidmesh.ports import Ports
from squidmesh_core.definition.spec import LogNode, Spec
from squidmesh_core.errors import SquidmeshError
from squidmesh_core.ids import Fingerprint, RunId
from squidmesh_core.protocol.chain import AppendRecord, origin
from squidmesh_core.protocol.commands import Command
from squidmesh_core.protocol.entries import AttemptCompleted, Entry
from squidmesh_core.protocol.rows import Head, RowChanges
from squidmesh_core.state.run import RunState
from squidmesh_storage.api import Journal, Loaded, Quarantine

LOG: Final = logging.getLogger("squidmesh.workflow")
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Door:
    """Where every command of one mesh goes through."""

    def __init__(self, journal: Journal, ports: Ports) -> None:
        self.journal = journal
        self.ports = ports
        self.mint = Mint(ports)
        self.memory = Memory()
        self.watchers = Watchers()
        #: Told what has become durable through this door, and of which run.
        self.hear: Callable[[Sequence[Entry], RunState], object] = _nobody_hears
        self._defined: set[str] = set()

    def handle(
        self,
        run_id: RunId,
        command: Command,
        *,
        begin: Known | None = None,
        now: datetime | None = None,
    ) -> Handled:
        """
        Carry out one command; see `handle.handle`.

        Raises:
            SquidmeshError: What `handle.handle` raises.
        """
        trip = self.trip(run_id, command, begin=begin, now=now)
        handled = drive(trip, self.journal, self.ports)
        self.announce(handled)
        return handled

    def handle_all(
        self,
        commands: Sequence[tuple[RunId, Command]],
        *,
        now: datetime | None = None,
        appending: Appending = nobody_hears,
    ) -> list[Handled | Exception]:
        """Carry out commands; what they append travels together, that of a run as one append."""
        places: dict[RunId, list[int]] = {}
        for place, (run_id, _) in enumerate(commands):
            places.setdefault(run_id, []).append(place)
        trips = [
            self.trip_together(run_id, [commands[place][1] for place in of_run], now=now)
            for run_id, of_run in places.items()
        ]
        handled: dict[int, Handled | Exception] = {}
        driven = drive_all(trips, self.journal, self.ports, appending)
        for of_run, ended in zip(places.values(), driven, strict=True):
            answers = [ended] * len(of_run) if isinstance(ended, Exception) else ended
            handled.update(zip(of_run, answers, strict=True))
            for one in answers:
                if isinstance(one, Handled):
                    self.announce(one)
        return [handled[place] for place in range(len(commands))]

    def trip(
        self,
        run_id: RunId,
        command: Command,
        *,
        begin: Known | None = None,
        now: datetime | None = None,
    ) -> Trip[Handled]:
        """The way of one command through this door, for whoever drives it."""
        return handle(
            self.memory, run_id, command, append_ids=self.mint.append_id, begin=begin, now=now
        )

    def trip_together(
        self, run_id: RunId, commands: Sequence[Command], *, now: datetime | None = None
    ) -> Trip[list[Handled | Exception]]:
        """The way of several commands on one run, in one append."""
        return handle_together(
            self.memory, run_id, commands, append_ids=self.mint.append_id, now=now
        )

    def announce(self, handled: Handled) -> None:
        """Tell what became visible with a command that is durable now."""
        if handled.entries:
            self._announce(handled.state, handled.entries, handled.rows)

    def beginning(self, run_id: RunId, spec: Spec) -> Known:
        """A run that is about to start."""
        return Known(state=RunState(run_id=run_id), hash=origin(run_id), spec=spec)

    def fresh(self, run_id: RunId) -> Known:
        """
        The run as the journal has it now.

        Raises:
            RunNotFound: There is no such run.
            StorageError: Its journal is unreadable.
        """
        return drive(self._reading(run_id), self.journal, self.ports)

    def fresh_all(self, run_ids: Sequence[RunId]) -> list[Known | Exception]:
        """Different runs as the journal has them now, or why not; they are read together."""
        trips = [self._reading(run_id) for run_id in run_ids]
        return drive_all(trips, self.journal, self.ports)

    def begun(self, record: AppendRecord) -> Known:
        """
        A run whose whole journal is at hand: the one append that it begins with.

        Raises:
            StorageError: It, or its definition, is unreadable.
        """
        loaded = Loaded(records=(record,), head=record.head)
        return drive(take_in(self.memory, record.run_id, loaded), self.journal, self.ports)

    def at_head(self, run_id: RunId, head: Head) -> Known | None:
        """What is known of a run, if that is all there is up to this head."""
        known = self.memory.get(run_id)
        return known if known is not None and known.hash == head.hash else None

    def stop(self, run_id: RunId, bug: Exception) -> None:
        """
        Mark a run that trips over a bug of ours, so that the others go on.

        Raises:
            StorageError: The storage failed.
        """
        self.memory.forget(run_id)
        try:
            self.fresh(run_id)
        except SquidmeshError:
            return  # damage is what it tripped over; reading has told where, and marked it
        except Exception as again:  # it trips over reading, too
            bug = again
        reason = f"{type(bug).__name__}: {bug}"
        self.journal.quarantine(run_id, Quarantine(revision=None, reason=reason))

    def remember(self, known: Known, entries: Sequence[Entry], rows: RowChanges) -> None:
        """Keep a state whose append is durable, and tell what became visible."""
        self.memory.put(known)
        self._announce(known.state, entries, rows)

    def has_outgrown(self, run_id: RunId) -> bool:
        """Whether a run that this process knows has grown far beyond its last checkpoint."""
        return has_outgrown(self.memory, run_id)

    def leave_checkpoint(self, run_id: RunId) -> None:
        """Store the state of a run if it has; whether that succeeds is no matter of the run's."""
        drive(leave_checkpoint(self.memory, run_id), self.journal, self.ports)

    def define(self, spec: Spec) -> Fingerprint:
        """
        Store a definition before the first append that names it.

        In a transaction of its own: a host's rollback must not take it away.
        """
        fingerprint = Fingerprint(spec.fingerprint)
        if fingerprint not in self._defined:
            from squidmesh_core.definition.form import spec_to_text  # who only reads needs no form

            self.ports.site("define.before")
            self.journal.define(fingerprint, spec_to_text(spec))
            self.ports.site("define.after")
            self._defined.add(fingerprint)
            self.memory.keep_spec(spec)
        return fingerprint

    def has_defined(self, spec: Spec) -> bool:
        """Whether this process knows that the definition is stored."""
        return spec.fingerprint in self._defined

    def _reading(self, run_id: RunId) -> Trip[Known]:
        known = self.memory.get(run_id)
        return recall(self.memory, run_id) if known is None else catch_up(self.memory, known)

    def _announce(self, state: RunState, entries: Sequence[Entry], rows: RowChanges) -> None:
        if rows.run is not None:
            self.watchers.tell(state.run_id)
        self.hear(entries, state)
        for entry in entries:
            if isinstance(entry, AttemptCompleted):
                self._log(state, entry)

    def _log(self, state: RunState, entry: AttemptCompleted) -> None:
        """Emit the line of a log node: after the commit, so at most once."""
        attempt = state.attempt(entry.attempt_key)
        if attempt is None or attempt.intent.action is not None:
            return
        known = self.memory.get(state.run_id)
        node = known and known.spec.nodes.get(attempt.intent.step)
        if isinstance(node, LogNode):
            LOG.log(_LEVELS[node.level], "%s", node.message, extra={"run_id": state.run_id})


def _nobody_hears(entries: Sequence[Entry], state: RunState) -> None:
    """Without hooks there is nobody to wake."""
