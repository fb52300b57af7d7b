"""
What a journal may never say, judged entry by entry while it grows.

A witness knows no fold, planner or decider.  It is carried from append to
append, so judging a story costs its last append; the offline checker has the
last word on whole journals.
"""

from collections.abc import Sequence
from copy import copy
from datetime import datetime

from squidmesh_core.definition.spec import ReceiveNode, Spec, StepNode
from squidmesh_core.ids import AttemptKey, ClaimId, NodeName, VisitKey, undone_visit
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
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
from squidmesh_core.protocol.rows import RunStatus


class Witness:
    """What the entries so far add up to, in plain sets."""

    def __init__(self, spec: Spec, deliveries: int) -> None:
        self.spec = spec
        #: How often an attempt may be claimed where its node does not say.
        self.deliveries = deliveries
        #: Attempts that may be claimed or are: key → from when.
        self.open: dict[AttemptKey, datetime] = {}
        self.intents: dict[AttemptKey, AttemptScheduled] = {}
        self.leases: dict[AttemptKey, tuple[ClaimId, datetime]] = {}
        self.claims: dict[AttemptKey, int] = {}
        self.ended: frozenset[AttemptKey] = frozenset()
        #: Visits that are applied, in order, and whether they brought a result.
        self.applied: dict[VisitKey, bool] = {}
        #: Visits that began.
        self.entered: frozenset[VisitKey] = frozenset()
        #: Gates and awaits that are open.
        self.waiting: frozenset[VisitKey] = frozenset()
        self.hold = False
        self.undone: frozenset[VisitKey] = frozenset()
        self.undoing: VisitKey | None = None
        self.receipts: frozenset[tuple[str, str | None]] = frozenset()
        self.started = False
        self.saga = False
        self.terminal: RunTerminal | None = None

    def after(self, entries: Sequence[Entry]) -> "Witness":
        """
        The witness once one append more was seen.

        Raises:
            AssertionError: The append says what it may not.
        """
        later = copy(self)
        for name in ("open", "intents", "leases", "claims", "applied"):
            setattr(later, name, dict(getattr(self, name)))
        for entry in entries:
            assert later.terminal is None, f"{type(entry).__name__} comes after the end"
            later.judge(entry)
        later.looks_right()
        return later

    def judge(self, entry: Entry) -> None:
        """Take one entry in."""
        match entry:
            case AttemptScheduled():
                self._scheduled(entry)
            case AttemptClaimed():
                self._claimed(entry)
            case AttemptHeartbeat():
                until = self._holds(entry)
                assert until <= entry.lease_until, "a heartbeat shortened the lease"
                self.leases[entry.attempt_key] = entry.claim_id, entry.lease_until
            case AttemptCompleted() | AttemptFailed():
                self._settled(entry)
            case StepApplied():
                self._applied(entry)
            case ManualStepPaused() | ManualStepResolved() | MessageAwaited():
                self._people(entry)
            case RunSignalReceived():
                said = (entry.command, entry.idempotency_key)
                assert said[1] is None or said not in self.receipts, f"{said} was done twice"
                self.receipts |= {said}
            case RunStarted():
                assert not self.started, "it started twice"
                self.started = True
            case CompensationStarted():
                assert not self.saga, "undoing began twice"
                self.saga = True
                self._nothing_forward()
            case RunTerminal():
                self._ended(entry)
            case MessageReceived():
                assert not self.saga, "a message was taken in while undoing"
            case RunPruned():
                raise AssertionError("nothing is appended to be pruned")

    def looks_right(self) -> None:
        """An open run has some reason to move."""
        moves = self._live or self.waiting or self.hold
        assert self.terminal or moves, "nothing will ever move this run"

    @property
    def _live(self) -> list[AttemptKey]:
        return [key for key in self.open if not key.endswith(":timeout")]

    @property
    def status(self) -> RunStatus:
        """The status that the run has by specs/protocol.md §2."""
        if self.terminal is not None:
            return self.terminal.status
        if self.saga:
            return "compensating"
        gates = any(not isinstance(self.spec.nodes[_node(v)], ReceiveNode) for v in self.waiting)
        if gates or self.hold:
            return "paused"
        if self._live:
            return "running"
        return "idle" if self.waiting or self.applied else "started"

    # -- attempts

    def _scheduled(self, entry: AttemptScheduled) -> None:
        key = entry.attempt_key
        assert key not in self.intents, f"{key} is scheduled twice"
        if entry.kind == "compensation":
            self._calls_back(entry)
        else:
            assert not self.saga, f"{key} goes forward while undoing"
            node = self.spec.nodes.get(entry.step)
            names = {_node(visit) for visit in self.applied}
            missing = set(node.after) - names if node else set()
            assert not missing, f"{key} does not wait for {missing}"
            if node is not None and entry.deferred is None and not key.endswith(":timeout"):
                self._entered(entry.visit_key)
        self.intents[key] = entry
        self.open[key] = entry.visible_at

    def _calls_back(self, entry: AttemptScheduled) -> None:
        forward = undone_visit(entry.visit_key)
        if entry.deferred is not None:
            return
        assert self.saga, "a callback without a saga"
        assert not self._live, f"{entry.visit_key} does not wait for {self._live}"
        assert forward is not None, entry
        assert forward not in self.undone, f"{forward} is undone twice"
        assert [forward] == self._left()[-1:], f"{forward} is not the last of {self._left()}"
        self.undoing = forward

    def _left(self) -> list[VisitKey]:
        """What took effect and can be undone, in the order it was applied."""
        found = []
        for visit, took_effect in self.applied.items():
            node = self.spec.nodes[_node(visit)]
            can = isinstance(node, StepNode) and node.compensate is not None
            if took_effect and can and visit not in self.undone:
                found.append(visit)
        return found

    def _claimed(self, entry: AttemptClaimed) -> None:
        key = entry.attempt_key
        assert not self.hold, f"{key} is claimed under a hold"
        assert key in self.open, f"{key} is claimed, and cannot be"
        assert not self.saga or self.intents[key].kind == "compensation", f"{key} goes forward"
        assert self.open[key] <= entry.at, f"{key} is claimed too early"
        if key in self.leases:
            assert self.leases[key][1] <= entry.at, f"{key} has two holders"
        self.leases[key] = entry.claim_id, entry.lease_until
        self.claims[key] = self.claims.get(key, 0) + 1
        most = self.intents[key].max_deliveries or self.deliveries
        assert self.claims[key] <= most, f"{key} is delivered too often"

    def _holds(self, entry: AttemptHeartbeat | AttemptCompleted | AttemptFailed) -> datetime:
        holder, until = self.leases[entry.attempt_key]
        assert holder == entry.claim_id, f"{entry.attempt_key} is held by {holder}"
        assert entry.at < until, f"the lease of {entry.attempt_key} was over"
        return until

    def _settled(self, entry: AttemptCompleted | AttemptFailed) -> None:
        key = entry.attempt_key
        assert key not in self.ended, f"{key} is settled twice"
        if entry.claim_id is None:
            assert self.leases[key][1] <= entry.at, f"{key} is taken from a living holder"
        else:
            self._holds(entry)
        self.ended |= {key}
        del self.open[key]
        if not isinstance(entry, AttemptFailed):
            return
        intent, retry = self.intents[key], entry.retry
        if retry is not None:
            assert retry.attempt_key not in self.intents, entry
            assert intent.kind == "compensation" or not self.saga, f"{key} is tried again"
            most = intent.retry.max_attempts if intent.retry else 1
            assert retry.number <= most, entry
            self.intents[retry.attempt_key] = intent
            self.open[retry.attempt_key] = retry.visible_at
        elif intent.kind == "compensation":
            self._undone(intent.visit_key)

    # -- visits

    def _applied(self, entry: StepApplied) -> None:
        visit = entry.visit_key
        if undone_visit(visit) is not None:
            self._undone(visit)
            return
        assert visit not in self.applied, f"{visit} is applied twice"
        assert not self.saga or entry.transition is None, f"{visit} is routed while undoing"
        self.applied[visit] = entry.source is not None
        self.waiting -= {visit}
        self.open.pop(AttemptKey(f"{visit}:timeout"), None)

    def _undone(self, visit: VisitKey) -> None:
        forward = undone_visit(visit)
        assert forward is not None, visit
        assert forward == self.undoing, f"{forward} is undone out of turn"
        self.undone |= {forward}
        self.undoing = None

    def _people(self, entry: ManualStepPaused | ManualStepResolved | MessageAwaited) -> None:
        assert not self.saga, f"{type(entry).__name__} while undoing"
        visit = entry.visit_key
        if visit is None:
            opens = isinstance(entry, ManualStepPaused)
            assert opens is not self.hold, "a hold begins and ends once"
            self.hold = opens
        elif isinstance(entry, ManualStepResolved):
            assert visit in self.waiting, f"{visit} is answered, and nobody asks"
            self.waiting -= {visit}
        else:
            assert visit not in self.waiting, f"{visit} is open already"
            assert visit not in self.applied, f"{visit} is over"
            self.waiting |= {visit}
            self._entered(visit)

    def _entered(self, visit: VisitKey) -> None:
        assert visit not in self.entered, f"{visit} begins twice"
        if self.spec.by_dependencies:
            others = [one for one in self.entered if _node(one) == _node(visit)]
            assert not others, f"{visit} is entered again, after {others}"
        self.entered |= {visit}

    # -- the end

    def _nothing_forward(self) -> None:
        self.open = {key: at for key, at in self.open.items() if key in self.leases}
        self.waiting, self.hold = frozenset(), False

    def _ended(self, entry: RunTerminal) -> None:
        listed = {one.visit_key for one in entry.recovery}
        if entry.status == "completed":
            assert not self._live, f"it is completed with {self._live}"
            assert not self.waiting, f"it is completed while {self.waiting} wait"
            assert not self.saga, "it is completed by undoing"
        elif self.saga:
            live = [self.intents[key] for key in self._live]
            forward = [intent.visit_key for intent in live if intent.kind != "compensation"]
            left = {*self._left(), *forward} - listed
            assert not left, f"it ended, and {left} are neither undone nor listed"
        self.terminal = entry
        self._nothing_forward()


def _node(visit: VisitKey) -> NodeName:
    return NodeName(visit.rpartition(":")[2].partition("@")[0])
