"""Start: the run exists, its first attempts are scheduled, perhaps one is claimed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from squidmesh_core.decide.advance import advance
from squidmesh_core.decide.answer import Answer, Refusal
from squidmesh_core.decide.desk import Desk
from squidmesh_core.decide.enter import enter, missing_input, start_clock
from squidmesh_core.decide.receipts import again, write_receipt
from squidmesh_core.definition.spec import WHOLE_RUN, Node, ReceiveNode, Spec, StepNode
from squidmesh_core.ids import run_visit
from squidmesh_core.plan.messages import correlation_of
from squidmesh_core.plan.progress import plan
from squidmesh_core.protocol.commands import Copied, Start, Undoing
from squidmesh_core.protocol.entries import CompensationStarted, RunStarted, StepApplied
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
        return again(
            state,
            command.verb,
            command.digest,
            command.said.key,
            in_full=command.digest_in_full,
        )
    missing = _missing_at_start(spec, command)
    if missing is not None:
        return missing
    desk = Desk(state, spec, now, command.offer)
    write_receipt(desk, command.verb, command.said, command.digest, command.asked)
    _write_started(desk, command, spec)
    later = command.visible_at if command.visible_at and command.visible_at > now else None
    for result in command.copied:
        desk.write(_copy(desk, result))
    if command.undoing is not None:
        _undo_at_once(desk, command.undoing)
    else:
        if spec.timeout_ms is not None:
            ends = (later or now) + timedelta(milliseconds=spec.timeout_ms)
            start_clock(desk, run_visit(command.run_id), WHOLE_RUN, ends)
        for node in plan(desk.draft, spec).enter:
            if desk.draft.forward:  # the one before may have ended it
                enter(desk, spec.nodes[node], not_before=later)
    advance(desk)
    return desk.decision()


def _missing_at_start(spec: Spec, command: Start) -> Refusal | None:
    """A first step whose input is not there is the caller's mistake, not a run."""
    if command.copied:
        return None
    for name in spec.entry_steps:
        missing = _missing_input(spec.nodes[name], command.input)
        if missing is not None:
            failure = missing_input(name, missing)
            return Refusal(
                code="missing_input_path",
                message=f"{failure.message}; no run was started",
                details={"node": name, **failure.details},
            )
    return None


def _missing_input(node: Node, payload: Mapping[str, object]) -> MissingPath | None:
    found: object = None
    if isinstance(node, StepNode) and node.input is not None:
        found = bind(node.input, payload)
    elif isinstance(node, ReceiveNode):
        found = correlation_of(node, payload)
    return found if isinstance(found, MissingPath) else None


def _copy(desk: Desk, result: Copied) -> StepApplied:
    return StepApplied(
        at=desk.now,
        revision=desk.next_revision,
        visit_key=result.visit_key,
        step=result.step,
        output=result.output,
        transition=result.transition,
        error=result.error,
        reused_from=result.reused_from,
    )


def _undo_at_once(desk: Desk, undoing: Undoing) -> None:
    desk.write(
        CompensationStarted(
            at=desk.now,
            revision=desk.next_revision,
            cause=undoing.cause,
            failure=undoing.failure,
            step=undoing.step,
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
            replayed_from=command.replayed_from,
            forked_at=command.forked_at,
        )
    )
