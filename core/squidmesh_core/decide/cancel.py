"""Cancel: an operator ends the run where it is; nothing is undone."""

from datetime import datetime

from squidmesh_core.decide.answer import Already, Answer, Refusal
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.commands import Cancel
from squidmesh_core.protocol.entries import RunSignalReceived, RunTerminal
from squidmesh_core.state.run import RunState


def cancel(state: RunState, spec: Spec, command: Cancel, now: datetime) -> Answer:
    """
    End the run as cancelled.

    A claimed step is not interrupted; its result is refused as `terminal_run`.
    The same key again answers with the first time (specs/protocol.md §6).
    """
    said = command.said
    before = state.receipt("cancel", said.key) if said.key is not None else None
    if before is not None:
        if before.digest == command.digest:
            return Already(revision=before.revision, state=state)
        return Refusal(
            code="idempotency_conflict",
            message=f"key {said.key!r} already belongs to another cancel; nothing was written",
            details={"run_id": state.run_id, "command": "cancel", "key": said.key},
        )
    if state.started is None:
        return Refusal(
            code="not_found",
            message=f"there is no run {state.run_id}; nothing was written",
            details={"run_id": state.run_id},
        )
    if state.terminal is not None:
        return Refusal(
            code="invalid_transition",
            message=f"run {state.run_id} is {state.status} and cannot be cancelled any more",
            details={"run_id": state.run_id, "status": state.status},
        )
    desk = Desk(state, spec, now, None)
    desk.write(
        RunSignalReceived(
            at=now,
            revision=desk.next_revision,
            command="cancel",
            actor=said.actor,
            comment=said.comment,
            metadata=said.metadata,
            idempotency_key=said.key,
            digest=command.digest,
        )
    )
    desk.write(RunTerminal(at=now, revision=desk.next_revision, status="cancelled"))
    return desk.decision()
