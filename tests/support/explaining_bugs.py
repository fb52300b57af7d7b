"""Bugs that an explanation could have, each to be found by a check of `support.explaining`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

import pytest
from attrs import evolve

from squidmesh_core.decide import Refusal
from squidmesh_core.definition.spec import Spec
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.gates import Gates
from squidmesh_core.state.run import RunState
from squidmesh_core.views.explanation import Surroundings, actions, candidates, reasons, standing
from squidmesh_core.views.explanation.candidates import Candidate
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.records import Action, ActionName, RefusedAction
from squidmesh_core.views.explanation.standing import Standing, StandingKind
from squidmesh_core.views.reason import Reason, reason_of
from support.planted import Plant


def hold_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A ready attempt of a held run passes for claimable."""
    honest = standing.standings

    def forgetful(state: RunState, around: Surroundings, now: datetime) -> tuple[Standing, ...]:
        return honest(evolve(state, gates=evolve(state.gates, hold=None)), around, now)

    patch.setattr("squidmesh_core.views.explanation.case.standings", forgetful)


def gates_taken_for_holds(patch: pytest.MonkeyPatch) -> None:
    """Whoever waits at a gate keeps the other branches from being worked."""
    honest = standing.standings

    def wary(state: RunState, around: Surroundings, now: datetime) -> tuple[Standing, ...]:
        gate = next(iter(state.gates.open.values()), state.gates.hold)
        return honest(evolve(state, gates=Gates(hold=gate)), around, now)

    patch.setattr("squidmesh_core.views.explanation.case.standings", wary)


def lease_believed_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A lease that is past passes for one that lives."""
    honest = standing._kind

    def trusting(attempt: Attempt, now: datetime) -> StandingKind:
        kind = honest(attempt, now)
        return "at_work" if kind == "expired" else kind

    patch.setattr(standing, "_kind", trusting)


def time_out_unseen(patch: pytest.MonkeyPatch) -> None:
    """A time-out that came is no reason to look for a worker."""
    honest = reason_of

    def blind(state: RunState, spec: Spec, now: datetime) -> Reason:
        return honest(evolve(state, timers={}), spec, now)

    patch.setattr(reasons, "reason_of", blind)


def refusal_taken_for_yes(patch: pytest.MonkeyPatch) -> None:
    """Actions are listed whatever the deciders say of them."""

    def hopeful(name: ActionName, answer: Refusal, node: str | None = None) -> Action:
        label = answer.code
        return Action(name=name, label=label, node=node, safe=True, effect="", call="", command="")

    patch.setattr(actions, "_refused", hopeful)


def code_made_up(patch: pytest.MonkeyPatch) -> None:
    """Refusals are shown with a code of the explanation's own."""
    honest = actions._refused

    def vague(name: ActionName, answer: Refusal, node: str | None = None) -> RefusedAction:
        return evolve(honest(name, answer, node), code="not_now")

    patch.setattr(actions, "_refused", vague)


def message_not_offered(patch: pytest.MonkeyPatch) -> None:
    """Nobody is told that a message could be handed in."""

    def silent(_case: Case) -> Iterator[Candidate]:
        yield from ()

    patch.setattr(candidates, "_messages", silent)


def pause_overlooked(patch: pytest.MonkeyPatch) -> None:
    """A queue that is paused passes for one that is not."""
    honest = standing.standings

    def careless(state: RunState, around: Surroundings, now: datetime) -> tuple[Standing, ...]:
        return honest(state, evolve(around, lines={}), now)

    patch.setattr("squidmesh_core.views.explanation.case.standings", careless)


#: Bug → the check that finds it.
FOUND_BY: Final[Mapping[Plant, str]] = {
    hold_forgotten: "check_claimable",
    gates_taken_for_holds: "check_claimable",
    lease_believed_for_ever: "check_claimable",
    time_out_unseen: "check_claimable",
    refusal_taken_for_yes: "check_listed",
    code_made_up: "check_refused",
    message_not_offered: "check_unlisted",
    pause_overlooked: "check_held_back",
}
