"""
The first reason that fits, the node that it is about, and since when.

The order is that of `Reason` in specs/protocol.md §7: what the journal alone tells
(`views.reason`), and, where that is a ready attempt, what its surroundings say of it.
"""

from datetime import datetime
from typing import Final, Literal, assert_never

from attrs import frozen

from squidmesh_core.ids import NodeName
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.records import Reason
from squidmesh_core.views.explanation.standing import Standing
from squidmesh_core.views.reason import half_joined, reason_of

#: What may hold a ready attempt back, the first reason first.
_OBSTACLES: Final[tuple[Literal["queue_paused", "queue_full", "no_capable_worker"], ...]] = (
    "queue_paused",
    "queue_full",
    "no_capable_worker",
)


@frozen(kw_only=True)
class Finding:
    """Why a run is where it is, in one word, and what that is about."""

    reason: Reason
    node: NodeName | None = None
    since: datetime | None = None
    #: The attempt that it is about.
    standing: Standing | None = None


def finding_of(case: Case) -> Finding:
    """The first reason that fits."""
    told = reason_of(case.state, case.spec, case.now)
    match told:
        case "terminal":
            return _over(case)
        case "compensating":
            return _undoing(case)
        case "manual_intervention_required":
            return _asked(case)
        case "expired_claim":
            standing = next(one for one in case.standings if one.kind == "expired")
            return _about(told, standing, standing.attempt.lease_until)
        case "attempt_visible":
            return _ready(case)
        case "waiting_for_join":
            node = half_joined(case.state, case.spec)[0]
            since = max(one.at for one in case.state.applied.values() if one.step in node.after)
            return Finding(reason=told, node=node.name, since=since)
        case "deferred_continuation":
            standing = next(one for one in case.standings if one.attempt.intent.deferred)
            return _about(told, standing, standing.attempt.intent.at)
        case "attempt_claimed":
            standing = next(one for one in case.standings if one.kind == "at_work")
            claim = standing.attempt.claim
            return _about(told, standing, claim.at if claim else None)
        case "attempt_scheduled_for_later":
            live = [one for one in case.standings if not one.is_timeout]
            standing = min(live, key=lambda one: one.attempt.intent.visible_at)
            return _about(told, standing, _settled_before(case, standing))
        case "waiting_for_message":
            entry = next(iter(case.state.mail.awaited.values()))
            return Finding(reason=told, node=entry.step, since=entry.at)
        case "idle" | "run_started":
            return Finding(reason=told, since=case.state.at)
    assert_never(told)


def _over(case: Case) -> Finding:
    end = case.state.terminal
    return Finding(
        reason="terminal", node=(end.step or None) if end else None, since=end.at if end else None
    )


def _undoing(case: Case) -> Finding:
    started = case.state.saga.started
    standing = next((one for one in case.standings if not one.is_timeout), None)
    since = started.at if started else None
    if standing is None:
        return Finding(reason="compensating", since=since)
    return _about("compensating", standing, since)


def _asked(case: Case) -> Finding:
    gates = case.state.gates
    gate = gates.hold or next(iter(gates.open.values()))
    return Finding(reason="manual_intervention_required", node=gate.step, since=gate.at)


def _ready(case: Case) -> Finding:
    ready = [one for one in case.standings if one.kind == "ready"]
    for obstacle in _OBSTACLES:
        for one in ready:
            if one.obstacle == obstacle:
                return _about(obstacle, one, one.attempt.intent.visible_at)
    return _about("attempt_visible", ready[0], ready[0].attempt.intent.visible_at)


def _about(reason: Reason, standing: Standing, since: datetime | None) -> Finding:
    node = standing.attempt.intent.step or None
    return Finding(reason=reason, node=node, since=since, standing=standing)


def _settled_before(case: Case, standing: Standing) -> datetime:
    """When an attempt was scheduled; a retry, when the one before it failed."""
    intent = standing.attempt.intent
    failed = [
        one.settlement.at
        for one in case.state.settled.values()
        if one.intent.visit_key == intent.visit_key and one.settlement is not None
    ]
    return max([intent.at, *failed])
