"""Health: how a journal, and the work in it, stand as a whole."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from attrs import Factory, frozen

from squidmesh.door.door import Door
from squidmesh.workers.hooks.subscribing import hooks
from squidmesh.workers.lanes import Lanes
from squidmesh.workers.registry import workers
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.hooks import Hook
from squidmesh_storage.api import Quarantine
from squidmesh_storage.lanes import SETTINGS


@frozen(kw_only=True)
class Health:
    """How things stand at one instant."""

    url: str
    #: Why the storage does not answer; null: it does, and the rest is known.
    problem: str | None = None
    #: Number of the tables' version; null: this kind of storage has none.
    schema: int | None = None
    #: How far the storage's clock is ahead of this host's, in milliseconds.
    clock_ms: int = 0
    #: How many runs have each status.
    runs: Mapping[RunStatus, int] = Factory(dict)
    #: Runs whose journal cannot be read: where that begins, and why.
    quarantined: Mapping[RunId, Quarantine] = Factory(dict)
    #: Runs that are left to a newer squidmesh, as far as this process has met them.
    newer: tuple[RunId, ...] = ()
    #: How long the attempt has been claimable that has waited longest, in milliseconds;
    #: null: nothing waits.
    oldest_ms: int | None = None
    #: Action → attempts that need it, where this mesh does not perform it.
    unperformable: Mapping[str, int] = Factory(dict)
    #: Workers that are there, in any process.
    workers: int = 0
    #: Queue → attempts that wait there, where no worker serves it.
    unserved: Mapping[str, int] = Factory(dict)
    #: Action → attempts that need it, where no worker performs it.
    unperformed: Mapping[str, int] = Factory(dict)
    #: Queues that somebody has stopped.
    paused: tuple[str, ...] = ()
    #: Hooks whose calls fail; those that wait are told again.
    failing_hooks: tuple[Hook, ...] = ()
    #: Versions, settings and sizes that only this kind of storage has.
    facts: Mapping[str, str | int] = Factory(dict)

    @property
    def ok(self) -> bool:
        """Whether the storage answers, and every run in it can be read."""
        return self.problem is None and not self.quarantined


def health(door: Door, performable: frozenset[str], host_time: datetime) -> Health:
    """
    Look at everything once; it walks the index, so ask now and then only.

    Args:
        door: Whose journal.
        performable: The actions that this mesh performs.
        host_time: This host's clock, which is compared and never believed.
    """
    journal = door.journal
    try:
        now, survey = journal.now(), journal.survey()
        working = [one for one in workers(journal, now) if one.takes_work]
        stopped = Lanes(lambda: journal.records(SETTINGS))
        stopped.reread()
        failing = tuple(one for one in hooks(journal) if one.failing)
    except StorageError as error:
        return Health(url=journal.url, problem=error.message)
    since = survey.waiting_since
    return Health(
        url=journal.url,
        schema=survey.schema,
        clock_ms=_milliseconds(now - host_time),
        runs=survey.runs,
        quarantined=survey.quarantined,
        newer=tuple(sorted({*survey.newer, *door.memory.left_alone})),
        oldest_ms=None if since is None else max(0, _milliseconds(now - since)),
        unperformable=_without(survey.actions, performable),
        workers=len(working),
        unserved=_without(
            {name: depth.waiting for name, depth in survey.queues.items() if depth.waiting},
            {queue for one in working for queue in one.queues},
        ),
        unperformed=_without(survey.actions, {key for one in working for key in one.actions}),
        paused=tuple(sorted(stopped.paused)),
        failing_hooks=failing,
        facts=survey.facts,
    )


def _without(counts: Mapping[str, int], seen_to: Collection[str]) -> dict[str, int]:
    """What nobody sees to, by name."""
    return {name: count for name, count in sorted(counts.items()) if name not in seen_to}


def _milliseconds(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
