"""
The checker's own idea of a run: plain dicts, replayed entry by entry.

It is made another way than the reducer on purpose, and knows nothing of it.
It believes every entry; the rules look at an entry before the model takes it.
"""

from datetime import datetime
from typing import assert_never

from attrs import define, frozen

from squidmesh_core.ids import (
    BEGINNING,
    AttemptKey,
    NodeName,
    Revision,
    RunId,
    VisitKey,
    is_timeout,
    timeout_key,
    undone_visit,
)
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Deadline,
    Entry,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)


@define
class Try:
    """One attempt: what was asked for, who holds it, how it ended."""

    key: AttemptKey
    #: Of a retry: that of the visit's attempt before it.
    intent: AttemptScheduled
    number: int
    visible_at: datetime
    deadline: Deadline | None
    claim: AttemptClaimed | None = None
    lease_until: datetime | None = None
    claims: int = 0
    #: Completed or failed; null while it is neither.
    end: AttemptCompleted | AttemptFailed | None = None
    withdrawn: bool = False

    @property
    def undoes(self) -> bool:
        """Whether it is there to undo a visit."""
        return self.intent.kind == "compensation"


@frozen
class Brought:
    """A result that waits to be applied: an output, an answer, a message."""

    visit: VisitKey | None
    step: NodeName | None
    value: object


class Model:
    """What a journal says so far."""

    def __init__(self, run_id: RunId, entry_steps: tuple[NodeName, ...] = ()) -> None:
        self.run_id = run_id
        #: The nodes that the start of a workflow by routes asks for.
        self._entry_steps = entry_steps
        self.revision = BEGINNING
        self.appends = 0
        #: The entries of the present append that were taken already.
        self.append: list[Entry] = []
        self.started: RunStarted | None = None
        self.receipts: list[RunSignalReceived] = []
        self.terminal: RunTerminal | None = None
        #: What is left of a run that was removed; it alone is its journal.
        self.pruned: RunPruned | None = None
        self.context: dict[str, object] = {}
        self.tries: dict[AttemptKey, Try] = {}
        #: Those that are neither ended nor withdrawn, time-outs too.
        self.live: dict[AttemptKey, Try] = {}
        self.visits: dict[VisitKey, NodeName] = {}
        self.entered: dict[NodeName, int] = {}
        #: How often routes, or the start, still ask to enter a node.
        self.owed: dict[NodeName, int] = {}
        self.brought: dict[Revision, Brought] = {}
        self.applied: dict[VisitKey, StepApplied] = {}
        self.done: set[NodeName] = set()
        self.results: dict[VisitKey, object] = {}
        self.gates: dict[VisitKey, ManualStepPaused] = {}
        self.hold: ManualStepPaused | None = None
        self.answers: dict[VisitKey, ManualStepResolved] = {}
        self.awaiting: dict[VisitKey, MessageAwaited] = {}
        #: Messages that nobody has taken: revision → node.
        self.kept: dict[Revision, NodeName] = {}
        self.messages: dict[NodeName, int] = {}
        self.compensation: CompensationStarted | None = None
        #: Forward visit → how undoing it failed; null: it did not.
        self.undone: dict[VisitKey, AttemptFailed | None] = {}
        #: Visits that ended without a result once undoing had begun.
        self.uncertain: set[VisitKey] = set()

    @property
    def over(self) -> bool:
        """Whether nothing goes forward any more."""
        ends = (self.terminal, self.compensation, self.pruned)
        return any(end is not None for end in ends)

    def begin_append(self) -> None:
        """Begin the next append."""
        self.appends += 1
        self.append = []

    def owe(self, node: NodeName) -> None:
        """Something asks to enter a node."""
        self.owed[node] = self.owed.get(node, 0) + 1

    def take(self, entry: Entry) -> None:
        """Believe an entry."""
        match entry:
            case AttemptScheduled():
                self._scheduled(entry)
            case AttemptClaimed():
                self._claimed(entry)
            case AttemptHeartbeat():
                if held := self.live.get(entry.attempt_key):
                    held.lease_until = entry.lease_until
            case AttemptCompleted():
                self._completed(entry)
            case AttemptFailed():
                self._failed(entry)
            case StepApplied():
                self._applied(entry)
            case RunSignalReceived():
                self.receipts.append(entry)
            case RunStarted():
                self.started = entry
                self.context.update(entry.input)
                for step in self._entry_steps:
                    self.owe(step)
            case ManualStepPaused() | ManualStepResolved():
                self._asked(entry)
            case MessageAwaited():
                self.awaiting[entry.visit_key] = entry
                self._enter(entry.visit_key, entry.step)
            case MessageReceived():
                self.kept[entry.revision] = entry.step
                self.messages[entry.step] = self.messages.get(entry.step, 0) + 1
                self.brought[entry.revision] = Brought(None, entry.step, entry.payload)
            case CompensationStarted():
                self.compensation = entry
                self._nothing_forward()
            case RunTerminal():
                self.terminal = entry
                self._nothing_forward()
            case RunPruned():
                self.pruned = entry
            case _:
                assert_never(entry)
        self.append.append(entry)
        self.revision = entry.revision

    # --- attempts

    def _scheduled(self, entry: AttemptScheduled) -> None:
        attempt = Try(entry.attempt_key, entry, entry.number, entry.visible_at, entry.deadline)
        self.tries[entry.attempt_key] = self.live[entry.attempt_key] = attempt
        if entry.kind != "compensation" and not is_timeout(entry.attempt_key):
            self._enter(entry.visit_key, entry.step)

    def _claimed(self, entry: AttemptClaimed) -> None:
        if attempt := self.tries.get(entry.attempt_key):
            attempt.claim, attempt.lease_until = entry, entry.lease_until
            attempt.claims += 1

    def _completed(self, entry: AttemptCompleted) -> None:
        attempt = self._ended(entry)
        if attempt is None:
            return
        visit = attempt.intent.visit_key
        if not entry.deferred:
            self.brought[entry.revision] = Brought(visit, attempt.intent.step, entry.output)
        elif self.compensation is not None and not attempt.undoes:
            self.uncertain.add(visit)

    def _failed(self, entry: AttemptFailed) -> None:
        attempt = self._ended(entry)
        if attempt is None:
            return
        visit, retry = attempt.intent.visit_key, entry.retry
        if retry is not None:
            born = Try(
                retry.attempt_key, attempt.intent, retry.number, retry.visible_at, retry.deadline
            )
            self.tries[retry.attempt_key] = self.live[retry.attempt_key] = born
        elif self.compensation is not None:
            forward = undone_visit(visit) if attempt.undoes else None
            if forward is not None:
                self.undone[forward] = entry
            else:
                self.uncertain.add(visit)

    def _ended(self, entry: AttemptCompleted | AttemptFailed) -> Try | None:
        attempt = self.tries.get(entry.attempt_key)
        if attempt is not None:
            attempt.end = entry
            self.live.pop(entry.attempt_key, None)
        return attempt

    # --- visits

    def _enter(self, visit: VisitKey, step: NodeName) -> None:
        if visit in self.visits:
            return
        self.visits[visit] = step
        self.entered[step] = self.entered.get(step, 0) + 1
        owed = self.owed.pop(step, 0) - 1
        if owed > 0:
            self.owed[step] = owed

    def _applied(self, entry: StepApplied) -> None:
        visit = entry.visit_key
        value = None
        if entry.source is not None and (brought := self.brought.pop(entry.source, None)):
            value = brought.value
        forward = undone_visit(visit)
        if forward is not None:
            self.undone[forward] = None
            return
        if entry.reused_from is not None:
            value = entry.reused_from.value
        self._enter(visit, entry.step)
        self.applied[visit] = entry
        self.done.add(entry.step)
        self.results[visit] = value
        if entry.output is not None:
            self.context[entry.output] = value
        if entry.transition is not None and entry.transition.target != "complete":
            self.owe(entry.transition.target)
        self._nothing_waits_for(entry)

    def _nothing_waits_for(self, entry: StepApplied) -> None:
        visit = entry.visit_key
        self.gates.pop(visit, None)
        self.awaiting.pop(visit, None)
        if entry.source is not None:
            self.kept.pop(entry.source, None)
        timer = self.live.pop(timeout_key(visit), None)
        if timer is not None:
            timer.withdrawn = True

    # --- people

    def _asked(self, entry: ManualStepPaused | ManualStepResolved) -> None:
        visit, step = entry.visit_key, entry.step
        if isinstance(entry, ManualStepPaused):
            if visit is None or step is None:
                self.hold = entry
            else:
                self.gates[visit] = entry
                self._enter(visit, step)
        elif visit is None:
            self.hold = None
        else:
            self.answers[visit] = entry
            self.brought[entry.revision] = Brought(visit, step, entry.result)

    # --- the end

    def _nothing_forward(self) -> None:
        for attempt in list(self.live.values()):
            if attempt.claim is None:
                attempt.withdrawn = True
                del self.live[attempt.key]
        self.gates.clear()
        self.awaiting.clear()
        self.hold = None
