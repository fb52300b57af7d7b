"""
Which index rows a state implies, and what one append changes in them.

Reindexing a run puts `rows_of(state)` in the place of what is stored; an
append carries only the difference (specs/protocol.md §8.10).
"""

from squidmesh_core.ids import AttemptKey, RunId
from squidmesh_core.protocol.entries import RunStarted
from squidmesh_core.protocol.rows import AttemptRow, RowChanges, RunRow
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.run import RunState


def run_row(state: RunState) -> RunRow | None:
    """The listed facts of a run; null before it started."""
    begun = state.started
    if begun is None:
        return None
    terminal = state.terminal
    error = terminal.error if terminal else None
    return RunRow(
        run_id=state.run_id,
        workflow=begun.workflow,
        version=begun.definition_version,
        fingerprint=begun.definition,
        trigger=begun.trigger,
        status=state.status,
        queue=begun.queue,
        priority=begun.priority,
        tags=begun.tags,
        key=_start_key(state),
        partition_key=begun.partition_key,
        created_at=begun.at,
        ended_at=terminal.at if terminal else None,
        parent=begun.parent.run_id if begun.parent else None,
        replayed_from=begun.replayed_from,
        forked_at=begun.forked_at,
        error=f"{error.kind}: {error.message}" if error else None,
    )


def attempt_rows(state: RunState) -> tuple[AttemptRow, ...]:
    """The attempts that somebody may take now or later; none once the run ended."""
    if state.terminal is not None or state.started is None:
        return ()
    return tuple(
        _attempt_row(state.run_id, attempt, state.started) for attempt in state.live.values()
    )


def changes(before: RunState, after: RunState) -> RowChanges:
    """What an append that leads from one state to the other changes."""
    return RowChanges(
        run=None if _listed_alike(before, after) else run_row(after),
        put=_put(before, after),
        drop=_dropped(before, after),
    )


def _put(before: RunState, after: RunState) -> tuple[AttemptRow, ...]:
    begun = after.started
    if after.terminal is not None or begun is None:
        return ()
    return tuple(
        _attempt_row(after.run_id, attempt, begun)
        for key, attempt in after.live.items()
        if before.live.get(key) is not attempt
    )


def _dropped(before: RunState, after: RunState) -> tuple[AttemptKey, ...]:
    if before.terminal is not None:
        return ()
    if after.terminal is not None:
        return tuple(before.live)
    return tuple(key for key in before.live if key not in after.live)


def _listed_alike(before: RunState, after: RunState) -> bool:
    return (
        before.started is after.started
        and before.status == after.status
        and _start_key(before) == _start_key(after)
    )


def _start_key(state: RunState) -> str | None:
    return next((r.idempotency_key for r in state.receipts if r.command == "start"), None)


def _attempt_row(run_id: RunId, attempt: Attempt, begun: RunStarted) -> AttemptRow:
    intent = attempt.intent
    return AttemptRow(
        run_id=run_id,
        attempt_key=intent.attempt_key,
        queue=intent.queue,
        action=intent.action,
        priority=intent.priority,
        visible_at=intent.visible_at,
        held_until=attempt.lease_until if attempt.status == "claimed" else None,
        partition_key=begun.partition_key,
    )
