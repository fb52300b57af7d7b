"""
Taking a result in: the route that follows from it, or the end of the run.

A decision that cannot find a route fails the run with a code; no state is ever
wedged (specs/protocol.md §4).
"""

from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import Node, Outcome, StepNode
from squidmesh_core.ids import NodeName, Revision, VisitKey
from squidmesh_core.plan.routes import choose
from squidmesh_core.protocol.entries import Decided, Failure, RunTerminal, StepApplied


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


def _no_route(kind: str, step: NodeName, on: Outcome) -> Failure:
    return Failure(
        kind=kind,
        message=f"no route leads on from {step} on {on}, so the run cannot go on",
        details={"from": step, "on": on},
    )
