"""What a command does to a run, in a line each: told before it is asked for, and after."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from squidmesh_core.decide import Decision
from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.definition.spec import ApprovalNode, PauseNode, Spec
from squidmesh_core.ids import is_timeout
from squidmesh_core.plan.compensation import candidates
from squidmesh_core.protocol.entries import (
    AttemptScheduled,
    CompensationStarted,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.state.run import RunState
from squidmesh_core.views.words import LEFT, clipped, quoted, span

#: What is said of a run that stays held, whatever else the command did.
_HELD: Final = "the run stays held: nothing is claimed until `squidmesh resume`"


class Effects:
    """
    The lines of one decision.

    Args:
        before: The run as the decision found it.
        spec: Its definition.
        hide: Makes a text from outside fit to be shown.
    """

    def __init__(self, before: RunState, spec: Spec, hide: Callable[[str], str] = clipped) -> None:
        self._before = before
        self._spec = spec
        self._hide = hide

    def of(self, decision: Decision) -> tuple[str, ...]:
        """What follows, in the order in which it is written."""
        lines = [line for entry in decision.entries for line in self._lines(entry, decision)]
        if self._before.gates.hold is not None and decision.state.gates.hold is not None:
            lines.append(_HELD)
        return tuple(lines)

    def _lines(self, entry: Entry, decision: Decision) -> Iterator[str]:
        match entry:
            case StepApplied(transition=taken) if taken is not None:
                yield f"{entry.step!r} → {taken.target!r}"
            case AttemptScheduled():
                yield from _scheduled(entry)
            case ManualStepPaused():
                yield from self._paused(entry)
            case ManualStepResolved(visit_key=None):
                yield "the hold is lifted: what is due can be claimed again"
            case MessageAwaited() if entry.visit_key in decision.state.mail.awaited:
                yield f"{entry.step!r} waits for a message"
            case MessageReceived():
                kept = entry.revision in decision.state.mail.kept
                yield f"kept until {entry.step!r} takes it" if kept else f"{entry.step!r} takes it"
            case CompensationStarted():
                yield from self._undoing(decision, entry.at)
            case RunTerminal():
                yield from self._ending(entry)
            case _:
                pass

    def _paused(self, entry: ManualStepPaused) -> Iterator[str]:
        node = self._spec.nodes.get(entry.step) if entry.step else None
        if isinstance(node, PauseNode | ApprovalNode):
            yield f"{node.name!r} waits for a person: {clipped(node.question)}"
        else:
            yield "nothing is claimed any more until `squidmesh resume`"
            yield from self._running(entry.at, "and settles")

    def _undoing(self, decision: Decision, at: datetime) -> Iterator[str]:
        yield from self._running(at, "and settles first")
        undone = quoted(undo.node.name for undo in candidates(decision.state, self._spec))
        yield f"undone, in this order: {undone}" if undone else "nothing is undone so far"

    def _ending(self, entry: RunTerminal) -> Iterator[str]:
        error = entry.error
        why = f": {error.kind}: {self._hide(error.message)}" if error else ""
        yield f"the run ends here, {entry.status}{why}"
        yield from self._running(entry.at, "and its result will be refused")
        if entry.recovery:
            for left in entry.recovery:
                yield f"left: {left.step!r}, {LEFT[left.reason]}"
        elif entry.status == "cancelled":
            undone = [undo.node.name for undo in candidates(self._before, self._spec)]
            if undone and not self._before.undoing:
                yield f"not undone: {quoted(undone)} (--compensate does it)"

    def _running(self, at: datetime, and_then: str) -> Iterator[str]:
        for attempt in self._before.live.values():
            if attempt.status == "claimed":
                # Past its lease nobody knows whether its worker is still there.
                runs = "may still run" if attempt.expired(at) else "runs now"
                yield f"{attempt.intent.step!r} {runs}, {and_then}"


def _scheduled(entry: AttemptScheduled) -> Iterator[str]:
    if entry.kind == "compensation" or is_timeout(entry.attempt_key):
        return
    yield f"{entry.step!r} becomes visible{_when(entry.visible_at, entry.at)}"


def _when(visible_at: datetime, now: datetime) -> str:
    later = (visible_at - now).total_seconds()
    return f" in {span(later)}" if later > 0 else ""


def replay_effects(plan: ReplayPlan) -> tuple[str, ...]:
    """What a replay of a finished run would do, in a line each."""
    parts = {
        "taken over, not run again": plan.reused,
        "run again, as far as the new run comes to it": plan.again,
        "unsafe, cannot be undone and would be repeated": plan.unsafe,
    }
    begins = f"begins at {str(plan.from_step)!r}" if plan.from_step else "begins at the beginning"
    return (begins, *(f"{says}: {quoted(names)}" for says, names in parts.items() if names))
