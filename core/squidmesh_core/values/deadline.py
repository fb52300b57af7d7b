"""When a deadline is due, and how it stands at an instant (specs/protocol.md §7)."""

from datetime import UTC, datetime
from typing import Final, Literal

from attrs import frozen

DeadlineStatus = Literal["on_time", "due_soon", "overdue", "escalated"]

#: A deadline of a hundred years, escalated after as many, still ends before the year 10000.
LAST: Final = datetime(9699, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@frozen(kw_only=True)
class Thresholds:
    """The instants at which a deadline, or the first of several, comes to stand worse."""

    due_at: datetime
    #: Null: nobody is told beforehand.
    due_soon_at: datetime | None = None
    #: Null: it stays overdue.
    escalated_at: datetime | None = None

    def status(self, now: datetime) -> DeadlineStatus:
        """How it stands at an instant: the worst that has come."""
        if self.escalated_at is not None and now >= self.escalated_at:
            return "escalated"
        if now >= self.due_at:
            return "overdue"
        if self.due_soon_at is not None and now >= self.due_soon_at:
            return "due_soon"
        return "on_time"
