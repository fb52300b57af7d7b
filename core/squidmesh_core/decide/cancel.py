"""Cancel: an operator ends the run where it is, or has it undone first."""

from datetime import datetime

from squidmesh_core.decide.advance import advance
from squidmesh_core.decide.answer import Answer
from squidmesh_core.decide.apply import end_run, give_up
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.receipts import early_answer, refused, write_receipt
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.commands import Cancel
from squidmesh_core.state.run import RunState


def cancel(state: RunState, spec: Spec, command: Cancel, now: datetime) -> Answer:
    """
    End the run as cancelled; with `compensate`, once what was done is undone.

    A claimed step is not interrupted; its result is refused as `terminal_run`.
    A run that is undoing its steps is not cancelled, lest half of it pass for
    an end; `abandon` ends it and lists the rest (specs/protocol.md §5).
    """
    answer = early_answer(state, spec, command)
    if answer is not None:
        return answer
    if command.abandon and command.compensate:
        return refused(
            state, "invalid_transition", "compensate and abandon ask for the opposite of each other"
        )
    if command.abandon and not state.undoing:
        return refused(state, "invalid_transition", "it undoes nothing that could be abandoned")
    if state.undoing and not command.abandon:
        return refused(
            state,
            "compensating",
            "it is undoing its steps; abandon=True ends that and lists the rest",
        )
    desk = Desk(state, spec, now, None)
    asked = {"compensate": command.compensate, "abandon": command.abandon}
    write_receipt(
        desk, "cancel", command.said, command.digest, {k: v for k, v in asked.items() if v}
    )
    if command.compensate:
        give_up(desk, "cancel")
        advance(desk)
    else:
        end_run(desk, "cancelled")
    return desk.decision()
