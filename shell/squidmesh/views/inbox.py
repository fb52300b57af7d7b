"""The inbox: every run that a person must answer, with what is asked."""

from contextlib import suppress
from datetime import datetime

from attrs import frozen

from squidmesh.door.door import Door
from squidmesh.door.recall import UNREADABLE
from squidmesh.views.paging import Page, cursor_of, page_limit, read_cursor
from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.views.inspection import Run, run_of
from squidmesh_core.views.waiting import GateView, gate_views
from squidmesh_storage.api import RunFilter


@frozen(kw_only=True)
class OpenGate:
    """A person is waited for: a gate, or a hold, of a run."""

    run: Run
    gate: GateView


def approvals(door: Door, cursor: str | None, limit: int, now: datetime | None) -> Page[OpenGate]:
    """
    Who is waited for, the newest run first.

    A run that cannot be read is left out; `verify` tells of it.

    Raises:
        ConfigError: The cursor or the limit is wrong.
        StorageError: The storage failed.
    """
    limit = page_limit(limit)
    where = RunFilter(status="paused")
    begin = None if cursor is None else read_cursor(where, cursor)
    page = door.journal.runs(where, begin, limit)
    instant = now or door.journal.now()
    items: list[OpenGate] = []
    for listed in page.items:
        with suppress(RunNotFound):
            items += _gates(door, listed.row.run_id, instant)
    return Page(
        items=tuple(items), next=None if page.next is None else cursor_of(where, *page.next)
    )


def _gates(door: Door, run_id: RunId, now: datetime) -> list[OpenGate]:
    try:
        known = door.fresh(run_id)
    except StorageError as error:
        if error.code in UNREADABLE:
            return []
        raise
    run = run_of(known.state)
    return [OpenGate(run=run, gate=gate) for gate in gate_views(known.state, known.spec, now)]
