"""
Explaining a run: what the core makes of its state, and of what is around it.

The core decides what is said.  Here is gathered what a journal alone cannot know: the
workers, the queues of what is due, and who stands in line there.  A run that waits for
nothing of the kind costs none of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import Final

from squidmesh.door.door import Door
from squidmesh.door.recall import UNREADABLE, mark_of
from squidmesh.views.listing import as_listed
from squidmesh.workers.lanes import lane_of
from squidmesh.workers.registry import WorkerInfo, workers
from squidmesh_core.errors import SquidmeshError, StorageError, StorageUnavailable
from squidmesh_core.ids import RunId
from squidmesh_core.plan.admission import Lane, LaneState, QueueSettings, settings_from_text
from squidmesh_core.protocol.rows import AttemptRow, RunStatus
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.run import RunState
from squidmesh_core.views import explanation
from squidmesh_core.views.explanation import (
    Explanation,
    Holder,
    Line,
    Surroundings,
    Unreadable,
    WorkerAt,
)
from squidmesh_storage.api import Choice, Journal, Offered, RunFilter
from squidmesh_storage.lanes import SETTINGS

#: Attempts of a queue that are counted before one's own.
_MOST_IN_LINE: Final = 256
#: Runs of each status that are looked at for who holds a slot, and holders that are named.
_MOST_RUNS: Final = 100
_MOST_HOLDERS: Final = 6
#: Runs that may have an attempt at work.
_WITH_WORK: Final[tuple[RunStatus, ...]] = ("running", "paused", "compensating")


def explain(
    door: Door, run_id: RunId, *, now: datetime | None = None, zone: tzinfo = UTC
) -> Explanation:
    """
    Why a run is where it is, and what may be done about it.

    Raises:
        RunNotFound: There is no such run.
        StorageError: The storage failed; a run that cannot be read is explained as well.
    """
    try:
        known = door.fresh(run_id)
        instant = now or door.journal.now()
        around = surroundings(door, known.state, instant)
        return explanation.explain(known.state, known.spec, instant, around, zone=zone)
    except StorageError as error:
        if error.code not in UNREADABLE:
            raise
        return _unreadable(door, run_id, error, now or door.journal.now(), zone)


def surroundings(door: Door, state: RunState, now: datetime) -> Surroundings:
    """
    What is around a run that bears on what it waits for.

    Inside a transaction of the host's nothing of it can be asked, so nothing is said.

    Raises:
        StorageUnavailable: The storage cannot be reached.
    """
    due = [one for one in (*state.live.values(), *state.timers.values()) if _is_due(one, now)]
    if state.terminal is not None or not due:
        return Surroundings()
    try:
        known = workers(door.journal, now)
        lines = _lines(door, state, due, known, now)
    except StorageUnavailable:
        raise
    except StorageError:
        return Surroundings()
    return Surroundings(workers=tuple(map(_worker, known)), lines=lines)


def _is_due(attempt: Attempt, now: datetime) -> bool:
    if attempt.status == "claimed":
        return attempt.expired(now)
    return attempt.visible(now)


def _worker(info: WorkerInfo) -> WorkerAt:
    return WorkerAt(
        owner=info.owner,
        queues=frozenset(info.queues),
        actions=frozenset(info.actions),
        seen_at=info.seen_at,
        takes_work=info.takes_work,
    )


# --- queues


def _lines(
    door: Door,
    state: RunState,
    due: Sequence[Attempt],
    known: Sequence[WorkerInfo],
    now: datetime,
) -> Mapping[str, Line]:
    """The queues of what is due, as a claim of all of it would find them."""
    queues = sorted({one.intent.queue for one in due})
    actions = {one.intent.action for one in due if one.intent.action is not None}
    actions |= {action for one in known for action in one.actions}
    settings = {
        record.key: settings_from_text(record.body) for record in door.journal.records(SETTINGS)
    }
    offered = _peek(door.journal, queues, actions, now)
    lanes = {lane.queue: lane_of(lane) for lane in offered.lanes} if offered else {}
    waiting = [one.row for one in offered.candidates] if offered else []
    return {
        queue: _line(
            door,
            lanes.get(queue) or _stopped(queue, settings.get(queue, QueueSettings())),
            [row for row in waiting if row.queue == queue],
            state,
            now,
        )
        for queue in queues
    }


def _peek(
    journal: Journal, queues: Sequence[str], actions: set[str], now: datetime
) -> Offered | None:
    """What a claim would be offered; nothing is claimed.  Null: nothing, or nobody may ask here."""
    seen: list[Offered] = []

    def look(offered: Offered) -> Choice:
        seen.append(offered)
        return Choice()

    with suppress(StorageError):
        journal.claimable(queues, sorted(actions), _MOST_IN_LINE, look, at=now)
    return seen[-1] if seen else None


def _stopped(queue: str, settings: QueueSettings) -> Lane:
    """A queue of which nobody could count what is held: only a pause is believed."""
    paused = QueueSettings(paused=settings.paused)
    return Lane(queue=queue, settings=paused, state=LaneState(), held={})


def _line(
    door: Door, lane: Lane, waiting: Sequence[AttemptRow], state: RunState, now: datetime
) -> Line:
    limited = lane.settings.concurrency is not None or lane.settings.per_key is not None
    holders = tuple(_holders(door, lane.queue, state, now)) if limited and lane.held else ()
    return Line(
        settings=lane.settings,
        state=lane.state,
        held=lane.held,
        waiting=tuple(waiting),
        holders=holders,
    )


def _holders(door: Door, queue: str, state: RunState, now: datetime) -> Iterator[Holder]:
    """Who holds slots of a queue: the newest runs are looked at, and some are enough."""
    found = 0
    for status in _WITH_WORK:
        for listed in door.journal.runs(RunFilter(status=status), None, _MOST_RUNS).items:
            for row in door.journal.rows_of(listed.row.run_id).attempts:
                if row.queue == queue and row.held_until is not None and now < row.held_until:
                    yield Holder(
                        run_id=row.run_id,
                        attempt_key=row.attempt_key,
                        owner=_owner(door, row, state),
                    )
                    found += 1
                if found == _MOST_HOLDERS:
                    return


def _owner(door: Door, row: AttemptRow, state: RunState) -> str | None:
    """The worker that holds an attempt; null: its run cannot be read."""
    try:
        of_run = state if row.run_id == state.run_id else door.fresh(row.run_id).state
    except SquidmeshError:
        return None
    attempt = of_run.attempt(row.attempt_key)
    return attempt.claim.owner if attempt and attempt.claim else None


# --- runs that cannot be read


def _unreadable(
    door: Door, run_id: RunId, error: StorageError, now: datetime, zone: tzinfo
) -> Explanation:
    """
    Why nobody works on a run that this process cannot read.

    Raises:
        StorageError: No list has it either.
    """
    run = as_listed(door, run_id)
    if run is None:
        raise error
    mark = mark_of(error)
    kind, version = error.details.get("type"), error.details.get("version")
    newer = error.code == "newer_entries"
    said = f"{kind} v{version}" if kind else "a definition that it cannot read"
    if "codec" in error.details:
        said = f"entries of codec {error.details['codec']}"
    why = Unreadable(
        reason="newer_entries" if newer else "run_quarantined",
        said=said if newer else mark.reason,
        revision=mark.revision,
        message=error.message,
    )
    return explanation.explain_unreadable(run, why, now, zone=zone)
