"""Start: the run exists, its first attempts are scheduled, perhaps one is claimed."""

from datetime import datetime

from squidmesh_core.decide.advance import advance
from squidmesh_core.decide.answer import Already, Answer, Refusal
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.enter import enter, missing_input
from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.plan.progress import plan
from squidmesh_core.protocol.commands import Start
from squidmesh_core.protocol.entries import RunSignalReceived, RunStarted
from squidmesh_core.state.run import RunState
from squidmesh_core.values import MissingPath, bind


def start(state: RunState, spec: Spec, command: Start, now: datetime) -> Answer:
    """
    Begin a run, or find that it was begun (specs/protocol.md §6).

    The same id again, from a key or from the caller, returns the run that is
    there, whatever happened since, if the request is the same; otherwise the
    start is refused.
    """
    if state.started is not None:
        return _again(state, command)
    missing = _missing_at_start(spec, command)
    if missing is not None:
        return missing
    desk = Desk(state, spec, now, command.offer)
    _write_receipt(desk, command)
    _write_started(desk, command, spec)
    later = command.visible_at if command.visible_at and command.visible_at > now else None
    for node in plan(desk.draft, spec).enter:
        enter(desk, spec.nodes[node], not_before=later)
    advance(desk)
    return desk.decision()


def _again(state: RunState, command: Start) -> Answer:
    for receipt in state.receipts:
        if receipt.command == "start" and receipt.digest == command.digest:
            return Already(revision=receipt.revision, state=state)
    key = command.said.key
    what = f"key {key!r}" if key is not None else f"run id {command.run_id}"
    return Refusal(
        code="idempotency_conflict",
        message=f"{what} already belongs to another start; nothing was written",
        details={"run_id": state.run_id, "command": "start", "key": key},
    )


def _missing_at_start(spec: Spec, command: Start) -> Refusal | None:
    """A first step whose input is not there is the caller's mistake, not a run."""
    for name in spec.entry_steps:
        node = spec.nodes[name]
        if isinstance(node, StepNode) and node.input is not None:
            values = bind(node.input, command.input)
            if isinstance(values, MissingPath):
                failure = missing_input(name, values)
                return Refusal(
                    code="missing_input_path",
                    message=f"{failure.message}; no run was started",
                    details={"node": name, **failure.details},
                )
    return None


def _write_receipt(desk: Desk, command: Start) -> None:
    said = command.said
    desk.write(
        RunSignalReceived(
            at=desk.now,
            revision=desk.next_revision,
            command="start",
            actor=said.actor,
            comment=said.comment,
            metadata=said.metadata,
            idempotency_key=said.key,
            digest=command.digest,
        )
    )


def _write_started(desk: Desk, command: Start, spec: Spec) -> None:
    desk.write(
        RunStarted(
            at=desk.now,
            revision=desk.next_revision,
            workflow=command.workflow,
            definition=command.definition,
            definition_version=spec.version,
            trigger=command.trigger,
            input=command.input,
            queue=command.queue,
            priority=command.priority,
            tags=command.tags,
            partition_key=command.partition_key,
            schedule=command.schedule,
            parent=command.parent,
        )
    )
