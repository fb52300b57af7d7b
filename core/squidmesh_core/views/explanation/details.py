"""What an explanation rests on, as data: attempts and how they stand, joins, limits, times."""

from collections.abc import Mapping

from squidmesh_core.plan.progress import waits_for
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.standing import Standing
from squidmesh_core.views.given import left_given
from squidmesh_core.views.plain import plain
from squidmesh_core.views.reason import half_joined
from squidmesh_core.views.steps import step_status


def details_of(case: Case) -> Mapping[str, object]:
    """The facts, JSON-safe; what there is none of is left out."""
    state = case.state
    facts = {
        "attempts": [_attempt(one) for one in case.standings],
        "joins": [
            {
                "node": node.name,
                "waits_for": {name: step_status(state, name) for name in waits_for(node, state)},
            }
            for node in (half_joined(state, case.spec) if state.terminal is None else ())
        ],
        "next_at": plain(_next_at(case)),
        "gates": [gate.step for gate in state.gates.open.values()],
        "held": state.gates.hold is not None or None,
        "messages": [entry.step for entry in state.mail.awaited.values()],
        "recovery": plain(left_given(state.terminal.recovery)) if state.terminal else None,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _attempt(standing: Standing) -> dict[str, object]:
    intent, claim = standing.attempt.intent, standing.attempt.claim
    policy = intent.retry
    facts = {
        "key": standing.attempt.key,
        "node": intent.step,
        "kind": "time_out" if standing.is_timeout else intent.kind,
        "standing": standing.kind,
        "held_back_by": standing.obstacle,
        "queue": intent.queue,
        "action": intent.action,
        "visible_at": intent.visible_at,
        "owner": claim.owner if claim else None,
        "claimed_at": claim.at if claim else None,
        "lease_until": standing.attempt.lease_until,
        "deliveries": standing.attempt.deliveries,
        "retries_left": max(0, policy.max_attempts - intent.number) if policy else 0,
        "place": standing.place,
        "limit": plain(standing.refusal) if standing.refusal else None,
        "workers": None if standing.capable is None else [one.owner for one in standing.capable],
    }
    return {name: plain(fact) for name, fact in facts.items() if fact is not None}


def _next_at(case: Case) -> object:
    """When something next becomes due by itself."""
    attempts = (*case.state.live.values(), *case.state.timers.values())
    due = [one.intent.visible_at for one in attempts if one.status != "claimed"]
    due += [one.lease_until for one in attempts if one.lease_until is not None]
    return min((at for at in due if at > case.now), default=None)
