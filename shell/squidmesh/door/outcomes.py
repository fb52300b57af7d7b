"""Answers of the door as hosts meet them: a `Run`, or the exception that fits the refusal."""

from typing import Final

from squidmesh.door.handle import Handled
from squidmesh_core.decide import Already, Refusal
from squidmesh_core.errors import (
    IdempotencyConflict,
    PayloadError,
    Refused,
    RunNotFound,
    SquidmeshError,
    UnsafeReplay,
)
from squidmesh_core.views.inspection import Run, run_of

#: Refusals that are not simply `Refused`.
_EXCEPTIONS: Final[dict[str, type[SquidmeshError]]] = {
    "idempotency_conflict": IdempotencyConflict,
    "invalid_form": PayloadError,
    "invalid_message": PayloadError,
    "missing_input_path": PayloadError,
    "not_found": RunNotFound,
    "unsafe_replay": UnsafeReplay,
}


def answered(handled: Handled) -> Run:
    """
    The run after a command; `duplicate` when it had been done before.

    Raises:
        Refused: The run does not allow the command; nothing was written.
        IdempotencyConflict: The key belongs to another request.
        PayloadError: What was handed in does not fit.
        UnsafeReplay: It would repeat what cannot be undone.
    """
    answer = handled.answer
    if isinstance(answer, Refusal):
        raise refusal(answer)
    return run_of(handled.state, duplicate=isinstance(answer, Already))


def refusal(answer: Refusal) -> SquidmeshError:
    """The exception that a refusal is raised as."""
    kind = _EXCEPTIONS.get(answer.code, Refused)
    return kind(answer.message, answer.code, answer.details)
