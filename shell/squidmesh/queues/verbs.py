"""
`Queueing`: the verbs for queues and workers; `Mesh` has them all.

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from squidmesh import checks

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Unpack

    from squidmesh.engine import Engine
    from squidmesh.queues.history import ChangeKind
    from squidmesh.queues.limits import Make, QueueCommand, QueueLimits
    from squidmesh.queues.queue import Queue
    from squidmesh.workers.registry import WorkerInfo
    from squidmesh_core.plan.admission import QueueSettings
    from squidmesh_core.protocol.commands import Receipted


class Queueing:
    """The verbs that look at queues and workers, and set queues up."""

    engine: Engine

    def queues(self) -> tuple[Queue, ...]:
        """
        Every queue that is set up, holds something, is served, or was changed, by name.

        It walks the index, so ask now and then only.

        Raises:
            StorageError: The storage failed.
        """
        from squidmesh.queues.queue import queues_of

        return queues_of(self.engine.door.journal, self.workers())

    def workers(self) -> tuple[WorkerInfo, ...]:
        """
        Every worker on this journal, in any process, by owner.

        One that was killed is there for a day, and `silent`.

        Raises:
            StorageError: The storage failed.
        """
        from squidmesh.workers.registry import workers

        journal = self.engine.door.journal
        return workers(journal, journal.now())

    def set_queue(self, name: str, **limits: Unpack[QueueLimits]) -> Queue:
        """
        Limit a queue: how many attempts are held, of each partition key, and start in a time.

        Workers everywhere go by it within a second.  What is held already goes on.

        Args:
            name: Which queue; it need not exist yet.
            limits: See `QueueLimits`.

        Raises:
            ConfigError: A limit or another option is wrong; nothing was written.
            StorageError: The storage failed.
        """
        from squidmesh.queues.limits import limited

        def make(settings: QueueSettings, _who: Receipted, _now: datetime) -> QueueSettings:
            return limited(settings, limits)

        return self._change(name, "set", limits, make)

    def pause_queue(self, name: str, **options: Unpack[QueueCommand]) -> Queue:
        """
        Stop a queue: what is claimed settles, nothing else of it is claimed.

        Not a wait or a time-out either.  A queue that is paused already stays as it
        is, and says by whom.

        Raises:
            ConfigError: An option is wrong; nothing was written.
            StorageError: The storage failed.
        """
        from squidmesh_core.plan.admission import Paused

        def make(settings: QueueSettings, who: Receipted, now: datetime) -> QueueSettings:
            paused = Paused(at=now, by=who.actor, note=who.comment, metadata=who.metadata)
            return evolve(settings, paused=settings.paused or paused)

        return self._change(name, "paused", options, make)

    def resume_queue(self, name: str, **options: Unpack[QueueCommand]) -> Queue:
        """
        Let a paused queue go on; one that is not paused stays as it is.

        Raises:
            ConfigError: An option is wrong; nothing was written.
            StorageError: The storage failed.
        """

        def make(settings: QueueSettings, _who: Receipted, _now: datetime) -> QueueSettings:
            return evolve(settings, paused=None)

        return self._change(name, "resumed", options, make)

    # -- how

    def _change(self, name: str, what: ChangeKind, who: QueueCommand, make: Make) -> Queue:
        from squidmesh.queues.limits import change
        from squidmesh.queues.queue import Queue

        checks.queue("name", name)
        journal = self.engine.door.journal
        change(journal, name, what, who, make)
        self.engine.lanes.reread()
        found = (one for one in self.queues() if one.name == name)
        return next(found, Queue(name=name))
