"""
Runs made of finished runs: replay, fork, and undoing what was left.

A replay starts a new run from a finished one's input.  A fork brings along
what was applied before the node it begins at, value by value, so that it
outlives its source.  What would run again is looked at first: repeating what
cannot be undone needs a word of its own (specs/protocol.md §6).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import asdict, evolve, frozen

from squidmesh_core.decide.answer import Refusal
from squidmesh_core.decide.prune import gone
from squidmesh_core.decide.receipts import refused
from squidmesh_core.decide.source import Source
from squidmesh_core.definition.diff import diff
from squidmesh_core.definition.payload import resolve_payload
from squidmesh_core.definition.spec import Node, Spec, StepNode
from squidmesh_core.errors import PayloadError, enumerated
from squidmesh_core.ids import Fingerprint, NodeName, RunId
from squidmesh_core.plan.progress import waits_for
from squidmesh_core.protocol.commands import Receipted, Start, Undoing
from squidmesh_core.protocol.entries import StepApplied
from squidmesh_core.protocol.requests import ReplayRequest, RetryRequest


@frozen(kw_only=True)
class ReplayPlan:
    """What a replay would do, and what it would repeat."""

    source: RunId
    definition: Fingerprint
    #: Nodes whose results are taken over.
    reused: tuple[NodeName, ...]
    #: Nodes that gave a result in the source and would give another.
    again: tuple[NodeName, ...]
    #: Those of them that cannot be undone.
    unsafe: tuple[NodeName, ...]
    #: The node it begins at; null: at the beginning.
    from_step: NodeName | None = None


def plan_replay(source: Source, ask: ReplayRequest, spec: Spec) -> ReplayPlan | Refusal:
    """What the replay would run, and repeat; nothing is asked of the guard."""
    copied = _copied(source, ask, spec)
    if isinstance(copied, Refusal):
        return copied
    again = _again(source, copied)
    return ReplayPlan(
        source=source.state.run_id,
        definition=spec.fingerprint,
        reused=_names(copied),
        again=_names(again),
        unsafe=_names([applied for applied in again if _unsafe(source, applied)]),
        from_step=ask.from_step,
    )


def replay(
    source: Source, ask: ReplayRequest, *, run_id: RunId, spec: Spec, instant: datetime
) -> Start | Refusal:
    """
    The start of a new run from a finished one's input.

    Args:
        source: The finished run.
        ask: What is wanted.
        run_id: The new run.
        spec: The definition to run: the source's own, or the present one.
        instant: What clock defaults of a present definition are made of.
    """
    copied = _copied(source, ask, spec)
    if isinstance(copied, Refusal):
        return copied
    unsafe = [applied for applied in _again(source, copied) if _unsafe(source, applied)]
    if unsafe and ask.allow_irreversible is not True:
        return _unsafe_replay(source, unsafe)
    given = _input(source, ask, spec, instant)
    if isinstance(given, Refusal):
        return given
    return evolve(
        _start_like(source, run_id, spec, ask.said, ask.digest),
        verb="replay",
        input=given,
        asked={
            "source": source.state.run_id,
            "from_step": ask.from_step,
            "allow_irreversible": ask.allow_irreversible,
            "definition": ask.definition,
        },
        forked_at=ask.from_step,
        copied=tuple(source.copy(applied, run_id) for applied in copied),
    )


def retry_compensation(source: Source, ask: RetryRequest, *, run_id: RunId) -> Start | Refusal:
    """The start of a run that undoes what an ended run has left, with the keys it used."""
    terminal = source.state.terminal
    if source.state.pruned is not None:
        return gone(source.state)
    if terminal is None:
        return refused(source.state, "invalid_transition", "it is not over yet")
    left = {item.visit_key for item in terminal.recovery if item.reason != "effect_unknown"}
    undone = source.state.saga.started
    if not left or undone is None:
        why = "it left nothing behind whose result is known and whose step has a callback"
        return refused(source.state, "invalid_transition", why)
    copied = tuple(
        source.copy(applied, run_id, undo=True)
        for applied in source.applied
        if applied.visit_key in left
    )
    return evolve(
        _start_like(source, run_id, source.spec, ask.said, ask.digest),
        verb="retry_compensation",
        asked={"source": source.state.run_id},
        copied=copied,
        undoing=Undoing(cause=undone.cause, failure=undone.failure, step=undone.step),
    )


# --- what is taken over, and what runs again


def _copied(source: Source, ask: ReplayRequest, spec: Spec) -> tuple[StepApplied, ...] | Refusal:
    state = source.state
    if state.terminal is None:
        return refused(
            state,
            "invalid_replay_source",
            "it is still active; only a finished run can be replayed",
        )
    if state.pruned is not None:
        pruned = gone(state)
        return Refusal(code="invalid_replay_source", message=pruned.message, details=pruned.details)
    if ask.from_step is None:
        return ()
    if ask.from_step not in source.spec.nodes:
        why = f"{ask.from_step!r} is no node of the definition that it started with"
        return refused(state, "invalid_replay_source", why, reason="unknown_step")
    kept = _before(source, source.spec.nodes[ask.from_step])
    if kept is None:
        why = f"it never came to {ask.from_step!r}"
        return refused(state, "invalid_replay_source", why, reason="not_reached")
    return _reusable(source, ask, spec, kept)


def _reusable(
    source: Source, ask: ReplayRequest, spec: Spec, kept: tuple[StepApplied, ...]
) -> tuple[StepApplied, ...] | Refusal:
    state = source.state
    undone = _names([applied for applied in kept if applied.visit_key in state.saga.undone])
    if undone:
        why = f"undoing was begun for {enumerated(undone)}, so their results cannot be taken over"
        return refused(
            state, "invalid_replay_source", why, reason="compensated", steps=list(undone)
        )
    other = [name for name in _names(kept) if not _alike(source.spec, spec, name)]
    if other or (ask.from_step is not None and ask.from_step not in spec.nodes):
        why = "the present definition has other steps before that node"
        return refused(
            state, "invalid_replay_source", why, reason="definition", **_differences(source, spec)
        )
    return kept


def _before(source: Source, node: Node) -> tuple[StepApplied, ...] | None:
    """What was applied before the last visit of a node; null: the run never came to it."""
    spec, applied = source.spec, source.applied
    if spec.by_dependencies:
        if waits_for(node, source.state):
            return None
        again = _depending_on(spec, node.name)
        return tuple(entry for entry in applied if entry.step not in again)
    visits = [0] if node.name in spec.entry_steps else []
    for index, entry in enumerate(applied, start=1):
        if entry.transition is not None and entry.transition.target == node.name:
            visits.append(index)
    # The way to one visit more than allowed was the run's end, and leads to none.
    allowed = visits[: getattr(node, "max_visits", None)]
    return applied[: allowed[-1]] if allowed else None


def _depending_on(spec: Spec, step: NodeName) -> set[NodeName]:
    found = {step}
    for _ in spec.steps:
        found |= {node.name for node in spec.steps if found.intersection(node.after)}
    return found


def _again(source: Source, copied: Sequence[StepApplied]) -> list[StepApplied]:
    """What gave a result and will give another."""
    kept = {applied.visit_key for applied in copied}
    return [
        applied for applied in source.applied if applied.visit_key not in kept and applied.succeeded
    ]


def _unsafe(source: Source, applied: StepApplied) -> bool:
    node = source.spec.nodes.get(applied.step)
    return isinstance(node, StepNode) and (node.irreversible or not node.compensatable)


def _unsafe_replay(source: Source, unsafe: Sequence[StepApplied]) -> Refusal:
    steps = [
        {
            "step": name,
            "irreversible": node.irreversible,
            "compensatable": node.compensatable and not node.irreversible,
            "replay": "manual_review_required",
            "recovery": "manual_intervention",
        }
        for name in _names(unsafe)
        if isinstance(node := source.spec.nodes[name], StepNode)
    ]
    names = enumerated(str(step["step"]) for step in steps)
    return refused(
        source.state,
        "unsafe_replay",
        f"replaying would repeat what cannot be undone ({names}); allow_irreversible=True does it",
        steps=steps,
    )


# --- the new run


def _start_like(source: Source, run_id: RunId, spec: Spec, said: Receipted, digest: str) -> Start:
    begun = source.begun
    return Start(
        run_id=run_id,
        workflow=begun.workflow,
        definition=spec.fingerprint,
        trigger=begun.trigger,
        input=begun.input,
        digest=digest,
        queue=begun.queue,
        priority=begun.priority,
        tags=begun.tags,
        partition_key=begun.partition_key,
        # The slot stays known; its identity belongs to the first run.
        schedule=begun.schedule and evolve(begun.schedule, signal_id=None),
        replayed_from=source.state.run_id,
        said=said,
    )


def _input(
    source: Source, ask: ReplayRequest, spec: Spec, instant: datetime
) -> Mapping[str, object] | Refusal:
    begun = source.begun
    if ask.definition == "source":
        return begun.input
    trigger = spec.trigger(begun.trigger)
    if trigger is None:
        why = f"the present definition has no trigger {begun.trigger!r}"
        return refused(
            source.state,
            "invalid_replay_source",
            why,
            reason="trigger",
            **_differences(source, spec),
        )
    try:
        return resolve_payload(trigger.payload, begun.input, now=instant)
    except PayloadError as error:
        return refused(
            source.state,
            "invalid_replay_source",
            f"its input does not fit the present definition: {error.message}",
            **{**error.details, **_differences(source, spec), "reason": "input"},
        )


def _differences(source: Source, spec: Spec) -> dict[str, object]:
    return {"differences": asdict(diff(source.spec, spec))}


def _alike(before: Spec, after: Spec, name: NodeName) -> bool:
    """Whether a node and the ways on from it are the same in both."""
    outgoing = [[t for t in spec.transitions if t.source == name] for spec in (before, after)]
    return before.nodes.get(name) == after.nodes.get(name) and outgoing[0] == outgoing[1]


def _names(applied: Sequence[StepApplied]) -> tuple[NodeName, ...]:
    return tuple(dict.fromkeys(entry.step for entry in applied))
