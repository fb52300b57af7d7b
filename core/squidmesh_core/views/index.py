"""
Which index rows a state implies, and what one append changes in them.

Reindexing a run puts `rows_of(state)` in the place of what is stored; an
append carries only the difference (specs/protocol.md §8.10).
"""

from collections import Counter
from collections.abc import Mapping

from attrs import evolve

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import AttemptKey, RunId
from squidmesh_core.plan.messages import correlations, indexed
from squidmesh_core.protocol.entries import RunStarted
from squidmesh_core.protocol.rows import (
    AttemptRow,
    CorrelationRow,
    IndexRows,
    RowChanges,
    RunRow,
)
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.run import RunState
from squidmesh_core.views.deadlines import first_thresholds, running_deadlines


def rows_of(state: RunState, spec: Spec) -> IndexRows:
    """Everything that the index holds of a run; of a pruned one, nothing."""
    if state.pruned is not None:
        return IndexRows()
    return IndexRows(
        run=run_row(state),
        attempts=tuple(sorted(attempt_rows(state), key=lambda row: row.attempt_key)),
        correlations=correlation_rows(state, spec),
    )


def differing(stored: IndexRows, implied: IndexRows) -> tuple[str, ...]:
    """
    Which rows are not those that the state implies, or are there twice.

    They are called `run`, `tags`, by the keys of attempts, and `node: correlation`.
    A held attempt's lease in its row is a lower bound (specs/protocol.md §8.10).
    """
    found = [] if stored.run == implied.run else ["run"]
    found += [] if stored.tags == implied.tags else ["tags"]
    stored_keys = Counter(row.attempt_key for row in stored.attempts)
    kept = {row.attempt_key: row for row in stored.attempts}
    meant = {row.attempt_key: row for row in implied.attempts}
    found += [
        key
        for key in sorted(kept.keys() | meant.keys())
        if stored_keys[key] > 1 or not _stands_for(kept.get(key), meant.get(key))
    ]
    others = set(stored.correlations) ^ set(implied.correlations)
    return (*found, *sorted({f"{row.node}: {row.correlation}" for row in others}))


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
        deadline=first_thresholds(running_deadlines(state)),
    )


def attempt_rows(state: RunState) -> tuple[AttemptRow, ...]:
    """The attempts and time-outs that somebody may take now or later: none of a held run."""
    if state.started is None:
        return ()
    begun = state.started
    return tuple(_attempt_row(state.run_id, each, begun) for each in _takeable(state).values())


def correlation_rows(state: RunState, spec: Spec) -> tuple[CorrelationRow, ...]:
    """What `deliver` finds this run by."""
    found = {
        (node, indexed(text)): can_take
        for (node, text), can_take in correlations(state, spec).items()
    }
    return tuple(
        CorrelationRow(
            run_id=state.run_id, workflow=spec.workflow, node=node, correlation=text, open=can_take
        )
        for (node, text), can_take in sorted(found.items())
    )


def changes(before: RunState, after: RunState, spec: Spec) -> RowChanges:
    """What an append that leads from one state to the other changes."""
    old, new, begun = _takeable(before), _takeable(after), after.started
    return RowChanges(
        run=None if _listed_alike(before, after) else run_row(after),
        put=()
        if begun is None
        else tuple(
            _attempt_row(after.run_id, attempt, begun)
            for key, attempt in new.items()
            if old.get(key) is not attempt
        ),
        drop=tuple(key for key in old if key not in new),
        correlations=_correlated(before, after, spec),
    )


def _stands_for(stored: AttemptRow | None, implied: AttemptRow | None) -> bool:
    if stored is None or implied is None:
        return False
    if stored.held_until is None or implied.held_until is None:
        return stored == implied
    lags = stored.held_until <= implied.held_until
    return lags and evolve(stored, held_until=implied.held_until) == implied


def _takeable(state: RunState) -> Mapping[AttemptKey, Attempt]:
    if state.terminal is not None or state.gates.hold is not None:
        return {}
    return {**state.live, **state.timers} if state.timers else state.live


def _correlated(before: RunState, after: RunState, spec: Spec) -> tuple[CorrelationRow, ...] | None:
    if not spec.receivers:
        return None
    rows = correlation_rows(after, spec)
    return None if rows == correlation_rows(before, spec) else rows


def _listed_alike(before: RunState, after: RunState) -> bool:
    return (
        before.started is after.started
        and before.status == after.status
        # Mostly nobody has said anything since, and the start is not looked for.
        and (before.receipts is after.receipts or _start_key(before) == _start_key(after))
        and _due_alike(before, after)
    )


def _due_alike(before: RunState, after: RunState) -> bool:
    old, new = running_deadlines(before), running_deadlines(after)
    # Mostly there are none, or the same: nothing is computed then.
    return old == new or first_thresholds(old) == first_thresholds(new)


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
