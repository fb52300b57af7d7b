"""What pruning has come to: counted while it goes on, told when it is over."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import frozen

from squidmesh_core.ids import RunId
from squidmesh_core.plan.retention import Kept
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.run import RunState

#: Kept runs that a report names; it counts them all.
MOST_NAMED: Final = 100


@frozen(kw_only=True)
class Pruned:
    """What pruning has removed, or would remove."""

    #: Whether this is a plan, and nothing was written.
    planned: bool
    #: Runs that ended before this instant were looked at; null: one run was named.
    before: datetime | None
    #: How many runs were removed.
    runs: int
    #: How many entries they had.
    entries: int
    #: How many of them left a tombstone, because somebody can name them again.
    tombstones: int
    workflows: Mapping[str, int]
    statuses: Mapping[RunStatus, int]
    #: When the first and the last of them had ended; null: none was removed.
    oldest: datetime | None
    newest: datetime | None
    #: Why runs stayed that ended long enough ago, and how many of each.
    kept: Mapping[Kept, int]
    #: The first `MOST_NAMED` of these.
    kept_runs: Mapping[RunId, Kept]


class Tally:
    """A report in the making; it holds no more than the report will."""

    def __init__(self) -> None:
        self._runs = self._entries = self._tombstones = 0
        self._workflows: Counter[str] = Counter()
        self._statuses: Counter[RunStatus] = Counter()
        self._oldest: datetime | None = None
        self._newest: datetime | None = None
        self._kept: Counter[Kept] = Counter()
        self._kept_runs: dict[RunId, Kept] = {}

    def removed(self, state: RunState, *, tombstone: bool) -> None:
        """A run was removed, or would be; those that ended first come first."""
        self._runs += 1
        self._entries += state.revision
        self._tombstones += tombstone
        self._statuses[state.status] += 1
        if state.started is not None:
            self._workflows[state.started.workflow] += 1
        if state.terminal is not None:
            self._oldest = self._oldest or state.terminal.at
            self._newest = state.terminal.at

    def stays(self, run_id: RunId, why: Kept) -> None:
        """A run was looked at, and stays."""
        self._kept[why] += 1
        if len(self._kept_runs) < MOST_NAMED:
            self._kept_runs[run_id] = why

    def report(self, *, planned: bool, before: datetime | None) -> Pruned:
        """What it has come to."""
        return Pruned(
            planned=planned,
            before=before,
            runs=self._runs,
            entries=self._entries,
            tombstones=self._tombstones,
            workflows=dict(sorted(self._workflows.items())),
            statuses=dict(sorted(self._statuses.items())),
            oldest=self._oldest,
            newest=self._newest,
            kept=dict(self._kept),
            kept_runs=dict(self._kept_runs),
        )
