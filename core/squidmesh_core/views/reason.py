"""Why a run is where it is, as far as its journal alone tells (specs/protocol.md §7)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from squidmesh_core.definition.spec import Node, Spec
from squidmesh_core.plan.progress import waits_for
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.run import RunState

#: The first that fits, in this order.
Reason = Literal[
    "terminal",
    "compensating",
    "manual_intervention_required",
    "expired_claim",
    "attempt_visible",
    "waiting_for_join",
    "deferred_continuation",
    "attempt_claimed",
    "attempt_scheduled_for_later",
    "waiting_for_message",
    "idle",
    "run_started",
]


#: The status of runs that are where they are for a reason; the index knows it, and no reason.
STATUSES_OF: Final[Mapping[Reason, tuple[RunStatus, ...]]] = {
    "terminal": ("completed", "failed", "cancelled"),
    "compensating": ("compensating",),
    "manual_intervention_required": ("paused",),
    "expired_claim": ("running",),
    # A time-out alone is due where nothing else is to be done.
    "attempt_visible": ("running", "idle", "started"),
    "waiting_for_join": ("running", "idle"),
    "deferred_continuation": ("running",),
    "attempt_claimed": ("running",),
    "attempt_scheduled_for_later": ("running",),
    "waiting_for_message": ("idle",),
    "idle": ("idle",),
    "run_started": ("started",),
}


def reason_of(state: RunState, spec: Spec, now: datetime) -> Reason:
    """Why the run is where it is: the first that fits."""
    live = tuple(state.live.values())
    unclaimed = [attempt for attempt in live if attempt.status != "claimed"]
    if state.terminal is not None:
        return "terminal"
    if state.saga.started is not None:
        return "compensating"
    if state.gates.waiting:
        return "manual_intervention_required"
    if any(attempt.status == "claimed" and attempt.expired(now) for attempt in live):
        return "expired_claim"
    # A time-out that is over is work like any other: some worker ends the waiting.
    if any(attempt.visible(now) for attempt in (*unclaimed, *state.timers.values())):
        return "attempt_visible"
    if half_joined(state, spec):
        return "waiting_for_join"
    if any(attempt.intent.deferred is not None for attempt in unclaimed):
        return "deferred_continuation"
    if len(unclaimed) < len(live):
        return "attempt_claimed"
    if unclaimed:
        return "attempt_scheduled_for_later"
    if state.mail.awaited:
        return "waiting_for_message"
    return "idle" if state.applied else "run_started"


def told_by_status(reason: Reason) -> bool:
    """Whether all runs that have a status of this reason have this reason."""
    others = {status for one, of in STATUSES_OF.items() if one != reason for status in of}
    return others.isdisjoint(STATUSES_OF[reason])


def half_joined(state: RunState, spec: Spec) -> tuple[Node, ...]:
    """The nodes of which one dependency is applied and another not."""
    return tuple(node for node in spec.steps if 0 < len(waits_for(node, state)) < len(node.after))
