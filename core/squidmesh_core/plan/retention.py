"""
Retention: which finished runs may go, and which are kept all the same.

A run is its own: forks and replays carry copies of what they took over, so no
run needs the journal of another.  One thing would be lost with a run: what its
undoing has left, which `retry_compensation` reads there.  Such a run is kept
until it was taken up, or somebody names it (specs/protocol.md §8.11).
"""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from attrs import frozen

from squidmesh_core.ids import is_drawn
from squidmesh_core.state.run import RunState

#: Why a run stays:
#:
#:     active       it is not over
#:     recent       it ended within the time that runs are kept
#:     unrecovered  its end lists what was not undone, and nobody has taken that up
#:     unreadable   its journal is damaged, or a newer squidmesh wrote it
#:     elsewhere    somebody else has removed it, or appended to it, meanwhile
Kept = Literal["active", "recent", "unrecovered", "unreadable", "elsewhere"]

#: So long after its start a run's first append may still come a second time, sent by
#: somebody who never heard that it had arrived.
RESENT_WITHIN: Final = timedelta(hours=1)

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@frozen(kw_only=True)
class Retention:
    """How long a run is kept once it is over."""

    older_than_ms: int

    def before(self, now: datetime) -> datetime:
        """Runs that ended before this instant may go."""
        try:
            return now - timedelta(milliseconds=self.older_than_ms)
        except OverflowError:
            return _NEVER


def kept(state: RunState, before: datetime | None, *, taken_up: bool) -> Kept | None:
    """
    Why a run stays; null: it may go.

    Args:
        state: The run.
        before: Only what ended before this instant goes; null: somebody has named the run.
        taken_up: Whether there is a run that undoes what this one has left.
    """
    if state.terminal is None:
        return "active"
    if before is None:
        return None
    if state.terminal.at >= before:
        return "recent"
    return "unrecovered" if leaves_effects(state) and not taken_up else None


def leaves_effects(state: RunState) -> bool:
    """Whether a run's end lists what was to be undone and was not."""
    return state.terminal is not None and bool(state.terminal.recovery)


def can_come_again(state: RunState, now: datetime) -> bool:
    """
    Whether somebody may still begin a run under this very id.

    Of a key, a cron window, a source or a parent the same id is made again, and who
    gave an id can give it again; one that was drawn comes only once, and soon.
    """
    given = any("run_id" in receipt.payload for receipt in state.receipts)
    young = state.started is not None and now - state.started.at < RESENT_WITHIN
    return given or young or not is_drawn(state.run_id)
