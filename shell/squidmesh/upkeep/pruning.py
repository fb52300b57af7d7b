"""
Pruning: finished runs are removed, by age or by name.

    list     the next runs that ended before an instant, the oldest first, a page at a time
    read     each of them whole; the core says whether it may go, and what stays
    remove   journal, rows and checkpoint, a tombstone in their place: one transaction per run

Whoever is interrupted leaves every run whole or gone, and pruning again goes on
from there.  A plan is the same way without the last step.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from attrs import frozen

from squidmesh import checks
from squidmesh.door.door import Door
from squidmesh.door.handle import batch_of
from squidmesh.door.known import Known, Memory
from squidmesh.door.outcomes import refusal
from squidmesh.door.recall import UNREADABLE, recall
from squidmesh.door.requests import Trip, drive, list_finished, load, read_clock, remove
from squidmesh.duration import Duration, duration_ms
from squidmesh.upkeep.pruned import Pruned, Tally
from squidmesh_core.decide import Refusal
from squidmesh_core.decide.prune import Removal
from squidmesh_core.decide.prune import prune as may_prune
from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import BEGINNING, AppendId, RunId, retry_run_id
from squidmesh_core.plan.retention import Kept, Retention, kept, leaves_effects
from squidmesh_core.protocol.chain import AppendRecord, origin
from squidmesh_core.protocol.entries import RunPruned
from squidmesh_core.protocol.rows import Head, RowChanges, RunRow

#: Runs listed at once.
PAGE: Final = 200


@frozen(kw_only=True)
class Asked:
    """What is to be pruned; one of the two is set."""

    #: Finished runs of this age.
    retention: Retention | None = None
    #: This run, whatever its age.
    run_id: RunId | None = None


def asked(older_than: Duration | None, run_id: RunId | None) -> Asked:
    """
    What is to be pruned, from the options of the verb.

    Raises:
        ConfigError: `older_than` is not a duration, or not exactly one of the two is given.
    """
    if (older_than is None) is (run_id is None):
        raise checks.wrong("older_than", "give either an age or one run, such as older_than='90d'")
    if older_than is None:
        return Asked(run_id=run_id)
    milliseconds = duration_ms(older_than, option="older_than")
    return Asked(retention=Retention(older_than_ms=milliseconds))


def pruned(door: Door, what: Asked, *, plan: bool) -> Pruned:
    """
    Prune, or say what pruning would remove; see `prune` for what is raised.

    Raises:
        SquidmeshError: What `prune` raises.
    """
    trip = prune(door.memory, what, append_ids=door.mint.append_id, plan=plan)
    return drive(trip, door.journal, door.ports)


def prune(
    memory: Memory, what: Asked, *, append_ids: Callable[[], AppendId], plan: bool
) -> Trip[Pruned]:
    """
    Remove finished runs.

    Args:
        memory: What this process knows of runs; removed ones are forgotten.
        what: Which.
        append_ids: Draws the identity of each tombstone.
        plan: Write nothing.

    Raises:
        RunNotFound: There is no run of that name.
        Refused: The run of that name is not over (`invalid_transition`), or was
            pruned before (`terminal_run`).
        StorageError: The storage failed, or the run of that name is unreadable.
            What was removed before stays removed.
    """
    now = yield from read_clock()
    before = None if what.retention is None else what.retention.before(now)
    pruner = _Pruner(memory, append_ids, now=now, before=before, plan=plan)
    if what.run_id is not None:
        yield from pruner.one_by_name(what.run_id)
    elif before is not None:
        yield from pruner.all_before(before)
    return pruner.report()


class _Pruner:
    """One round of pruning, and what it has come to so far."""

    def __init__(
        self,
        memory: Memory,
        append_ids: Callable[[], AppendId],
        *,
        now: datetime,
        before: datetime | None,
        plan: bool,
    ) -> None:
        self._memory = memory
        #: What is read here is seldom read again, and must not crowd out live runs.
        self._aside = Memory()
        self._append_ids = append_ids
        self._now, self._before, self._plan = now, before, plan
        self._tally = Tally()

    def report(self) -> Pruned:
        """What was removed so far."""
        return self._tally.report(planned=self._plan, before=self._before)

    def one_by_name(self, run_id: RunId) -> Trip[None]:
        """
        Remove a run that somebody has named.

        Raises:
            SquidmeshError: As for `prune`.
        """
        known = yield from recall(self._aside, run_id, for_long=False)
        removal = may_prune(known.state, self._now)
        if isinstance(removal, Refusal):
            raise refusal(removal)
        if not (yield from self._remove(known, removal)):
            raise RunNotFound(
                f"run {run_id} was removed by somebody else meanwhile",
                "not_found",
                {"run_id": run_id},
            )

    def all_before(self, before: datetime) -> Trip[None]:
        """
        Remove what ended before an instant, the oldest first.

        Raises:
            StorageError: The storage failed.
        """
        after: tuple[datetime, RunId] | None = None
        page: tuple[RunRow, ...] = yield from list_finished(before, PAGE, after)
        while page:
            for row in page:
                why = yield from self._one(row.run_id)
                if why is not None:
                    self._tally.stays(row.run_id, why)
                self._aside.forget(row.run_id)
            after = (page[-1].ended_at or before, page[-1].run_id)
            page = yield from list_finished(before, PAGE, after)

    def _one(self, run_id: RunId) -> Trip[Kept | None]:
        """Remove a run that was listed; why it stays, if it does."""
        try:
            known = yield from recall(self._aside, run_id, for_long=False)
        except RunNotFound:
            return "elsewhere"
        except StorageError as error:
            if error.code not in UNREADABLE:
                raise
            return "unreadable"
        taken_up = leaves_effects(known.state) and (yield from _is_there(retry_run_id(run_id)))
        why = kept(known.state, self._before, taken_up=taken_up)
        if why is not None:
            return why
        removal = may_prune(known.state, self._now)
        if isinstance(removal, Refusal) or not (yield from self._remove(known, removal)):
            return "elsewhere"
        return None

    def _remove(self, known: Known, removal: Removal) -> Trip[bool]:
        state, tombstone = known.state, removal.tombstone
        if not self._plan:
            record = None if tombstone is None else self._record(state.run_id, tombstone)
            if not (yield from remove(state.run_id, removal.revision, record)):
                return False
            self._memory.forget(state.run_id)
        self._tally.removed(state, tombstone=tombstone is not None)
        return True

    def _record(self, run_id: RunId, tombstone: RunPruned) -> AppendRecord:
        beginning = Head(revision=BEGINNING, hash=origin(run_id), at=tombstone.at)
        append_id = self._append_ids()
        return batch_of(run_id, beginning, (tombstone,), RowChanges(), append_id).record


def _is_there(run_id: RunId) -> Trip[bool]:
    """Whether a run exists, be it a tombstone or damaged."""
    try:
        yield from load(run_id, BEGINNING)
    except RunNotFound:
        return False
    except StorageError as error:
        if error.code not in UNREADABLE:
            raise
    return True
