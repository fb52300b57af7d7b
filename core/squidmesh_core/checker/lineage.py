"""
Rules I and L: which run is whose, and which command was given once.

Most look at one run; `Lineage` compares the runs of a store.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from squidmesh_core.checker.family import Family
from squidmesh_core.checker.model import Model
from squidmesh_core.checker.report import Findings, Rule
from squidmesh_core.ids import AppendId, RunId, VisitKey, child_run_id, derived_run_id
from squidmesh_core.protocol.entries import (
    Entry,
    Parent,
    RunSignalReceived,
    RunStarted,
    StepApplied,
)
from squidmesh_core.values.condition import same

MOST_ANCESTORS: Final = 8
MOST_CHILDREN: Final = 1_000
#: Commands that make a run of another.
_COPYING: Final = frozenset({"replay", "retry_compensation"})


class Identities(Family):
    """I1 to I4 and L1, as far as one run shows them."""

    def judge(self, entry: Entry) -> None:
        """Whether ids are made of what they should be, and keys are used once."""
        match entry:
            case RunSignalReceived(idempotency_key=str() as key):
                if any(
                    r.command == entry.command and r.idempotency_key == key
                    for r in self.model.receipts
                ):
                    self.note("I2", entry.revision, f"a {entry.command} with key {key!r} was there")
            case RunStarted():
                self._started(entry)
            case StepApplied() if entry.reused_from is not None:
                if self.model.started is None or self.model.started.replayed_from is None:
                    self.note("I4", entry.revision, f"a result of {entry.reused_from.run_id}")
            case _:
                pass

    def _started(self, entry: RunStarted) -> None:
        name, trigger = entry.workflow, entry.trigger
        for receipt in self.model.receipts:
            if receipt.command == "start" and receipt.idempotency_key:
                self._made_of("I1", entry, name, trigger, receipt.idempotency_key)
        if entry.schedule is not None and entry.schedule.signal_id:
            self._made_of("I3", entry, name, trigger, entry.schedule.signal_id)
        commands = {receipt.command for receipt in self.model.receipts}
        if bool(commands & _COPYING) is not (entry.replayed_from is not None):
            self.note("I4", entry.revision, f"{sorted(commands)} made it of {entry.replayed_from}")
        if entry.replayed_from == self.model.run_id:
            self.note("I4", entry.revision, "a run is not made of itself")
        if entry.parent is not None:
            self._child(entry, entry.parent)

    def _made_of(self, rule: Rule, entry: RunStarted, *parts: str) -> None:
        if not all(parts) or derived_run_id(*parts) != self.model.run_id:
            self.note(rule, entry.revision, f"the run id is not made of {parts}")

    def _child(self, entry: RunStarted, parent: Parent) -> None:
        steps: list[str] = [parent.step]
        if parent.attempt_key is not None:
            # From its second visit on a step says which: <step>@<n>.
            steps += [
                part for part in parent.attempt_key.split(":") if part.startswith(parent.step)
            ]
        parts = (entry.workflow, entry.trigger, parent.child_key)
        if not all(parts) or self.model.run_id not in {
            child_run_id(parent.run_id, step, *parts) for step in steps
        }:
            self.note("L1", entry.revision, f"the run id is not that of a child of {parent}")


class Lineage:
    """C4, I1, I3, I4, J4 and L4 across the runs of a store."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._runs: dict[RunId, Model] = {}
        self._seen: dict[tuple[Rule, str], RunId] = {}

    def add(self, model: Model, claims: set[str], appends: set[AppendId]) -> None:
        """Take a run in that was checked by itself."""
        self._runs[model.run_id] = model
        for token in claims:
            self._once("C4", token, model)
        for append in appends:
            self._once("J4", append, model)
        started = model.started
        if started is None:
            return
        stem = f"{started.workflow}|{started.trigger}|"
        for receipt in model.receipts:
            if receipt.command == "start" and receipt.idempotency_key:
                self._once("I1", stem + receipt.idempotency_key, model)
        if started.schedule is not None and started.schedule.signal_id:
            self._once("I3", stem + started.schedule.signal_id, model)

    def judge(self) -> None:
        """Look at what needs all the runs."""
        children = Counter(
            parent.run_id for model in self._runs.values() for parent in _parents(model)
        )
        for model in self._runs.values():
            if children[model.run_id] > MOST_CHILDREN:
                self._note("L4", model, f"it has {children[model.run_id]} children")
            if self._ancestors(model) > MOST_ANCESTORS:
                self._note("L4", model, f"it has over {MOST_ANCESTORS} ancestors, perhaps itself")
            started = model.started
            if started is None or started.replayed_from is None:
                continue
            source = self._runs.get(started.replayed_from)
            # Of a source that was pruned nothing is left to compare with.
            if source is not None and source.pruned is None:
                self._copied(model, started, source)

    def _once(self, rule: Rule, what: str, model: Model) -> None:
        other = self._seen.setdefault((rule, what), model.run_id)
        if other != model.run_id:
            self._note(rule, model, f"{what} belongs to run {other}")

    def _ancestors(self, model: Model) -> int:
        count, current = 0, model
        while count <= MOST_ANCESTORS:
            above = [self._runs.get(parent.run_id) for parent in _parents(current)]
            if not above or above[0] is None:
                break
            current, count = above[0], count + 1
        return count

    def _copied(self, model: Model, started: RunStarted, source: Model) -> None:
        receipts = {receipt.command: receipt.payload for receipt in model.receipts}
        begun = source.started
        begins = (started.workflow, started.trigger)
        if begun is None or begins != (begun.workflow, begun.trigger):
            self._note("I4", model, f"run {source.run_id} was started in another way")
            return
        # The present definition may add its defaults to the input; its stored one may not.
        present = receipts.get("replay", {}).get("definition") == "current"
        if not present and not same(started.input, begun.input):
            self._note("I4", model, f"the input is not that of run {source.run_id}")
        reused = self._reused(model, source)
        if "retry_compensation" in receipts:
            if left := sorted(reused - _left_over(source)):
                self._note("I4", model, f"{left[0]} was not left over there")
            return
        allowed = receipts.get("replay", {}).get("allow_irreversible") is True
        if not allowed and (again := sorted(_irreversible(source, reused))):
            self._note("I4", model, f"nobody allowed {again} to be done again")

    def _reused(self, model: Model, source: Model) -> set[VisitKey]:
        """The visits of the source whose results a run brings along, the same as there."""
        found = set()
        for visit, entry in model.applied.items():
            if entry.reused_from is not None:
                there = VisitKey(source.run_id + visit.removeprefix(model.run_id))
                found.add(there)
                value = entry.reused_from.value
                if there not in source.results or not same(value, source.results[there]):
                    self._note("I4", model, f"{visit} has another result than there")
        return found

    def _note(self, rule: Rule, model: Model, message: str) -> None:
        self._findings.note(rule, model.run_id, model.revision, message)


def _parents(model: Model) -> list[Parent]:
    return [model.started.parent] if model.started and model.started.parent else []


def _left_over(source: Model) -> set[VisitKey]:
    """What a run could not undo, and knows the result of."""
    listed = source.terminal.recovery if source.terminal is not None else ()
    return {one.visit_key for one in listed if one.reason != "effect_unknown"}


def _irreversible(source: Model, kept: set[VisitKey]) -> Iterator[str]:
    """Steps that gave a result, will give another, and cannot be undone, as their attempts say."""
    for attempt in source.tries.values():
        policy, visit = attempt.intent.recovery, attempt.intent.visit_key
        done = source.applied.get(visit)
        if done is None or done.source is None or visit in kept or policy is None:
            continue
        if policy.irreversible or not policy.compensatable:
            yield attempt.intent.step
