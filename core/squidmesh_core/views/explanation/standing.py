"""
How an attempt stands, as far as the deciders and the admission of its queue go.

    later      visible from an instant on
    at_work    somebody holds it
    expired    its lease is past; somebody may take it over
    ready      it may be claimed

What is expired or ready may be held back, by the first of these that fits: the
hold of the run, a pause or a limit of its queue, or that nobody could perform it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from attrs import frozen

from squidmesh_core.ids import is_timeout
from squidmesh_core.plan.admission import Admission, Lane, Refusal, admit
from squidmesh_core.protocol.rows import AttemptRow, claim_order
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.run import RunState
from squidmesh_core.views.explanation.surroundings import Line, Surroundings, WorkerAt
from squidmesh_core.views.index import attempt_rows

T = TypeVar("T")

StandingKind = Literal["later", "at_work", "expired", "ready"]
#: The run is held; its queue is paused, or full in one of three ways; nobody performs it.
Obstacle = Literal["held", "queue_paused", "queue_full", "no_capable_worker"]


@frozen(kw_only=True)
class Standing:
    """One attempt, and what keeps it where it is."""

    attempt: Attempt
    kind: StandingKind
    #: Null: nothing holds it back.
    obstacle: Obstacle | None = None
    #: What its queue would answer, if that holds it back.
    refusal: Refusal | None = None
    #: Its place in the line of its queue, from 1; null: it stands in none, or nobody looked.
    place: int | None = None
    #: Workers that could perform it now; null: nobody looked.
    capable: tuple[WorkerAt, ...] | None = None

    @property
    def is_timeout(self) -> bool:
        """Whether it is the timer of a time-out."""
        return is_timeout(self.attempt.key)


def standings(state: RunState, around: Surroundings, now: datetime) -> tuple[Standing, ...]:
    """How each attempt of a run stands that is not settled; none of a run that is over."""
    if state.terminal is not None:
        return ()
    queues = _Queues(attempt_rows(state), around, now)
    return tuple(
        _standing(attempt, state, queues, around, now)
        for attempt in (*state.live.values(), *state.timers.values())
    )


def _standing(
    attempt: Attempt, state: RunState, queues: "_Queues", around: Surroundings, now: datetime
) -> Standing:
    kind = _kind(attempt, now)
    if kind in {"later", "at_work"}:
        return Standing(attempt=attempt, kind=kind)
    capable = _capable(attempt, around.workers)
    if state.gates.hold is not None:
        return Standing(attempt=attempt, kind=kind, obstacle="held", capable=capable)
    refusal = queues.refusal(attempt)
    obstacle: Obstacle | None = None
    if refusal is not None:
        obstacle = "queue_paused" if refusal.kind == "paused" else "queue_full"
    elif capable == ():
        obstacle = "no_capable_worker"
    return Standing(
        attempt=attempt,
        kind=kind,
        obstacle=obstacle,
        refusal=refusal,
        place=queues.place(attempt),
        capable=capable,
    )


def _kind(attempt: Attempt, now: datetime) -> StandingKind:
    if attempt.status == "claimed":
        return "expired" if attempt.expired(now) else "at_work"
    return "ready" if attempt.visible(now) else "later"


def _capable(attempt: Attempt, workers: Sequence[WorkerAt] | None) -> tuple[WorkerAt, ...] | None:
    if workers is None:
        return None
    queue, action = attempt.intent.queue, attempt.intent.action
    return tuple(
        one
        for one in workers
        if one.takes_work and queue in one.queues and (action is None or action in one.actions)
    )


class _Queues:
    """What a worker would be told of the attempts of a run, if one asked for all of them now."""

    def __init__(self, rows: Sequence[AttemptRow], around: Surroundings, now: datetime) -> None:
        self._rows = {row.attempt_key: row for row in rows}
        self._refusals: dict[AttemptRow, Refusal] = {}
        self._places: dict[AttemptRow, int] = {}
        due = [row for row in rows if row.visible_at <= now]
        for queue, line in around.lines.items():
            mine = [row for row in due if row.queue == queue and not _is_held(row, now)]
            if mine:
                self._ask(queue, line, mine, now)

    def refusal(self, attempt: Attempt) -> Refusal | None:
        """Why the queue of an attempt would not let it start."""
        return self._of(attempt, self._refusals)

    def place(self, attempt: Attempt) -> int | None:
        """The place of an attempt in the line of its queue."""
        return self._of(attempt, self._places)

    def _of(self, attempt: Attempt, found: Mapping[AttemptRow, T]) -> T | None:
        row = self._rows.get(attempt.key)
        return None if row is None else found.get(row)

    def _ask(self, queue: str, line: Line, mine: Sequence[AttemptRow], now: datetime) -> None:
        keys = {(row.run_id, row.attempt_key) for row in mine}
        others = [row for row in line.waiting if (row.run_id, row.attempt_key) not in keys]
        rows = sorted((*others, *mine), key=claim_order)
        lanes = [] if line.settings.limits_nothing else [_lane(queue, line)]
        answer = admit(rows, lanes, len(rows), now)
        for one in answer.refused:
            self._refusals[one.row] = one.refusal
        if line.waiting:
            for number, row in enumerate(_in_order(answer), start=1):
                self._places[row] = number


def _in_order(answer: Admission) -> list[AttemptRow]:
    """Those who may start, then those who may not, in the order of their turns."""
    return [*answer.admitted, *(one.row for one in answer.refused)]


def _is_held(row: AttemptRow, now: datetime) -> bool:
    return row.held_until is not None and now < row.held_until


def _lane(queue: str, line: Line) -> Lane:
    return Lane(queue=queue, settings=line.settings, state=line.state, held=line.held)
