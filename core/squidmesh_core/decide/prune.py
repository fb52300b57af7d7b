"""
Pruning: may this run be removed, and what stays in its place?

It is no `Command`, because nothing is appended: the journal as a whole goes, in
one transaction.  A run whose id may come again leaves a tombstone, so that no
other run ever begins under that id: the same start finds the pruned run, another
one is refused (specs/protocol.md §8.11).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, get_args

from attrs import frozen

from squidmesh_core.decide.answer import Refusal
from squidmesh_core.decide.receipts import refused
from squidmesh_core.ids import Revision
from squidmesh_core.plan.retention import can_come_again
from squidmesh_core.protocol.entries import Beginning, RunPruned, RunStarted, RunTerminal
from squidmesh_core.protocol.wire import instant_to_text
from squidmesh_core.state.run import Receipt, RunState

#: A receipt's command → the same word, where it is one that begins a run.
_BEGINNINGS: Final[Mapping[str, Beginning]] = {name: name for name in get_args(Beginning)}


@frozen(kw_only=True)
class Removal:
    """Yes: the run may be removed while its journal ends where it was read."""

    revision: Revision
    #: What takes the journal's place; null: nothing does.
    tombstone: RunPruned | None


def prune(state: RunState, now: datetime) -> Removal | Refusal:
    """
    Whether a run may be removed.

    Args:
        state: The fold of its whole journal.
        now: The storage clock's reading.
    """
    if state.pruned is not None:
        return gone(state)
    if state.started is None or state.terminal is None:
        return refused(state, "invalid_transition", "it is not over, so it cannot be pruned")
    at = now if state.at is None else max(now, state.at)
    tombstone = None
    if can_come_again(state, at):
        tombstone = _tombstone(state.started, _begun_by(state), state.terminal, at)
    return Removal(revision=state.revision, tombstone=tombstone)


def gone(state: RunState) -> Refusal:
    """
    The refusal of whatever asks a pruned run for more than its end.

    Raises:
        ValueError: The run is there.
    """
    if state.pruned is None:
        raise ValueError(f"run {state.run_id} is not pruned")
    at = instant_to_text(state.pruned.at)
    why = f"it ended {state.status} and was pruned at {at}; only that is left of it"
    return refused(state, "terminal_run", why, reason="pruned", at=at)


def _begun_by(state: RunState) -> Receipt | None:
    return next((one for one in state.receipts if one.command in _BEGINNINGS), None)


def _tombstone(
    begun: RunStarted, begun_by: Receipt | None, terminal: RunTerminal, at: datetime
) -> RunPruned:
    return RunPruned(
        at=at,
        revision=Revision(1),
        workflow=begun.workflow,
        definition=begun.definition,
        definition_version=begun.definition_version,
        trigger=begun.trigger,
        queue=begun.queue,
        priority=begun.priority,
        command=_BEGINNINGS[begun_by.command] if begun_by else "start",
        # Without a receipt nobody can tell what was asked: no start is the same one.
        digest=begun_by.digest if begun_by else "",
        replayed_from=begun.replayed_from,
        status=terminal.status,
        started_at=begun.at,
        ended_at=terminal.at,
    )
