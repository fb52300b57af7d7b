"""What the claims of a lane leave for later ones."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import evolve

from squidmesh_core.plan.admission import bucket as buckets
from squidmesh_core.plan.admission.admitting import Admission, Lane, is_start
from squidmesh_core.plan.admission.records import Bucket, LaneState, Refusal, Turn
from squidmesh_core.plan.admission.turns import after_turn
from squidmesh_core.protocol.rows import AttemptRow


def states_after(
    admission: Admission, lanes: Sequence[Lane], claimed: Sequence[AttemptRow], now: datetime
) -> Mapping[str, LaneState]:
    """
    What has to be kept, by queue, of the lanes where that changed.

    Args:
        admission: What `admit` answered.
        lanes: What it was asked of.
        claimed: Those of the admitted that a claim was made for; all, as a rule.
        now: The instant it was judged at.
    """
    states: dict[str, LaneState] = {}
    for lane in lanes:
        started = [row for row in claimed if row.queue == lane.queue and is_start(row)]
        after = LaneState(
            bucket=_bucket(lane, len(started), now),
            turns=_turns(lane, started, admission),
            refusals=_refusals(lane, admission),
        )
        if after != lane.state:
            states[lane.queue] = after
    return states


def _bucket(lane: Lane, starts: int, now: datetime) -> Bucket | None:
    rate, before = lane.settings.rate, lane.state.bucket
    if rate is None:
        return None
    if starts == 0 and (before is None or not buckets.was_set_back(before, now)):
        return before  # what drips in meanwhile can be told as well the next time
    return buckets.spent(buckets.refilled(before, rate, now), starts)


def _turns(lane: Lane, started: Sequence[AttemptRow], admission: Admission) -> tuple[Turn, ...]:
    turns = lane.state.turns
    asked = (*admission.admitted, *(one.row for one in admission.refused))
    keyless = all(row.partition_key is None for row in asked if row.queue == lane.queue)
    if not turns and keyless and lane.queue not in admission.cut_short:
        return turns  # where nobody has a key, nobody takes turns
    for row in started:
        turns = after_turn(turns, row)
    return turns


def _refusals(lane: Lane, admission: Admission) -> tuple[Refusal, ...]:
    """The first of each kind, and since when it has been like that."""
    known = {one.kind: one for one in lane.state.refusals}
    # Whether those that nobody looked at would be refused, nobody can tell.
    newest = dict(known) if lane.queue in admission.cut_short else {}
    for one in reversed(admission.refused):
        if one.row.queue == lane.queue:
            newest[one.refusal.kind] = one.refusal
    return tuple(_since(newest[kind], known.get(kind)) for kind in sorted(newest))


def _since(refusal: Refusal, before: Refusal | None) -> Refusal:
    """The refusal, as old as the same one before; a pause has an instant of its own."""
    if before is None or refusal.kind == "paused":
        return refusal
    return before if evolve(refusal, since=before.since) == before else refusal
