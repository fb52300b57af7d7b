"""What is undone, how far that has come, and what is left for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from squidmesh_core.errors import enumerated
from squidmesh_core.ids import undo_key
from squidmesh_core.protocol.entries import Unrecovered
from squidmesh_core.views.explanation.attempts import name_of
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.history import last_command
from squidmesh_core.views.waiting import CompensationView, compensation_view, in_turn
from squidmesh_core.views.words import LEFT, failure_text, listed, quoted, somebody

#: What has become of undoing a visit; all others are still to be undone.
_WORDS: Final[Mapping[str, str]] = {
    "compensated": "undone",
    "failed": "not undone, its callback failed for good",
    "effect_unknown": "not undone, nobody knows whether it took effect",
}


def undoing_text(case: Case) -> str:
    """
    Why a run undoes what it did, and how far that has come, in one sentence.

    Raises:
        ValueError: The run undoes nothing.
    """
    view = compensation_view(case.state, case.spec)
    if view is None:
        raise ValueError(f"run {case.state.run_id} undoes nothing")
    forward = [one for one in case.standings if one.attempt.intent.kind != "compensation"]
    done = sum(one.status in {"compensated", "failed"} for one in view.steps)
    known = sum(one.status != "effect_unknown" for one in view.steps)
    if forward:
        names = listed(name_of(case, one.attempt) for one in forward)
        are = "is" if len(forward) == 1 else "are"
        return f"It stopped because {_why(case, view)}; {names} {are} not settled yet, then what was done is undone."
    return f"It undoes what it did, because {_why(case, view)}; {done} of {known} done."


def undoing_lines(case: Case) -> Iterator[str]:
    """How far the undoing of each step is."""
    view, turn = compensation_view(case.state, case.spec), in_turn(case.state)
    parts = []
    for step in view.steps if view else ():
        word = _WORDS.get(step.status, "to be undone")
        if turn is not None and turn.intent.visit_key == undo_key(step.visit_key):
            word = "being undone" if _at_work(case) else "next"
        parts.append(f"{str(step.node)!r} is {word}")
    if parts:
        yield f"in this order: {enumerated(parts)}"


def _at_work(case: Case) -> bool:
    return any(one.kind == "at_work" for one in case.standings)


def left_lines(left: Sequence[Unrecovered]) -> Iterator[str]:
    """What was not undone when the run ended, and why."""
    for one in left:
        error = f" ({failure_text(one.error)})" if one.error else ""
        yield f"{str(one.step)!r} was not undone: {LEFT[one.reason]}{error}"


def undone_text(case: Case) -> str | None:
    """What was undone, of a run that is over."""
    undone = [
        applied
        for visit, applied in case.state.applied.items()
        if case.state.saga.undone.get(visit) == "compensated"
    ]
    undone.sort(key=lambda applied: applied.revision, reverse=True)
    if not undone:
        return None
    order = ", in this order" if len(undone) > 1 else ""
    return f"undone{order}: {quoted(applied.step for applied in undone)}"


def _why(case: Case, view: CompensationView) -> str:
    if view.failure is None:
        cancel = last_command(case.state, "cancel")
        return f"{somebody(cancel.actor if cancel else None)} cancelled it"
    where = repr(str(view.node)) if view.node else "the run"
    return f"{where} failed with {failure_text(view.failure)}"
