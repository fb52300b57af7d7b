"""
Taking a result in: the route that follows from it, or the end of the run.

A decision that cannot find a route fails the run with a code; no state is ever
wedged (specs/protocol.md §4).  Whatever would end a run as failed undoes first
what can be undone (specs/protocol.md §5).
"""

from typing import Literal

from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import LogNode, Node, Outcome, WaitNode
from squidmesh_core.ids import NodeName, Revision, VisitKey
from squidmesh_core.plan.compensation import compensable, unrecovered
from squidmesh_core.plan.routes import choose
from squidmesh_core.protocol.entries import (
    CompensationStarted,
    Decided,
    Failure,
    ManualStepPaused,
    RunEnd,
    RunTerminal,
    StepApplied,
)


def apply_success(desk: Desk, visit: VisitKey, node: Node, *, source: Revision | None) -> None:
    """Take the recorded output in and route on it; without a route the run fails."""
    output = None if isinstance(node, WaitNode | LogNode) else node.output
    if desk.draft.saga.started is not None or desk.spec.by_dependencies:
        _apply(desk, visit, node.name, source=source, output=output)
        return
    context = desk.draft.context
    if source is not None and output is not None:
        context = {**context, output: desk.draft.unapplied[source]}
    chosen = choose(desk.spec, node.name, "ok", context)
    if isinstance(chosen, Decided):
        _apply(desk, visit, node.name, source=source, output=output, transition=chosen)
    else:
        _apply(desk, visit, node.name, source=source, output=output)
        fail_run(desk, node.name, _no_route(chosen, node.name, "ok"))


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
    if desk.draft.saga.started is not None:
        return  # final, its effect unknown: the fold keeps it for the recovery list
    chosen = choose(desk.spec, node.name, "error", desk.draft.context)
    if not isinstance(chosen, Decided):
        fail_run(desk, node.name, failure)
        return
    error = None if attempted else failure
    _apply(desk, visit, node.name, transition=chosen, error=error)


def apply_timeout(desk: Desk, visit: VisitKey, node: Node, failure: Failure) -> None:
    """A time-out struck: its own route, else the error route, else the run fails."""
    chosen = choose(desk.spec, node.name, "timeout", desk.draft.context)
    if not isinstance(chosen, Decided):
        chosen = choose(desk.spec, node.name, "error", desk.draft.context)
    if isinstance(chosen, Decided):
        _apply(desk, visit, node.name, transition=chosen, error=failure)
    else:
        fail_run(desk, node.name, failure)


def apply_answer(desk: Desk, gate: ManualStepPaused, *, rejected: bool) -> None:
    """
    Take the answer of a gate in, which was just written, and go where the gate says.

    A rejection that leads nowhere fails the run for good.

    Raises:
        RuntimeError: The gate is a hold, which no route follows.
    """
    if gate.visit_key is None or gate.step is None:
        raise RuntimeError("a hold is lifted, not applied")
    on: Outcome = "error" if rejected else "ok"
    taken = _frozen_route(desk, gate, gate.step, on)
    source = desk.draft.revision
    _apply(desk, gate.visit_key, gate.step, source=source, output=gate.output, transition=taken)
    if rejected and taken is None:
        fail_run(desk, gate.step, Failure(kind="rejected", message=f"{gate.step} was rejected"))


def _frozen_route(
    desk: Desk, gate: ManualStepPaused, step: NodeName, on: Outcome
) -> Decided | None:
    """Where the gate said an answer leads when it opened; readers get the route's marker too."""
    target = gate.targets.get(on)
    if target is None:
        return None
    routes = desk.spec.routes.get((step, on), ())
    marker = next((route.recovery for route in routes if route.target == target), None)
    return Decided(source=step, on=on, target=NodeName(target), recovery=marker)


def fail_run(desk: Desk, step: NodeName | None, failure: Failure) -> None:
    """The run fails for good: undo what was done, or end it."""
    give_up(desk, "failure", failure=failure, step=step)


def give_up(
    desk: Desk,
    cause: Literal["failure", "cancel"],
    *,
    failure: Failure | None = None,
    step: NodeName | None = None,
) -> None:
    """Go nowhere any more: begin to undo, or end the run if there is nothing to undo."""
    if compensable(desk.draft, desk.spec):
        desk.write(
            CompensationStarted(
                at=desk.now, revision=desk.next_revision, cause=cause, failure=failure, step=step
            )
        )
    else:
        status: RunEnd = "failed" if cause == "failure" else "cancelled"
        end_run(desk, status, failure=failure, step=step)


def end_run(
    desk: Desk, status: RunEnd, *, failure: Failure | None = None, step: NodeName | None = None
) -> None:
    """Write the end; what undoing has left is listed in it."""
    saga = desk.draft.saga.started
    if saga is not None:
        failure, step = failure or saga.failure, step or saga.step
    desk.write(
        RunTerminal(
            at=desk.now,
            revision=desk.next_revision,
            status=status,
            error=failure,
            step=step,
            recovery=unrecovered(desk.draft, desk.spec) if saga else (),
        )
    )


def _apply(
    desk: Desk,
    visit: VisitKey,
    step: NodeName,
    *,
    source: Revision | None = None,
    output: str | None = None,
    transition: Decided | None = None,
    error: Failure | None = None,
) -> None:
    desk.write(
        StepApplied(
            at=desk.now,
            revision=desk.next_revision,
            visit_key=visit,
            step=step,
            source=source,
            output=output,
            transition=transition,
            error=error,
        )
    )


def apply_undone(desk: Desk, visit: VisitKey, step: NodeName) -> None:
    """The callback that was just recorded has undone a visit."""
    _apply(desk, visit, step, source=desk.draft.revision)


def _no_route(kind: str, step: NodeName, on: Outcome) -> Failure:
    return Failure(
        kind=kind,
        message=f"no route leads on from {step} on {on}, so the run cannot go on",
        details={"from": step, "on": on},
    )
