"""Runs that are over: the outcome, the first cause, what was undone, and what is left."""

from collections.abc import Iterator

from squidmesh_core.plan.compensation import candidates
from squidmesh_core.protocol.entries import RunTerminal
from squidmesh_core.views.explanation.case import Case
from squidmesh_core.views.explanation.undoing import left_lines, undone_text
from squidmesh_core.views.history import last_command
from squidmesh_core.views.words import clipped, failure_text, quoted, somebody, span


def outcome_text(case: Case) -> str:
    """How the run ended, and why, in one sentence."""
    terminal = _terminal(case)
    at = case.when(terminal.at)
    if case.state.pruned is not None:
        gone = case.when(case.state.pruned.at)
        return (
            f"It ended {terminal.status} at {at} and was pruned at {gone}; nothing else is known."
        )
    if terminal.status == "completed":
        return f"It completed at {at}."
    if terminal.status == "cancelled":
        return f"{_cancelled(case)} at {at}{_note(case)}."
    if terminal.error is None:
        return f"It failed at {at}."
    if not terminal.step:
        return f"It failed at {at} with {failure_text(terminal.error)}."
    return f"It failed at {at}, because {str(terminal.step)!r} failed with {failure_text(terminal.error)}."


def ended_lines(case: Case) -> Iterator[str]:
    """What supports the outcome."""
    terminal = _terminal(case)
    began = case.state.started.at if case.state.started else terminal.at
    took = span((terminal.at - began).total_seconds())
    yield f"it was started at {case.when(began)} and took {took}"
    undone = undone_text(case)
    if undone is not None:
        yield undone
    yield from left_lines(terminal.recovery)
    if terminal.status != "completed" and case.state.saga.started is None:
        kept = [undo.node.name for undo in candidates(case.state, case.spec)]
        if kept:
            yield f"done and not undone: {quoted(kept)}"
    cut = [one.intent.step for one in case.state.live.values() if one.status == "claimed"]
    if cut:
        yield f"at work when it ended, and their results are refused: {quoted(cut)}"


def _cancelled(case: Case) -> str:
    cancel = last_command(case.state, "cancel")
    return f"It was cancelled by {somebody(cancel.actor)}" if cancel else "It was cancelled"


def _note(case: Case) -> str:
    cancel = last_command(case.state, "cancel")
    return f": {clipped(cancel.comment)}" if cancel and cancel.comment else ""


def _terminal(case: Case) -> RunTerminal:
    if case.state.terminal is None:
        raise ValueError(f"run {case.state.run_id} is not over")
    return case.state.terminal
