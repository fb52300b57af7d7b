"""
Moving a run on, inside a decision: apply a result, enter nodes, end the run.

Everything that follows from one command is written here, in the same append:
the application of the result with the route taken, the next attempts, work
that needs nobody (logs, waits that are over), the claim of the successor by
the worker that offered its slot, and the end.
"""

from datetime import datetime, timedelta
from typing import assert_never

from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import (
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
from squidmesh_core.ids import (
    AttemptKey,
    ClaimId,
    NodeName,
    Revision,
    VisitKey,
    attempt_key,
    visit_key,
)
from squidmesh_core.plan.deadline import started
from squidmesh_core.plan.progress import plan
from squidmesh_core.plan.routes import choose
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptScheduled,
    Decided,
    Failure,
    InputFrom,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.values import MissingPath, bind


def advance(desk: Desk) -> None:
    """Enter what the state asks for until nothing more can be done right now."""
    while desk.draft.terminal is None:
        asked = plan(desk.draft.state(), desk.spec)
        if asked.complete:
            desk.write(RunTerminal(at=desk.now, revision=desk.next_revision, status="completed"))
            return
        for node in asked.enter:
            if desk.draft.terminal is None:
                enter(desk, desk.spec.nodes[node])
        if not _tick_one(desk) and not asked.enter:
            break
    if desk.draft.terminal is None:
        _claim_successor(desk)


def apply_success(desk: Desk, visit: VisitKey, node: Node, *, source: Revision | None) -> None:
    """Take the recorded output in and route on it; without a route the run fails."""
    output = node.output if isinstance(node, StepNode) else None
    context = desk.draft.context
    if source is not None and output is not None:
        context = {**context, output: desk.draft.unapplied[source]}
    taken = None
    if not desk.spec.by_dependencies:
        chosen = choose(desk.spec, node.name, "ok", context)
        if isinstance(chosen, Decided):
            taken = chosen
        else:
            _apply(desk, visit, node, source=source, output=output, transition=None)
            fail_run(desk, node.name, _no_route(chosen, node.name, "ok"))
            return
    _apply(desk, visit, node, source=source, output=output, transition=taken)


def apply_failure(
    desk: Desk, visit: VisitKey, node: Node, failure: Failure, *, attempted: bool
) -> None:
    """
    Take the error route of a node that failed for good, or fail the run.

    Args:
        desk: The decision in the making.
        visit: The visit that failed.
        node: Its node.
        failure: Why.
        attempted: Whether an attempt already says so; otherwise the visit
            failed on the way in, and its application carries the error.
    """
    chosen = choose(desk.spec, node.name, "error", desk.draft.context)
    if not isinstance(chosen, Decided):
        fail_run(desk, node.name, failure)
        return
    error = None if attempted else failure
    _apply(desk, visit, node, source=None, output=None, transition=chosen, error=error)


def fail_run(desk: Desk, step: NodeName, failure: Failure) -> None:
    """End the run as failed."""
    desk.write(
        RunTerminal(
            at=desk.now, revision=desk.next_revision, status="failed", error=failure, step=step
        )
    )


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


def tick(desk: Desk, attempt: Attempt, offer: Offer) -> None:
    """Claim and complete work that needs nobody, and take its (empty) result in."""
    claim_id, token = desk.mint(offer)
    _write_claim(desk, attempt.key, offer, claim_id, token)
    desk.write(
        AttemptCompleted(
            at=desk.now,
            revision=desk.next_revision,
            attempt_key=attempt.key,
            claim_id=claim_id,
            claim_token_hash=token,
        )
    )
    node = desk.spec.nodes[attempt.intent.step]
    apply_success(desk, attempt.intent.visit_key, node, source=desk.draft.revision)


def claim_for(desk: Desk, key: AttemptKey, offer: Offer) -> None:
    """Claim an attempt for the worker that offers."""
    _write_claim(desk, key, offer, offer.claim_id, offer.claim_token_hash)
    desk.offer = None


def claim_order(attempt: Attempt) -> tuple[int, datetime, str]:
    """Smaller is claimed sooner (specs/protocol.md §3)."""
    intent = attempt.intent
    return intent.priority, intent.visible_at, intent.attempt_key


# --- what the above is made of


def _tick_one(desk: Desk) -> bool:
    offer = desk.offer
    if offer is None:
        return False
    due = [a for a in _takeable(desk, offer) if a.intent.action is None]
    if not due:
        return False
    tick(desk, min(due, key=claim_order), offer)
    return True


def _claim_successor(desk: Desk) -> None:
    offer = desk.offer
    if offer is None:
        return
    due = [a for a in _takeable(desk, offer) if a.intent.action in offer.actions]
    if due:
        claim_for(desk, min(due, key=claim_order).key, offer)


def _takeable(desk: Desk, offer: Offer) -> list[Attempt]:
    return [
        attempt
        for attempt in desk.draft.live.values()
        if attempt.status != "claimed"
        and attempt.visible(desk.now)
        and attempt.intent.queue in offer.queues
    ]


def _apply(
    desk: Desk,
    visit: VisitKey,
    node: Node,
    *,
    source: Revision | None,
    output: str | None,
    transition: Decided | None,
    error: Failure | None = None,
) -> None:
    desk.write(
        StepApplied(
            at=desk.now,
            revision=desk.next_revision,
            visit_key=visit,
            step=node.name,
            source=source,
            output=output,
            transition=transition,
            error=error,
        )
    )


def _write_claim(desk: Desk, key: AttemptKey, offer: Offer, claim_id: ClaimId, token: str) -> None:
    desk.write(
        AttemptClaimed(
            at=desk.now,
            revision=desk.next_revision,
            attempt_key=key,
            claim_id=claim_id,
            claim_token_hash=token,
            owner=offer.owner,
            lease_until=desk.now + timedelta(milliseconds=offer.lease_ms),
        )
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


def _exhausted(step: NodeName, most: int) -> Failure:
    return Failure(
        kind="visits_exhausted",
        message=f"{step} may be entered {most} times in one run, and was",
        details={"max_visits": most},
    )


def _no_route(kind: str, step: NodeName, on: Outcome) -> Failure:
    return Failure(
        kind=kind,
        message=f"no route leads on from {step} on {on}, so the run cannot go on",
        details={"from": step, "on": on},
    )
