"""
What no decider writes: entries that contradict themselves, or the definition of their run.

The fold goes by one member where a decider goes by another, so whoever reads a stored
journal holds each entry against its own keys, and what all of them name against the
definition.  A run that fails is damaged, however well its hashes fit.

    named = Named(run_id)
    for entry in entries:
        named.take(entry)
    named.check(spec)
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from squidmesh_core.definition.spec import (
    COMPLETE,
    WHOLE_RUN,
    ApprovalNode,
    LogNode,
    Node,
    PauseNode,
    ReceiveNode,
    Spec,
    StepNode,
    WaitNode,
)
from squidmesh_core.ids import (
    UNDO_MARK,
    NodeName,
    Revision,
    RunId,
    VisitKey,
    attempt_key,
    run_visit,
    timeout_key,
)
from squidmesh_core.protocol.codec import damaged
from squidmesh_core.protocol.entries import (
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.values.deadline import LAST

#: What a node has to be for an entry to name it so.
Kinds = tuple[type[Node], ...]

_ANY: Final[Kinds] = ()
_OF_ATTEMPTS: Final[Mapping[str, Kinds]] = {
    "step": (StepNode,),
    "dynamic": (StepNode,),
    "compensation": (StepNode,),
    "timer": (WaitNode, LogNode),
}
_LIMITED: Final[Kinds] = (PauseNode, ApprovalNode, ReceiveNode)
_OF_GATES: Final[Mapping[str, Kinds]] = {"pause": (PauseNode,), "approval": (ApprovalNode,)}
#: What a key ends with from the second visit on, and once it was deferred.
_LATER: Final = re.compile("@([2-9]|[1-9][0-9]+)")
_DEFERRAL: Final = re.compile(":deferred([2-9]|[1-9][0-9]+)?$")


class Named:
    """What the entries of a run name, as far as they were read."""

    def __init__(self, run_id: RunId) -> None:
        self._run_id = run_id
        #: Node, and what it has to be → the first revision that says so.
        self._nodes: dict[tuple[NodeName, Kinds], Revision] = {}

    def take(self, entry: Entry) -> None:
        """
        Read one entry.

        Raises:
            StorageError: `run_quarantined`: it contradicts itself.
        """
        if entry.at > LAST:
            raise damaged(self._run_id, entry.revision, "it is of an instant that never comes")
        look = _LOOKS.get(type(entry))
        if look is None:
            return
        try:
            for node, kinds in look(entry, self._run_id):
                self._nodes.setdefault((node, kinds), entry.revision)
        except ValueError as why:
            raise damaged(self._run_id, entry.revision, str(why)) from why

    def check(self, spec: Spec) -> None:
        """
        Hold what was named so far against the definition.

        Raises:
            StorageError: `run_quarantined`: it has no such node, or it is another kind.
        """
        for (name, kinds), revision in self._nodes.items():
            node = spec.nodes.get(name)
            if node is None or (kinds and not isinstance(node, kinds)):
                why = f"{name!r} is no such node of the definition that the run started with"
                raise damaged(self._run_id, revision, why)


# --- what each entry names; a ValueError says how it contradicts itself

Look = Iterator[tuple[NodeName, Kinds]]


def _started(entry: RunStarted, run_id: RunId) -> Look:
    del run_id
    if entry.forked_at is not None:
        yield entry.forked_at, _ANY


def _scheduled(entry: AttemptScheduled, run_id: RunId) -> Look:
    key, visit, step = entry.attempt_key, entry.visit_key, entry.step
    if entry.kind == "timer" and key == timeout_key(visit):
        if visit != run_visit(run_id):
            _check_visit(visit, step, run_id)
            yield step, _LIMITED
        elif step != WHOLE_RUN:
            raise ValueError(f"the time-out of the run names {step!r}")
        return
    _check_visit(visit, step, run_id, undoes=entry.kind == "compensation")
    first = attempt_key(visit, entry.number)
    begins = key == first or (key.startswith(first) and _DEFERRAL.fullmatch(key, len(first)))
    if entry.number < 1 or not begins:
        raise ValueError(f"{key!r} is no attempt {entry.number} of {visit!r}")
    yield step, _OF_ATTEMPTS[entry.kind]


def _failed(entry: AttemptFailed, run_id: RunId) -> Look:
    del run_id
    if entry.retry is not None:
        failed = _DEFERRAL.sub("", entry.attempt_key)
        visit, _, number = failed.rpartition(":")
        following = attempt_key(VisitKey(visit), entry.retry.number)
        if entry.retry.attempt_key != following or f"{entry.retry.number - 1}" != number:
            raise ValueError(f"{entry.retry.attempt_key!r} is no retry of {entry.attempt_key!r}")
    yield from ()


def _applied(entry: StepApplied, run_id: RunId) -> Look:
    undoes = UNDO_MARK in entry.visit_key
    _check_visit(entry.visit_key, entry.step, run_id, undoes=undoes)
    yield entry.step, _ANY
    taken = entry.transition
    if taken is not None:
        if taken.source != entry.step:
            raise ValueError(f"a route of {taken.source!r} is taken from {entry.step!r}")
        if taken.target != COMPLETE:
            yield taken.target, _ANY


def _paused(entry: ManualStepPaused, run_id: RunId) -> Look:
    if entry.kind == "hold":
        _check_hold(entry.visit_key, entry.step)
    else:
        yield _check_visit(entry.visit_key, entry.step, run_id), _OF_GATES[entry.kind]
    for target in entry.targets.values():
        if target != COMPLETE:
            yield NodeName(target), _ANY


def _resolved(entry: ManualStepResolved, run_id: RunId) -> Look:
    if entry.visit_key is None:
        _check_hold(entry.visit_key, entry.step)
    else:
        yield _check_visit(entry.visit_key, entry.step, run_id), (PauseNode, ApprovalNode)


def _awaited(entry: MessageAwaited, run_id: RunId) -> Look:
    yield _check_visit(entry.visit_key, entry.step, run_id), (ReceiveNode,)


def _received(entry: MessageReceived, run_id: RunId) -> Look:
    del run_id
    yield entry.step, (ReceiveNode,)


def _compensating(entry: CompensationStarted, run_id: RunId) -> Look:
    del run_id
    if entry.step is not None:
        yield entry.step, _ANY


def _ended(entry: RunTerminal, run_id: RunId) -> Look:
    if entry.step is not None:
        yield entry.step, _ANY
    for left in entry.recovery:
        yield _check_visit(left.visit_key, left.step, run_id), (StepNode,)


#: Class of entry → what it names.  Those that name no node but by an attempt are left out.
_LOOKS: Final[Mapping[type[Entry], Callable[[Any, RunId], Look]]] = {
    RunStarted: _started,
    AttemptScheduled: _scheduled,
    AttemptFailed: _failed,
    StepApplied: _applied,
    ManualStepPaused: _paused,
    ManualStepResolved: _resolved,
    MessageAwaited: _awaited,
    MessageReceived: _received,
    CompensationStarted: _compensating,
    RunTerminal: _ended,
}


def _check_visit(
    visit: VisitKey | None, step: NodeName | None, run_id: RunId, *, undoes: bool = False
) -> NodeName:
    """The node of a visit; a ValueError if its key is that of another."""
    first = f"{run_id}{UNDO_MARK if undoes else ':'}{step}"
    if visit is None or step is None:
        raise ValueError(f"{visit!r} is no visit of {step!r}")
    if visit != first and not (visit.startswith(first) and _LATER.fullmatch(visit, len(first))):
        raise ValueError(f"{visit!r} is no visit of {step!r}")
    return step


def _check_hold(visit: VisitKey | None, step: NodeName | None) -> None:
    if visit is not None or step is not None:
        raise ValueError("a hold names a visit")
