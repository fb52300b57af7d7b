"""
Compensation: what to undo next, and what will not be undone.

    candidates: visits whose forward effect completed, last applied first;
    one at a time, each at most once (specs/protocol.md §5)

No list is stored: all of it follows from what was applied.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import NodeName, VisitKey, undo_key, visit_node
from squidmesh_core.protocol.entries import (
    Failure,
    StepApplied,
    Unrecovered,
    UnrecoveredReason,
)
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.run import RunState
from squidmesh_core.values import Exponential, RetryPolicy

#: How a callback is retried where its step does not say.
CALLBACK_RETRY: Final = RetryPolicy(
    max_attempts=5, backoff=Exponential(min_ms=1_000, max_ms=60_000)
)


@frozen(kw_only=True)
class Undo:
    """A visit to undo, and the callback that does it."""

    visit: VisitKey
    node: StepNode
    action: str
    retry: RetryPolicy
    #: What the callback hands to the outside, if an ended run began with it.
    key: str | None


def compensable(state: RunState | Draft, spec: Spec) -> bool:
    """Whether there is, or may soon be, anything to undo."""
    claimed = (a.intent.step for a in state.live.values() if a.status == "claimed")
    return any(_callback(spec, step) for step in claimed) or any(
        True for _ in candidates(state, spec)
    )


def candidates(state: RunState | Draft, spec: Spec) -> Iterator[Undo]:
    """What is still to be undone, in the order it will be."""
    for applied in sorted(state.applied.values(), key=_by_revision, reverse=True):
        node = spec.nodes.get(applied.step)
        if (
            isinstance(node, StepNode)
            and node.compensate is not None
            and applied.visit_key not in state.saga.undone
            and _took_effect(applied)
        ):
            reused = applied.reused_from
            yield Undo(
                visit=applied.visit_key,
                node=node,
                action=node.compensate,
                retry=node.compensate_retry or CALLBACK_RETRY,
                key=reused.undo_key if reused else None,
            )


def unrecovered(state: RunState | Draft, spec: Spec) -> tuple[Unrecovered, ...]:
    """What is not undone if the run ends here, in the order it was applied or ended."""
    saga = state.saga
    left = {undo.visit for undo in candidates(state, spec)}
    found: list[Unrecovered] = []
    for applied in sorted(state.applied.values(), key=_by_revision):
        visit = applied.visit_key
        if saga.undone.get(visit) == "failed":
            error = state.failures.get(undo_key(visit))
            found.append(_left(visit, "compensation_failed", error))
        elif visit in left:
            found.append(_left(visit, "abandoned", None))
    claimed = [a.intent.visit_key for a in state.live.values() if a.intent.kind != "compensation"]
    doubtful = {**saga.uncertain, **dict.fromkeys(claimed)}
    found += [_left(visit, "effect_unknown", error) for visit, error in doubtful.items()]
    return tuple(found)


def _took_effect(applied: StepApplied) -> bool:
    """Whether the visit gave a result, in this run or, to be undone here, in another."""
    if applied.reused_from is not None:
        return applied.reused_from.undo_key is not None
    return applied.source is not None


def _callback(spec: Spec, step: NodeName) -> str | None:
    node = spec.nodes.get(step)
    return node.compensate if isinstance(node, StepNode) else None


def _left(visit: VisitKey, reason: UnrecoveredReason, error: Failure | None) -> Unrecovered:
    return Unrecovered(visit_key=visit, step=visit_node(visit), reason=reason, error=error)


def _by_revision(applied: StepApplied) -> int:
    return applied.revision
