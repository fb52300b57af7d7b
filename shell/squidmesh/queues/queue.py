"""Queues as people see them: what limits each, and how things stand there."""

from datetime import datetime

from attrs import evolve, frozen

from squidmesh.queues.history import QueueChange, histories
from squidmesh.workers.registry import WorkerInfo
from squidmesh_core.canonical import restore
from squidmesh_core.plan.admission import (
    Paused,
    QueueSettings,
    Refusal,
    rate_to_text,
    settings_from_text,
    state_from_text,
)
from squidmesh_storage.api import Depth, Journal
from squidmesh_storage.lanes import SETTINGS, STATE


@frozen(kw_only=True)
class Queue:
    """A queue: what limits it, and how things stand there."""

    name: str
    #: Attempts that are held at once; null: as many as workers have slots.
    concurrency: int | None = None
    #: The same, of each partition key; those without a key share one.
    per_key: int | None = None
    #: Starts in a time, as `set_queue` takes it.
    rate: str | None = None
    #: Starts at once after a pause.
    burst: int | None = None
    #: Who has stopped it, when and why; null: nobody.
    paused: Paused | None = None
    #: Attempts that could be claimed now, but for limits.
    waiting: int = 0
    #: Those that are visible later.
    delayed: int = 0
    #: Those that somebody holds.
    held: int = 0
    #: Since when the one has been visible that has waited longest.
    waiting_since: datetime | None = None
    #: What holds back those that wait; the newest of each kind.
    refusals: tuple[Refusal, ...] = ()
    #: Owners of the workers that serve it now.
    served_by: tuple[str, ...] = ()
    #: The newest changes, the last one last.
    history: tuple[QueueChange, ...] = ()


def queues_of(journal: Journal, workers: tuple[WorkerInfo, ...]) -> tuple[Queue, ...]:
    """
    Every queue that is set up, holds something, is served, or was changed, by name.

    Raises:
        StorageError: The storage failed.
    """
    settings = {one.key: settings_from_text(one.body) for one in journal.records(SETTINGS)}
    states = {one.key: state_from_text(one.body) for one in journal.records(STATE)}
    changes = histories(journal)
    depths = journal.survey().queues
    serving = [one for one in workers if one.takes_work]
    names = {*settings, *depths, *changes, *(queue for one in serving for queue in one.queues)}
    return tuple(
        _queue(
            name,
            settings.get(name, QueueSettings()),
            depths.get(name, Depth()),
            refusals=states[name].refusals if name in states and name in settings else (),
            served_by=tuple(one.owner for one in serving if name in one.queues),
            history=changes.get(name, ()),
        )
        for name in sorted(names)
    )


def _queue(
    name: str,
    settings: QueueSettings,
    depth: Depth,
    *,
    refusals: tuple[Refusal, ...],
    served_by: tuple[str, ...],
    history: tuple[QueueChange, ...],
) -> Queue:
    rate, paused = settings.rate, settings.paused
    return Queue(
        name=name,
        concurrency=settings.concurrency,
        per_key=settings.per_key,
        rate=None if rate is None else rate_to_text(rate),
        burst=None if rate is None else rate.burst,
        paused=None if paused is None else evolve(paused, by=restore(paused.by)),
        waiting=depth.waiting,
        delayed=depth.delayed,
        held=depth.held,
        waiting_since=depth.since,
        refusals=refusals if depth.waiting else (),
        served_by=served_by,
        history=history,
    )
