"""
Bugs to plant that only several processes, or several people, can trip over.

Those of one decider are in `support.bugs`; each here is patched into whatever
shares the mistake, so that the fold, which believes nobody, is not what finds it.
"""

from collections.abc import Mapping
from datetime import datetime

import pytest
from attrs import evolve

from squidmesh.door import handle as handle_module
from squidmesh.door.requests import Trip, find, write
from squidmesh.workers import taking
from squidmesh_core.decide import advance, claim_row
from squidmesh_core.decide.desk import Desk
from squidmesh_core.definition.spec import Node
from squidmesh_core.ids import AppendId, AttemptKey, VisitKey
from squidmesh_core.plan import compensation, progress
from squidmesh_core.protocol.commands import Offer
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    Failure,
    ManualStepResolved,
    StepApplied,
)
from squidmesh_core.protocol.rows import AttemptRow, Head
from squidmesh_core.state import fold
from squidmesh_core.state import fold as fold_module
from squidmesh_core.state.attempt import Attempt, AttemptEntry, Reason
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.gates import Gates
from squidmesh_core.state.run import Receipt, RunState
from squidmesh_core.state.saga import Saga, Undone
from squidmesh_core.views import index as index_module
from squidmesh_storage.api import Batch, Committed, Conflict, Outcome, Unknown

# --- unknown outcomes


def unknown_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """Nobody said no, so it must be there."""

    def append(batch: Batch) -> Trip[Committed | Conflict]:
        outcome = yield from write(batch)
        if isinstance(outcome, Unknown):
            return Committed(run_id=outcome.run_id, revision=batch.record.last)
        return outcome

    patch.setattr(handle_module, "_append", append)


def unknown_taken_for_failure(patch: pytest.MonkeyPatch) -> None:
    """Nobody said yes, so it is decided afresh."""

    def append(batch: Batch) -> Trip[Committed | Conflict]:
        outcome = yield from write(batch)
        if isinstance(outcome, Unknown):
            return Conflict(
                run_id=outcome.run_id, expected=batch.expected, actual=batch.record.last
            )
        return outcome

    patch.setattr(handle_module, "_append", append)


def resent_under_another_id(patch: pytest.MonkeyPatch) -> None:
    """What is sent again is a new append."""

    def resolved(batch: Batch) -> Trip[Outcome]:
        record = batch.record
        if (yield from find(record.run_id, record.append_id)):
            return Committed(run_id=record.run_id, revision=record.last)
        again = evolve(record, append_id=AppendId(f"{record.append_id}+"))
        outcome = yield from write(evolve(batch, record=again))
        if isinstance(outcome, Conflict) and (yield from find(record.run_id, again.append_id)):
            return Committed(run_id=record.run_id, revision=record.last)
        return outcome

    patch.setattr(handle_module, "_resolved", resolved)


def conflict_believed_after_resending(patch: pytest.MonkeyPatch) -> None:
    """That the first try may have come late is not thought of."""

    def resolved(batch: Batch) -> Trip[Outcome]:
        record = batch.record
        if (yield from find(record.run_id, record.append_id)):
            return Committed(run_id=record.run_id, revision=record.last)
        return (yield from write(batch))

    patch.setattr(handle_module, "_resolved", resolved)


def takeover_from_the_row(patch: pytest.MonkeyPatch) -> None:
    """A lost attempt is claimed like a fresh one, so nobody counts."""

    def from_row(row: AttemptRow, head: Head, offer: Offer, now: datetime) -> AttemptClaimed | None:
        return claim_row(evolve(row, held_until=None), head, offer, now)

    patch.setattr(taking, "claim_row", from_row)


# --- people


def gate_stays_open(patch: pytest.MonkeyPatch) -> None:
    """An answer does not close its gate, so another one may follow."""
    honest = fold._applied

    def resolved(gates: Gates, entry: ManualStepResolved) -> Gates:
        return evolve(gates, answers=(*gates.answers, entry))

    def applied(draft: Draft, entry: StepApplied) -> Reason | None:
        draft.applied = {k: v for k, v in draft.applied.items() if k != entry.visit_key}
        return honest(draft, entry)

    patch.setattr(Gates, "resolved", resolved)
    patch.setattr(Gates, "closed", lambda gates, visit: gates)
    patch.setattr(fold, "_applied", applied)


def hold_ignored(patch: pytest.MonkeyPatch) -> None:
    """A held run goes on as if nobody had said anything."""
    honest = fold._moved

    def moved(draft: Draft, entry: AttemptEntry) -> Reason | None:
        gates = draft.gates
        draft.gates = evolve(gates, hold=None)
        reason = honest(draft, entry)
        draft.gates = gates
        return reason

    def takeable(state: RunState) -> Mapping[AttemptKey, Attempt]:
        return {} if state.terminal else {**state.live, **state.timers}

    patch.setattr(fold, "_moved", moved)
    patch.setattr(index_module, "_takeable", takeable)


def key_not_looked_up(patch: pytest.MonkeyPatch) -> None:
    """A command that comes again is a new command."""

    def receipt(state: RunState, command: str, key: str) -> Receipt | None:
        return None

    patch.setattr(RunState, "receipt", receipt)


def timer_not_withdrawn(patch: pytest.MonkeyPatch) -> None:
    """A time-out strikes although the answer has come."""
    patch.setattr(fold_module, "timeout_key", lambda visit: AttemptKey(f"{visit}:other"))


# --- joins and sagas


def join_released_twice(patch: pytest.MonkeyPatch) -> None:
    """That a join was entered is not looked at when another branch ends."""
    honest = progress._ready

    def ready(node: Node, state: RunState | Draft) -> bool:
        again = len(node.after) > 1 and state.visits.get(node.name) == 1
        return again or honest(node, state)

    patch.setattr(progress, "_ready", ready)


def sibling_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """Undoing begins while a sibling is still at work."""
    honest = advance.undo_next

    def undo_next(desk: Desk) -> None:
        live = desk.draft.live
        forward = {k: a for k, a in live.items() if a.intent.kind != "compensation"}
        if len(forward) == len(live):
            desk.draft.live = {}
        honest(desk)
        desk.draft.live = {**live, **desk.draft.live}

    patch.setattr(advance, "undo_next", undo_next)


def callback_called_twice(patch: pytest.MonkeyPatch) -> None:
    """That a visit was undone is forgotten."""

    def with_undone(saga: Saga, visit: VisitKey, how: Undone) -> Saga:
        return saga

    patch.setattr(Saga, "with_undone", with_undone)


def undone_in_the_order_done(patch: pytest.MonkeyPatch) -> None:
    """What was done first is undone first."""
    patch.setattr(compensation, "_by_revision", lambda applied: -applied.revision)


def doubt_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A sibling that fails while the run is undone is not listed."""

    def with_uncertain(saga: Saga, visit: VisitKey, error: Failure | None) -> Saga:
        return saga

    patch.setattr(Saga, "with_uncertain", with_uncertain)
