"""
Which notices an append implies: ends of runs, gates that opened, what was not undone.

Their ids are made of the run and the revision, so that no entry is ever told of under
two.  Deadlines are told of as time passes, not by an append: `deadline_notices`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import evolve

from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.entries import Entry, ManualStepPaused, RunEnd, RunTerminal
from squidmesh_core.protocol.notices import DeadlineEvent, Notice, NoticeRow, RunEvent, row_of
from squidmesh_core.protocol.wire import instant_to_text
from squidmesh_core.state.run import RunState
from squidmesh_core.views.deadlines import DeadlineView, deadline_views

_ENDS: Final[Mapping[RunEnd, RunEvent]] = {
    "completed": "run_completed",
    "failed": "run_failed",
    "cancelled": "run_cancelled",
}


def notices(entries: Sequence[Entry], after: RunState) -> tuple[NoticeRow, ...]:
    """
    What these entries tell, in their order; most appends tell nothing.

    Args:
        entries: What is appended.
        after: The run with them.
    """
    return tuple(
        row_of(notice)
        for entry in entries
        if isinstance(entry, RunTerminal | ManualStepPaused)
        for notice in _told_by(entry, after)
    )


def deadline_notices(run: RunState, now: datetime) -> tuple[Notice, ...]:
    """What there is to tell of the deadlines that run, each at its instant, past or not."""
    return tuple(
        Notice(
            id=f"{one.visit_key}:{instant_to_text(one.started_at)}:{event}",
            event=event,
            run_id=run.run_id,
            workflow=_workflow(run),
            at=at,
            node=one.node,
            target=one.target,
        )
        for one in deadline_views(run, now)
        for event, at in _thresholds(one)
    )


def _thresholds(deadline: DeadlineView) -> Iterator[tuple[DeadlineEvent, datetime]]:
    if deadline.due_soon_at is not None:
        yield "deadline_due_soon", deadline.due_soon_at
    yield "deadline_overdue", deadline.due_at
    if deadline.escalated_at is not None:
        yield "deadline_escalated", deadline.escalated_at


def _told_by(entry: RunTerminal | ManualStepPaused, run: RunState) -> Iterator[Notice]:
    if isinstance(entry, ManualStepPaused):
        if entry.kind != "hold":  # whoever holds a run knows of it
            yield _notice(run, entry, "gate_opened", entry.step)
        return
    error = entry.error
    told = _notice(run, entry, _ENDS[entry.status], entry.step)
    yield told if error is None else evolve(told, error=error.kind, code=error.code)
    if entry.recovery:
        left = entry.recovery[0]  # one call, however much is left: `inspect` lists all of it
        told = _notice(run, entry, "compensation_failed", left.step)
        yield evolve(told, error=left.reason, code=left.error.code if left.error else None)


def _notice(
    run: RunState,
    entry: RunTerminal | ManualStepPaused,
    event: RunEvent,
    node: NodeName | None,
) -> Notice:
    return Notice(
        id=f"{run.run_id}:{entry.revision}:{event}",
        event=event,
        run_id=run.run_id,
        workflow=_workflow(run),
        at=entry.at,
        node=node,
    )


def _workflow(run: RunState) -> str:
    return run.started.workflow if run.started else ""
