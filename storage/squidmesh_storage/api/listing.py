"""
The index: which runs to list, what a page and a count of them hold, and the verbs.

Rows are as the core made them; an adapter filters and sorts by their columns.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from attrs import Factory, frozen

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import CorrelationRow, Head, IndexRows, RunRow, RunStatus
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_storage.api.loading import Quarantine


@frozen(kw_only=True)
class RunFilter:
    """Which runs to list; null members do not filter."""

    workflow: str | None = None
    version: str | None = None
    status: RunStatus | None = None
    queue: str | None = None
    tag: str | None = None
    parent: RunId | None = None
    #: Created at this instant or later.
    since: datetime | None = None
    #: Created before this instant.
    until: datetime | None = None
    #: Part of the run id, key, workflow or error text, upper and lower case distinct.
    text: str | None = None
    #: How the most urgent deadline stands that runs, at `deadline_at`.  Of a run that
    #: is over none does, whatever its row says.
    deadline: DeadlineStatus | None = None
    deadline_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        """
        Build it valid or not at all.

        Raises:
            ValueError: A deadline is asked for, and not when.
        """
        if self.deadline is not None and self.deadline_at is None:
            raise ValueError("a deadline stands somehow at an instant: `deadline_at` is missing")


@frozen(kw_only=True)
class Listed:
    """A listed run: its row, and where its journal stands now."""

    row: RunRow
    head: Head
    #: Why the run is marked as unreadable, or null.
    quarantined: Quarantine | None = None
    #: The codec of its last append.
    codec: int = CODEC_VERSION


@frozen(kw_only=True)
class ListPage:
    """One page of runs, and where the next one begins."""

    items: tuple[Listed, ...]
    #: What the last item was listed by, (instant, run_id); null: this was the last page.
    next: tuple[datetime, RunId] | None


@frozen(kw_only=True)
class Tally:
    """How many listed runs there are, and of which kind; nothing is zero."""

    #: By workflow and status.
    runs: Mapping[tuple[str, RunStatus], int] = Factory(dict)
    #: Those with a deadline that runs, by workflow and how the most urgent one stands.
    deadlines: Mapping[tuple[str, DeadlineStatus], int] = Factory(dict)


class Listing(Protocol):
    """The verbs that read the index."""

    def runs(self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int) -> ListPage:
        """Index rows by (created_at, run id), newest first; the cursor is exclusive."""
        ...

    def deadlines(
        self, where: RunFilter, cursor: tuple[datetime, RunId] | None, limit: int
    ) -> ListPage:
        """
        Index rows of runs with a deadline that runs, by (due_at, run id), the first due first.

        Runs that are over have none; other runs are not looked at.  The cursor is
        exclusive.
        """
        ...

    def finished(
        self, before: datetime, limit: int, *, after: tuple[datetime, RunId] | None = None
    ) -> tuple[RunRow, ...]:
        """
        Listed runs that ended before an instant, the oldest end first, then by run id.

        Args:
            before: Exclusive.
            limit: At most so many.
            after: Only those beyond this end and run id, exclusive; null: from the oldest on.
        """
        ...

    def tally(self, at: datetime) -> Tally:
        """How many runs are listed, and how their deadlines stand at an instant."""
        ...

    def rows_of(self, run_id: RunId) -> IndexRows:
        """The stored index rows of a run; none if nothing is known of it."""
        ...

    def correlated(
        self, workflow: str, node: str, correlation: str, limit: int = 100
    ) -> tuple[CorrelationRow, ...]:
        """What an outside message finds: open rows first, then by run id."""
        ...
