"""
Explanation: why is this run here, what supports that, and what may I do now?

    surroundings   what the journal alone cannot know: workers, queues, who stands in line
    case           all that an explanation is made of
    standing       how each attempt stands: at work, ready, held back, and by what
    reasons        the first reason that fits
    sentences      one plain sentence
    why            what supports the sentence, a line each
    causes         how the run came here, and the values that decided it
    attempts       leases, retries, timers, limits and who could work, in words
    gates          people and messages, in words
    undoing        what is undone, and what is left
    ended          runs that are over
    unreadable     runs whose journal this process cannot read
    details        the same as data
    candidates     everything that anybody could ask of a run, as commands
    actions        those that would be followed, and those that would be refused, asked of
                   the deciders themselves
    evidence       the revisions of the journal that say so
    layout         all of it as text

Begin with `explain` below.
"""

from datetime import UTC, datetime, tzinfo

from squidmesh_core.definition.spec import Spec
from squidmesh_core.state.run import RunState
from squidmesh_core.views.explanation.actions import judged
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.details import details_of
from squidmesh_core.views.explanation.evidence import evidence_of
from squidmesh_core.views.explanation.reasons import finding_of
from squidmesh_core.views.explanation.records import (
    Action,
    Evidence,
    Explanation,
    Reason,
    RefusedAction,
)
from squidmesh_core.views.explanation.sentences import summary_of
from squidmesh_core.views.explanation.surroundings import Holder, Line, Surroundings, WorkerAt
from squidmesh_core.views.explanation.unreadable import Unreadable, explain_unreadable
from squidmesh_core.views.explanation.why import why_of
from squidmesh_core.views.inspection import run_of

__all__ = [
    "Action",
    "Evidence",
    "Explanation",
    "Holder",
    "Line",
    "Reason",
    "RefusedAction",
    "Surroundings",
    "Unreadable",
    "WorkerAt",
    "explain",
    "explain_unreadable",
]


def explain(
    state: RunState,
    spec: Spec,
    now: datetime,
    surroundings: Surroundings | None = None,
    *,
    zone: tzinfo = UTC,
) -> Explanation:
    """
    Why a run is where it is, and what may be done about it.

    Args:
        state: The run; no payload of it is read but for the values that decided a route.
        spec: The definition that it keeps.
        now: The instant it is judged at; never before the last entry.
        surroundings: What is known of workers and queues; null: nothing.
        zone: Where the clock hangs that instants are read off.

    Raises:
        ValueError: The journal holds no start.
    """
    instant = now if state.at is None else max(now, state.at)
    case = Case(
        state=state,
        spec=spec,
        now=instant,
        surroundings=surroundings or Surroundings(),
        zone=zone,
    )
    finding = finding_of(case)
    actions = judged(case)
    return Explanation(
        run=run_of(state),
        status=state.status,
        reason=finding.reason,
        node=finding.node,
        summary=summary_of(case, finding),
        since=finding.since,
        at=instant,
        why=why_of(case, finding),
        details=details_of(case),
        next_actions=actions.possible,
        refused_actions=actions.refused,
        evidence=evidence_of(case),
        zone=zone,
    )
