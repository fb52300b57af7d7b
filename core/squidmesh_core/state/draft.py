"""
A state while entries are taken in.

It shares every container with the state it began from until it writes to one, so folding
one append into a long run costs that append, and the state it came from never changes.
Deciders write on a draft too: what they return is folded already.

Here is what any entry may do to it; which entry does what is in `fold`.
"""

from collections.abc import Mapping
from typing import TypeVar

from attrs import evolve

from squidmesh_core.ids import AttemptKey, NodeName, Revision, VisitKey
from squidmesh_core.protocol.entries import Entry, Failure, StepApplied
from squidmesh_core.state.attempt import Attempt, Reason
from squidmesh_core.state.run import Anomaly, RunState

K = TypeVar("K")
V = TypeVar("V")


class Draft:
    """A state while entries are taken in; it owns what it has written to."""

    def __init__(self, state: RunState) -> None:
        self._base = state
        self.run_id = state.run_id
        self.revision = state.revision
        self.at = state.at
        self.started = state.started
        self.context = state.context
        self.live = dict(state.live)
        self.settled = _shared(state.settled)
        self.timers = state.timers
        self.visits = state.visits
        self.applied = _shared(state.applied)
        self.done = _shared(state.done)
        self.owed = state.owed
        self.unapplied = dict(state.unapplied)
        self.failures = state.failures
        self.gates = state.gates
        self.mail = state.mail
        self.saga = state.saga
        self.receipts = state.receipts
        self.terminal = state.terminal
        self.pruned = state.pruned
        self.anomalies = state.anomalies

    @property
    def forward(self) -> bool:
        """Whether the run still goes forward: neither over nor undoing its steps."""
        return self.terminal is None and self.saga.started is None

    def state(self) -> RunState:
        """What was taken in so far; writing on continues on copies."""
        self._base = state = RunState(
            run_id=self.run_id,
            revision=self.revision,
            at=self.at,
            started=self.started,
            context=self.context,
            live=self.live,
            settled=self.settled,
            timers=self.timers,
            visits=self.visits,
            applied=self.applied,
            done=self.done,
            owed=self.owed,
            unapplied=self.unapplied,
            failures=self.failures,
            gates=self.gates,
            mail=self.mail,
            saga=self.saga,
            receipts=self.receipts,
            terminal=self.terminal,
            pruned=self.pruned,
            anomalies=self.anomalies,
        )
        self.live = dict(self.live)
        self.unapplied = dict(self.unapplied)
        return state

    def waits(self) -> bool:
        """Whether anything waits outside the run: hardly ever, on the steady path."""
        return bool(self.timers or self.gates.open or self.mail.awaited or self.mail.kept)

    def apply(self, entry: StepApplied) -> None:
        """A visit's result is taken in."""
        if self.applied is self._base.applied:
            self.applied = dict(self.applied)
            self.done = dict(self.done)
        self.applied[entry.visit_key] = entry
        self.done[entry.step] = self.done.get(entry.step, 0) + 1

    def known(self, key: AttemptKey) -> Attempt | None:
        """An attempt, whatever became of it."""
        return self.live.get(key) or self.settled.get(key) or self.timers.get(key)

    def settle(self, key: AttemptKey, attempt: Attempt) -> None:
        """An attempt came to its end, one way or another."""
        self.live.pop(key, None)
        if key in self.timers:
            self.timers = {k: timer for k, timer in self.timers.items() if k != key}
        if self.settled is self._base.settled:
            self.settled = dict(self.settled)
        self.settled[key] = attempt

    def enter(self, step: NodeName) -> None:
        """A visit began: it is counted, and what a route owed is paid."""
        self.visits = {**self.visits, step: self.visits.get(step, 0) + 1}
        if step in self.owed:
            rest = list(self.owed)
            rest.remove(step)
            self.owed = tuple(rest)

    def fail_visit(self, visit: VisitKey, error: Failure) -> None:
        """An error is the latest of its visit."""
        self.failures = {**self.failures, visit: error}

    def nothing_forward(self) -> None:
        """Withdraw what is unclaimed and close what is open; claimed attempts stay claimed."""
        self.owed = ()
        self.gates = self.gates.all_closed()
        self.mail = self.mail.nobody_waits()
        for key, attempt in [*self.live.items(), *self.timers.items()]:
            if attempt.status != "claimed":
                self.settle(key, evolve(attempt, status="withdrawn"))

    def doubt(self, attempt: Attempt, error: Failure | None) -> None:
        """Once undoing began, a forward attempt that ends without a result may have had effects."""
        if self.saga.started is not None and attempt.intent.kind != "compensation":
            self.saga = self.saga.with_uncertain(attempt.intent.visit_key, error)

    def note(self, reason: Reason, entry: Entry) -> None:
        """An entry that is against the rules changes nothing else."""
        names = ("attempt_key", "visit_key", "step", "claim_id")
        keys = {name: str(getattr(entry, name)) for name in names if getattr(entry, name, None)}
        anomaly = Anomaly(
            reason=reason,
            entry_type=type(entry).__name__,
            revision=Revision(self.revision + 1),
            keys=keys,
        )
        self.anomalies = (*self.anomalies, anomaly)


def _shared(container: Mapping[K, V]) -> dict[K, V]:
    """The container itself, if it is one we can copy on writing."""
    return container if isinstance(container, dict) else dict(container)
