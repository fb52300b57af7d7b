"""Answers of the door as hosts meet them: a `Run`, or the exception that fits the refusal."""

from typing import Final

from squidmesh.handle import Handled
from squidmesh_core.decide import Already, Refusal
from squidmesh_core.errors import IdempotencyConflict, PayloadError, Refused, SquidmeshError
from squidmesh_core.views.inspection import Run, run_of

#: Refusals that are not simply `Refused`.
_EXCEPTIONS: Final[dict[str, type[SquidmeshError]]] = {
    "idempotency_conflict": IdempotencyConflict,
    "missing_input_path": PayloadError,
}


def answered(handled: Handled) -> Run:
    """
    The run after a command; `duplicate` when it had been done before.

    Raises:
        Refused: The run does not allow the command; nothing was written.
        IdempotencyConflict: The key belongs to another request.
        PayloadError: The first step's input is missing from the payload.
    """
    answer = handled.answer
    if isinstance(answer, Refusal):
        kind = _EXCEPTIONS.get(answer.code, Refused)
        raise kind(answer.message, answer.code, answer.details)
    return run_of(handled.state, duplicate=isinstance(answer, Already))
