"""
What an adapter indexes: rows that the core computes and the adapter only stores.

Rows are derived from state (`views.index`) and may be dropped and rebuilt at
any time.  An adapter alone tells due attempts from delayed ones.
"""

from datetime import datetime
from typing import Literal

from attrs import field, frozen

from squidmesh_core.ids import AttemptKey, Fingerprint, NodeName, Revision, RunId
from squidmesh_core.protocol.making import quick
from squidmesh_core.values.deadline import Thresholds

RunStatus = Literal[
    "started", "running", "idle", "paused", "compensating", "completed", "failed", "cancelled"
]


@quick
@frozen(kw_only=True)
class AttemptRow:
    """An attempt that some worker may take, now, later, or when its lease is past."""

    run_id: RunId
    attempt_key: AttemptKey
    queue: str
    #: Null: any worker may take it.
    action: str | None
    #: Smaller is sooner.
    priority: int
    #: Claimable from this instant on.
    visible_at: datetime
    #: Lease of the present holder, a lower bound; null: unclaimed, and exact.
    held_until: datetime | None = None
    #: For limits and fair turns per key.
    partition_key: str | None = None


@frozen(kw_only=True)
class CorrelationRow:
    """What an outside message finds a run by; kept after it came, to know a repetition."""

    run_id: RunId
    workflow: str
    node: str
    #: As `plan.messages.indexed` writes it: a long one is a digest.
    correlation: str
    #: Whether a message can still be taken; `deliver` hands one in only then.
    open: bool = True


@quick
@frozen(kw_only=True)
class RunRow:
    """The listed facts of a run; written only when one of them changes."""

    run_id: RunId
    workflow: str
    version: str | None
    fingerprint: Fingerprint
    trigger: str
    status: RunStatus
    queue: str
    priority: int
    tags: tuple[str, ...]
    key: str | None
    partition_key: str | None
    created_at: datetime
    ended_at: datetime | None = None
    parent: RunId | None = None
    replayed_from: RunId | None = None
    forked_at: NodeName | None = None
    #: Kind and message of the error that ended the run, for searching.
    error: str | None = None
    #: The first instant of each kind over all deadlines that run; null: none does.
    deadline: Thresholds | None = None


@frozen(kw_only=True)
class IndexRows:
    """All that the index holds of one run."""

    #: Null: the run is not listed.
    run: RunRow | None = None
    #: By key.
    attempts: tuple[AttemptRow, ...] = ()
    #: By node and correlation.
    correlations: tuple[CorrelationRow, ...] = ()
    #: The tags that find the run, in order: those of its row, unless an adapter has others.
    tags: tuple[str, ...] = field()

    @tags.default
    def _tags_of_run(self) -> tuple[str, ...]:
        return () if self.run is None else tuple(sorted(set(self.run.tags)))


@quick
@frozen(kw_only=True)
class RowChanges:
    """What one append changes in the index, in the same transaction."""

    #: The run's new row; null: as it was.
    run: RunRow | None = None
    put: tuple[AttemptRow, ...] = ()
    drop: tuple[AttemptKey, ...] = ()
    #: All of the run's; null: as they were.
    correlations: tuple[CorrelationRow, ...] | None = None


@quick
@frozen(kw_only=True)
class Head:
    """Where a journal stands: what the next append must follow."""

    revision: Revision
    #: Chain hash of the last append, lower-case hex.
    hash: str
    at: datetime


def claim_order(row: AttemptRow) -> tuple[int, datetime, RunId, AttemptKey]:
    """Smaller is claimed sooner (specs/protocol.md §3)."""
    return row.priority, row.visible_at, row.run_id, row.attempt_key
