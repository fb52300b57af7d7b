"""
A second opinion on gates, holds, messages and time-outs: plain walks, as in `naive`.

Nothing here knows the fold, the planner or the deciders (reliability invariants
M1 to M7).  `ends` are the last revisions of the appends, oldest first.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from squidmesh_core.definition.spec import ReceiveNode, Spec
from squidmesh_core.ids import AttemptKey, NodeName, Revision, VisitKey
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptScheduled,
    CompensationStarted,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    RunSignalReceived,
    RunTerminal,
    StepApplied,
)

Journal = Sequence[Entry]

#: The command that brings each answer.
COMMANDS = {"resumed": "resume", "approved": "approve", "rejected": "reject"}


def each_gate_is_answered_at_most_once(journal: Journal) -> None:
    """A visit gets one answer, by a command of its kind, while its gate is open (M1, M2, M3)."""
    gates: dict[VisitKey | None, str] = {}
    seen: set[VisitKey] = set()
    for entry in journal:
        match entry:
            case ManualStepPaused(visit_key=visit, kind=kind):
                assert visit not in gates, entry
                assert visit is None or visit not in seen, entry
                gates[visit] = kind
                if visit is not None:
                    seen.add(visit)
            case ManualStepResolved(visit_key=visit, action=action):
                assert (gates.pop(visit) == "approval") == (action != "resumed"), entry
            case StepApplied(visit_key=visit):
                gates.pop(visit, None)
            case _:
                pass


def answers_come_whole(journal: Journal, ends: Sequence[Revision]) -> None:
    """Receipt, answer and consequence stand in one append, in this order (M4)."""
    appends = [journal[before:end] for before, end in pairwise(ends)]
    for append in appends:
        for index, entry in enumerate(append):
            if isinstance(entry, ManualStepResolved):
                receipt = append[index - 1] if index else None
                assert isinstance(receipt, RunSignalReceived), entry
                assert COMMANDS[entry.action] == receipt.command, entry
                if entry.visit_key is not None:
                    applied = append[index + 1] if index + 1 < len(append) else None
                    assert isinstance(applied, StepApplied), entry
                    assert (entry.visit_key, entry.revision) == (applied.visit_key, applied.source)
            elif isinstance(entry, MessageReceived) or (
                isinstance(entry, ManualStepPaused) and entry.kind == "hold"
            ):
                assert index, entry
                assert isinstance(append[index - 1], RunSignalReceived), entry


def answers_lead_where_the_gate_said(journal: Journal) -> None:
    """Target and output key are those that the gate opened with; a no without one ends the run."""
    gates = {entry.visit_key: entry for entry in journal if isinstance(entry, ManualStepPaused)}
    for answer, applied, *rest in zip(journal, journal[1:], [*journal[2:], None], strict=False):
        if not isinstance(answer, ManualStepResolved) or answer.visit_key is None:
            continue
        assert isinstance(applied, StepApplied), applied
        gate, on = gates[answer.visit_key], "error" if answer.action == "rejected" else "ok"
        taken = applied.transition
        assert gate.output == applied.output, applied
        assert gate.targets.get(on) == (taken.target if taken else None), applied
        assert taken is None or (taken.source, taken.on) == (gate.step, on), applied
        if on == "error" and taken is None:
            [after] = rest
            failure = (
                after.error
                if isinstance(after, RunTerminal)
                else after.failure
                if isinstance(after, CompensationStarted)
                else None
            )
            assert failure is not None, after
            assert "rejected" == failure.kind, after


def oldest_message_goes_to_oldest_visit(journal: Journal, ends: Sequence[Revision]) -> None:
    """One message for one visit, both in the order they came; after an append no pair is left."""
    kept: dict[NodeName, list[Revision]] = defaultdict(list)
    waiting: dict[NodeName, list[VisitKey]] = defaultdict(list)
    over = False
    for entry in journal:
        match entry:
            case MessageReceived(step=step):
                kept[step].append(entry.revision)
            case MessageAwaited(step=step, visit_key=visit):
                waiting[step].append(visit)
            case StepApplied(step=step, visit_key=visit, source=source):
                if visit in waiting[step]:
                    if source is not None:
                        assert (kept[step][0], waiting[step][0]) == (source, visit), entry
                        del kept[step][0]
                    waiting[step].remove(visit)
            case RunTerminal() | CompensationStarted():
                over = True
            case _:
                pass
        if entry.revision in ends and not over:
            assert not any(kept[step] and waiting[step] for step in kept), entry


def messages_find_room(journal: Journal, spec: Spec) -> None:
    """No node takes more messages in than it can have visits (a loop of others bounds the rest)."""
    came = Counter(entry.step for entry in journal if isinstance(entry, MessageReceived))
    for step, times in came.items():
        node = spec.nodes[step]
        assert isinstance(node, ReceiveNode), step
        most = 1 if spec.by_dependencies else node.max_visits
        assert most is None or times <= most, (step, times)


def kept_messages(journal: Journal) -> list[Revision]:
    """The messages that came and that nobody took, oldest first."""
    taken = {entry.source for entry in journal if isinstance(entry, StepApplied)}
    came = [entry.revision for entry in journal if isinstance(entry, MessageReceived)]
    return [revision for revision in came if revision not in taken]


def nothing_is_claimed_under_a_hold(journal: Journal) -> None:
    """From a hold to its end no claim is written, not of a timer either."""
    held = False
    for entry in journal:
        match entry:
            case ManualStepPaused(kind="hold"):
                held = True
            case ManualStepResolved(visit_key=None) | CompensationStarted():
                held = False  # what undoes a run is held by nobody
            case AttemptClaimed():
                assert not held, entry
            case _:
                pass


def timers_stand_where_defined(journal: Journal, spec: Spec) -> None:
    """
    A gate, await or run with a time-out has a timer from its own append on.

    Nothing else has one: deadlines never act (M6).  A message that came early
    leaves nothing to wait for.
    """
    timers = {
        entry.visit_key: entry.visible_at - entry.at
        for entry in journal
        if isinstance(entry, AttemptScheduled) and is_timer(entry.attempt_key)
    }
    expected: dict[VisitKey, int] = {}
    for index, entry in enumerate(journal):
        if isinstance(entry, ManualStepPaused | MessageAwaited) and entry.step is not None:
            limit = getattr(spec.nodes[entry.step], "timeout_ms", None)
            follower = journal[index + 1] if index + 1 < len(journal) else None
            at_once = isinstance(follower, StepApplied) and follower.visit_key == entry.visit_key
            if limit is not None and entry.visit_key is not None and not at_once:
                expected[entry.visit_key] = limit
    if spec.timeout_ms is not None and journal:
        run = next(entry for entry in journal if isinstance(entry, AttemptScheduled)).visit_key
        expected[VisitKey(run.partition(":")[0])] = spec.timeout_ms

    assert expected == {visit: round(t.total_seconds() * 1000) for visit, t in timers.items()}


def only_timers_end_a_wait(journal: Journal, spec: Spec) -> None:
    """What fails as timed out is open, and its timer is over; it goes its own way, else on error."""
    over: dict[AttemptKey, datetime] = {}
    applied: set[VisitKey] = set()
    for before, entry in pairwise(journal):
        if isinstance(before, AttemptScheduled) and is_timer(before.attempt_key):
            over[before.attempt_key] = before.visible_at
        struck = isinstance(before, AttemptCompleted) and is_timer(before.attempt_key)
        if isinstance(entry, StepApplied):
            if entry.error is not None and entry.error.kind == "timed_out":
                assert struck, entry
                assert isinstance(before, AttemptCompleted)
                assert f"{entry.visit_key}:timeout" == before.attempt_key, entry
                assert over[before.attempt_key] <= entry.at, entry
                assert entry.visit_key not in applied, entry
                ways = {
                    on: routes[0].target
                    for on in ("timeout", "error")
                    if (routes := spec.routes.get((entry.step, on)))
                }
                assert entry.transition is not None, entry
                assert entry.transition.on == next(iter(ways)), entry
                assert entry.transition.target == ways[entry.transition.on], entry
            applied.add(entry.visit_key)
        elif struck:
            error = (
                entry.error
                if isinstance(entry, RunTerminal)
                else entry.failure
                if isinstance(entry, CompensationStarted)
                else None
            )
            assert error is not None, entry
            assert error.kind in {"timed_out", "run_timed_out"}, entry


def status(journal: Journal) -> str:
    """The status of a run by the words of the protocol (§2), first that fits."""
    open_: set[VisitKey | None] = set()
    awaited: set[VisitKey] = set()
    live: set[AttemptKey] = set()
    applied = undoing = False
    for entry in journal:
        match entry:
            case RunTerminal():
                return entry.status
            case CompensationStarted():
                undoing = True
            case ManualStepPaused():
                open_.add(entry.visit_key)
            case ManualStepResolved():
                open_.discard(entry.visit_key)
            case MessageAwaited():
                awaited.add(entry.visit_key)
            case StepApplied():
                applied = True
                open_.discard(entry.visit_key)
                awaited.discard(entry.visit_key)
            case AttemptScheduled() if not is_timer(entry.attempt_key):
                live.add(entry.attempt_key)
            case AttemptCompleted():
                live.discard(entry.attempt_key)
            case AttemptFailed():
                live.discard(entry.attempt_key)
                if entry.retry is not None:
                    live.add(entry.retry.attempt_key)
            case _:
                pass
    if undoing:
        return "compensating"
    if open_:
        return "paused"
    if live:
        return "running"
    return "idle" if awaited or applied else "started"


def is_timer(key: AttemptKey) -> bool:
    """Whether an attempt key is that of a time-out."""
    return key.rpartition(":")[2] == "timeout"
