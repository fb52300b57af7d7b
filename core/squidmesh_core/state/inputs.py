"""What an attempt is given, made of what the journal holds by then (specs/protocol.md §8.9)."""

from typing import assert_never

from attrs import asdict

from squidmesh_core.ids import VisitKey
from squidmesh_core.protocol.entries import (
    AttemptCompleted,
    AttemptScheduled,
    InputFrom,
    InputOf,
    InputUndo,
    InputValue,
)
from squidmesh_core.state.draft import Draft
from squidmesh_core.values import MissingPath, bind


def input_of(draft: Draft, entry: AttemptScheduled) -> dict[str, object] | None:
    """What an attempt is given; null: what it should be made of is not there."""
    match entry.input:
        case InputFrom(bindings=bindings):
            if bindings is None:
                return dict(draft.context)
            values = bind(bindings, draft.context)
            return None if isinstance(values, MissingPath) else values
        case InputOf(attempt_key=key):
            source = draft.known(key)
            return None if source is None else dict(source.input)
        case InputValue(value=value):
            return dict(value) if isinstance(value, dict) else {"value": value}
        case InputUndo(visit_key=visit):
            return _undo_input(draft, visit)
    assert_never(entry.input)


def _undo_input(draft: Draft, visit: VisitKey) -> dict[str, object] | None:
    """What a visit was given, what it gave, and why it is undone."""
    applied = draft.applied.get(visit)
    if applied is None or draft.saga.started is None:
        return None
    failure = draft.saga.started.failure
    why = None if failure is None else asdict(failure)
    if applied.reused_from is not None:
        reused = applied.reused_from
        return {"input": dict(reused.input or {}), "output": reused.value, "failure": why}
    for attempt in reversed(draft.settled.values()):
        done = attempt.settlement
        if isinstance(done, AttemptCompleted) and done.revision == applied.source:
            return {"input": dict(attempt.input), "output": done.output, "failure": why}
    return None
