"""What supports the sentence: one plain line for each fact, the nearest first."""

from collections.abc import Iterator

from squidmesh_core.views.explanation.attempts import (
    performers_text,
    standing_text,
    tries_text,
    unserved_text,
)
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.causes import (
    cause_of,
    dependencies_of,
    last_routed,
    reused_text,
)
from squidmesh_core.views.explanation.ended import ended_lines
from squidmesh_core.views.explanation.gates import (
    awaited_lines,
    gate_lines,
    kept_lines,
    run_time_out_line,
    step_deadline_lines,
)
from squidmesh_core.views.explanation.reasons import Finding
from squidmesh_core.views.explanation.sentences import joining_text
from squidmesh_core.views.explanation.standing import Standing
from squidmesh_core.views.explanation.undoing import undoing_lines
from squidmesh_core.views.reason import half_joined


def why_of(case: Case, finding: Finding) -> tuple[str, ...]:
    """What supports the sentence; none of it twice."""
    lines = [*_came(case, finding)]
    if case.state.terminal is not None:
        lines += ended_lines(case)
    else:
        lines += _goes_on(case, finding)
    count = len(case.state.anomalies)
    if count:
        lines.append(
            f"{count} entr{'y' if count == 1 else 'ies'} of its journal did not fit and changed nothing"
        )
    return tuple(dict.fromkeys(lines))


def _came(case: Case, finding: Finding) -> Iterator[str]:
    """How it came here."""
    if case.state.pruned is not None:
        return
    came = cause_of(case)
    if came is not None:
        yield came
    elif last_routed(case) is None and finding.node is not None:
        after = dependencies_of(case, finding.node)
        if after is not None and finding.reason not in {"waiting_for_join", "compensating"}:
            yield after
    made = reused_text(case)
    if made is not None:
        yield made


def _goes_on(case: Case, finding: Finding) -> Iterator[str]:
    """What is at work, waited for and due."""
    yield from undoing_lines(case)
    for standing in case.standings:
        yield from _of_attempt(case, standing, told=_tells(finding, standing))
    gates, awaited = case.state.gates, case.state.mail.awaited
    asked = finding.reason == "manual_intervention_required" and gates.hold is None
    # The sentence says of one gate, or of one message, what is asked and until when.
    yield from gate_lines(case, told=asked and len(gates.open) == 1)
    message = finding.reason == "waiting_for_message"
    yield from awaited_lines(case, told=message and len(awaited) == 1)
    yield from kept_lines(case)
    for node in half_joined(case.state, case.spec):
        if finding.node != node.name or finding.reason != "waiting_for_join":
            yield joining_text(case, node)
    yield from step_deadline_lines(case)
    yield from run_time_out_line(case)


def _tells(finding: Finding, standing: Standing) -> bool:
    """Whether the sentence has said how this attempt stands."""
    return standing is finding.standing and finding.reason != "compensating"


def _of_attempt(case: Case, standing: Standing, *, told: bool) -> Iterator[str]:
    if standing.is_timeout and standing.kind == "later":
        return  # said where it is told what it guards
    if not told:
        yield standing_text(case, standing)
    if standing.obstacle == "queue_paused" and standing.capable == ():
        yield unserved_text(case, standing.attempt)
    tries = tries_text(standing.attempt)
    if tries is not None:
        yield f"{str(standing.attempt.intent.step)!r}: {tries}"
    performers = performers_text(standing)
    if performers is not None and standing.kind in {"ready", "expired"}:
        yield performers
