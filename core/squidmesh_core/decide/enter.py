"""
Entering a node: a visit begins with its first attempt, or fails on the way in.

A mapping that names a missing path fails the step that wanted it; one visit
more than allowed fails the run for good (specs/protocol.md §4).
"""

from datetime import datetime, timedelta
from typing import assert_never

from squidmesh_core.decide.apply import apply_failure, fail_run
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import (
    ApprovalNode,
    ChildrenNode,
    LogNode,
    Node,
    PauseNode,
    ReceiveNode,
    StepNode,
    WaitNode,
)
from squidmesh_core.ids import NodeName, VisitKey, attempt_key, visit_key
from squidmesh_core.plan.deadline import started
from squidmesh_core.protocol.entries import AttemptScheduled, Failure, InputFrom
from squidmesh_core.values import MissingPath, bind


def enter(desk: Desk, node: Node, *, not_before: datetime | None = None) -> None:
    """
    Begin a visit: schedule its first attempt.

    A mapping that names a missing path fails the step that wanted it; one
    visit more than allowed fails the run for good (specs/protocol.md §4).
    """
    number = desk.draft.visits.get(node.name, 0) + 1
    visit = visit_key(desk.run_id, node.name, number)
    most = None if isinstance(node, WaitNode | LogNode) else node.max_visits
    if most is not None and number > most:
        fail_run(desk, node.name, _exhausted(node.name, most))
        return
    match node:
        case StepNode():
            missing = _missing(desk, node)
            if missing is not None:
                apply_failure(desk, visit, node, missing, attempted=False)
                return
            desk.write(_step_attempt(desk, node, visit, not_before))
        case WaitNode():
            begins = not_before or desk.now
            over = begins + timedelta(milliseconds=node.duration_ms)
            desk.write(_timer(desk, node, visit, over))
        case LogNode():
            desk.write(_timer(desk, node, visit, not_before or desk.now))
        case PauseNode() | ApprovalNode() | ReceiveNode() | ChildrenNode():
            # definition.support refuses these kinds at registration and start.
            raise RuntimeError(f"{node.name}: this release cannot run a {type(node).__name__}")
        case _:
            assert_never(node)


def missing_input(step: NodeName, missing: MissingPath) -> Failure:
    """The failure of a step whose mapping names a path that is not there."""
    path, at = ".".join(missing.path), ".".join(missing.missing_at)
    return Failure(
        kind="missing_input_path",
        message=f"{step} wants {missing.target!r} from {path}, but there is nothing at {at}",
        details={
            "target": missing.target,
            "path": list(missing.path),
            "missing_at": list(missing.missing_at),
        },
    )


def _step_attempt(
    desk: Desk, node: StepNode, visit: VisitKey, not_before: datetime | None
) -> AttemptScheduled:
    queue, priority = _lane(desk, node)
    key = attempt_key(visit, 1)
    visible_at = not_before or desk.now
    return AttemptScheduled(
        at=desk.now,
        revision=desk.next_revision,
        attempt_key=key,
        visit_key=visit,
        step=node.name,
        input=InputFrom(bindings=node.input),
        queue=queue,
        action=node.action,
        priority=priority,
        visible_at=visible_at,
        idempotency_key=key,
        recovery=node.recovery,
        retry=node.retry,
        deadline=started(node, visible_at),
        max_deliveries=node.max_deliveries,
    )


def _timer(
    desk: Desk, node: WaitNode | LogNode, visit: VisitKey, visible_at: datetime
) -> AttemptScheduled:
    queue, priority = _lane(desk, node)
    key = attempt_key(visit, 1)
    return AttemptScheduled(
        at=desk.now,
        revision=desk.next_revision,
        attempt_key=key,
        visit_key=visit,
        step=node.name,
        kind="timer",
        input=InputFrom(bindings={}),
        queue=queue,
        priority=priority,
        visible_at=visible_at,
        idempotency_key=key,
    )


def _lane(desk: Desk, node: Node) -> tuple[str, int]:
    """Queue and priority: the step's own, else the run's."""
    begun = desk.draft.started
    queue, priority = ("default", 0) if begun is None else (begun.queue, begun.priority)
    if isinstance(node, StepNode):
        queue = queue if node.queue is None else node.queue
        priority = priority if node.priority is None else node.priority
    return queue, priority


def _missing(desk: Desk, node: StepNode) -> Failure | None:
    if node.input is None:
        return None
    values = bind(node.input, desk.draft.context)
    if not isinstance(values, MissingPath):
        return None
    return missing_input(node.name, values)


def _exhausted(step: NodeName, most: int) -> Failure:
    return Failure(
        kind="visits_exhausted",
        message=f"{step} may be entered {most} times in one run, and was",
        details={"max_visits": most},
    )
