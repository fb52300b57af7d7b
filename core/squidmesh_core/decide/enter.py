"""
Entering a node: a visit begins with its first attempt, opens a gate, or waits for a message.

A mapping that names a missing path fails the step that wanted it; one visit
more than allowed fails the run for good (specs/protocol.md §4).
"""

from datetime import datetime, timedelta
from typing import Final, assert_never

from squidmesh_core.decide.apply import apply_failure, apply_success, fail_run
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import (
    COMPLETE,
    ApprovalNode,
    ChildrenNode,
    LogNode,
    Node,
    Outcome,
    PauseNode,
    ReceiveNode,
    StepNode,
    WaitNode,
)
from squidmesh_core.ids import NodeName, VisitKey, attempt_key, timeout_key, visit_key
from squidmesh_core.plan.deadline import started
from squidmesh_core.plan.messages import correlation_of
from squidmesh_core.protocol.entries import (
    AttemptScheduled,
    Failure,
    InputFrom,
    ManualStepPaused,
    MessageAwaited,
)
from squidmesh_core.values import MissingPath, bind

#: What a gate can end with.
ANSWERS: Final[tuple[Outcome, ...]] = ("ok", "error", "timeout")


def enter(desk: Desk, node: Node, *, not_before: datetime | None = None) -> None:
    """
    Begin a visit: schedule its first attempt, or open what is waited for.

    Args:
        desk: The decision in the making.
        node: The node to enter.
        not_before: From when on, if not at once.

    Raises:
        RuntimeError: The node is of a kind that this release cannot run.
    """
    number = desk.draft.visits.get(node.name, 0) + 1
    visit = visit_key(desk.run_id, node.name, number)
    most = None if isinstance(node, WaitNode | LogNode) else node.max_visits
    if most is not None and number > most:
        fail_run(desk, node.name, _exhausted(node.name, most))
        return
    begins = not_before or desk.now
    match node:
        case StepNode():
            missing = _missing(desk, node)
            if missing is not None:
                apply_failure(desk, visit, node, missing, attempted=False)
                return
            desk.write(_step_attempt(desk, node, visit, not_before))
        case WaitNode():
            over = begins + timedelta(milliseconds=node.duration_ms)
            desk.write(_timer(desk, node, visit, over))
        case LogNode():
            desk.write(_timer(desk, node, visit, begins))
        case PauseNode() | ApprovalNode():
            _open_gate(desk, node, visit, begins)
        case ReceiveNode():
            _await_message(desk, node, visit, begins)
        case ChildrenNode():
            # definition.support refuses this kind at registration and start.
            raise RuntimeError(f"{node.name}: this release cannot run a {type(node).__name__}")
        case _:
            assert_never(node)


def start_clock(desk: Desk, visit: VisitKey, step: NodeName, ends: datetime) -> None:
    """Schedule the timer of a time-out: of a visit, or of the whole run."""
    queue, priority = desk.lane(desk.spec.nodes.get(step))
    key = timeout_key(visit)
    desk.write(
        AttemptScheduled(
            at=desk.now,
            revision=desk.next_revision,
            attempt_key=key,
            visit_key=visit,
            step=step,
            kind="timer",
            input=InputFrom(bindings={}),
            queue=queue,
            priority=priority,
            visible_at=ends,
            idempotency_key=key,
        )
    )


def _open_gate(
    desk: Desk, node: PauseNode | ApprovalNode, visit: VisitKey, begins: datetime
) -> None:
    desk.write(
        ManualStepPaused(
            at=desk.now,
            revision=desk.next_revision,
            kind="pause" if isinstance(node, PauseNode) else "approval",
            visit_key=visit,
            step=node.name,
            targets=_targets(desk, node),
            output=node.output,
            deadline=started(node, begins),
        )
    )
    _limit(desk, node, visit, begins)


def _targets(desk: Desk, node: Node) -> dict[str, str]:
    """Where each answer leads: gates' routes carry no conditions."""
    if desk.spec.by_dependencies:
        return {}
    routes = {on: desk.spec.routes.get((node.name, on), ()) for on in ANSWERS}
    targets: dict[str, str] = {on: found[0].target for on, found in routes.items() if found}
    return {"ok": COMPLETE, **targets}


def _await_message(desk: Desk, node: ReceiveNode, visit: VisitKey, begins: datetime) -> None:
    correlation = correlation_of(node, desk.draft.context)
    if isinstance(correlation, MissingPath):
        missing = missing_input(node.name, correlation)
        apply_failure(desk, visit, node, missing, attempted=False)
        return
    if correlation is None and node.correlation is not None:
        message = f"what {node.name} is to be found by is no text and no whole number"
        wrong = Failure(kind="invalid_input", message=message)
        apply_failure(desk, visit, node, wrong, attempted=False)
        return
    desk.write(
        MessageAwaited(
            at=desk.now,
            revision=desk.next_revision,
            visit_key=visit,
            step=node.name,
            correlation=correlation,
            deadline=started(node, begins),
        )
    )
    early = desk.draft.mail.oldest_message(node.name)
    if early is None:
        _limit(desk, node, visit, begins)
    else:
        apply_success(desk, visit, node, source=early)


def _limit(
    desk: Desk, node: PauseNode | ApprovalNode | ReceiveNode, visit: VisitKey, begins: datetime
) -> None:
    if node.timeout_ms is not None:
        ends = begins + timedelta(milliseconds=node.timeout_ms)
        start_clock(desk, visit, node.name, ends)


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
    queue, priority = desk.lane(node)
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
    queue, priority = desk.lane(node)
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


def _missing(desk: Desk, node: StepNode) -> Failure | None:
    if node.input is None:
        return None
    values = bind(node.input, desk.draft.context)
    if not isinstance(values, MissingPath):
        return None
    return missing_input(node.name, values)


def _exhausted(step: NodeName, most: int) -> Failure:
    times = "once" if most == 1 else f"{most} times"
    return Failure(
        kind="visits_exhausted",
        message=f"{step} may be entered {times} in one run, and was",
        details={"max_visits": most},
    )
