"""The dicts that everything is kept in, and what nearly every verb asks of them."""

from collections.abc import Collection
from datetime import datetime

from attrs import Factory, frozen

from squidmesh_core.ids import BEGINNING, AttemptKey, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow, CorrelationRow, RunRow
from squidmesh_storage.api import Checkpoint, Quarantine, Record


@frozen(kw_only=True)
class Attempt:
    """An attempt as the index has it."""

    row: AttemptRow
    #: Visible when it was appended, and so for good, even if the clock steps back.
    due: bool

    def claimable(self, now: datetime) -> bool:
        """Whether it may be claimed: visible and unclaimed, or held with the lease past."""
        if self.row.held_until is not None:
            return self.row.held_until <= now
        return self.due or self.row.visible_at <= now

    @property
    def changes_at(self) -> datetime:
        """When one that may not be claimed may be."""
        return self.row.held_until or self.row.visible_at


@frozen(kw_only=True, eq=False)
class Tables:
    """All that a journal in memory keeps; whoever reads or changes it holds the lock."""

    journals: dict[RunId, list[AppendRecord]] = Factory(dict)
    #: The codec of each run's last append.
    codecs: dict[RunId, int] = Factory(dict)
    runs: dict[RunId, RunRow] = Factory(dict)
    attempts: dict[RunId, dict[AttemptKey, Attempt]] = Factory(dict)
    correlations: dict[RunId, tuple[CorrelationRow, ...]] = Factory(dict)
    quarantined: dict[RunId, Quarantine] = Factory(dict)
    definitions: dict[Fingerprint, str] = Factory(dict)
    checkpoints: dict[RunId, Checkpoint] = Factory(dict)
    #: What lies outside of runs, by kind and key.
    facts: dict[tuple[str, str], Record] = Factory(dict)

    def journal(self, run_id: RunId) -> list[AppendRecord]:
        """The appends of a run in order; none if there is no such run."""
        return self.journals.get(run_id, [])

    def revision(self, run_id: RunId) -> Revision:
        """Where a journal stands; 0: there is none."""
        stored = self.journal(run_id)
        return stored[-1].last if stored else BEGINNING

    def listed(self) -> list[RunRow]:
        """The rows of those runs that have a journal."""
        return [row for row in self.runs.values() if row.run_id in self.journals]

    def open_attempts(self, queues: Collection[str]) -> list[Attempt]:
        """The attempts of some queues whose runs this process may go on with."""
        return [
            attempt
            for run_id, attempts in self.attempts.items()
            for attempt in attempts.values()
            if attempt.row.queue in queues and self.may_claim(run_id)
        ]

    def may_claim(self, run_id: RunId) -> bool:
        """Whether a run can be read, and no newer process has appended to it."""
        return (
            run_id in self.journals
            and run_id not in self.quarantined
            and self.codecs[run_id] <= CODEC_VERSION
        )
