"""
Reading runs: inspection, lists, journals.

None of it writes, but for the mark on a run that turns out to be damaged.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import cast

from attrs import fields_dict, frozen

from squidmesh import checks
from squidmesh.door.collector import resting
from squidmesh.door.door import Door
from squidmesh.door.outcomes import refusal
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.decide.prune import gone
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import RunNotFound
from squidmesh_core.ids import Revision, RunId, is_run_id
from squidmesh_core.protocol.codec import decode, entry_to_json
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.values.scope import SCOPES, Scope
from squidmesh_core.views import inspection

#: What becomes of each attempt that a snapshot shows.
Shown = Callable[[inspection.AttemptView], inspection.AttemptView]


@frozen(kw_only=True)
class JournalEntry:
    """One entry as data."""

    revision: Revision
    #: Its wire type, such as `step_applied`.
    type: str
    at: datetime
    #: Its other members, as the journal has them.
    data: Mapping[str, object]


def inspect(
    door: Door,
    run_id: RunId,
    *,
    history: bool = False,
    at: int | datetime | None = None,
    now: datetime | None = None,
    scope: Scope = "auditor",
) -> Snapshot:
    """
    One run at one instant, or as it was at a revision or an earlier instant.

    The past is judged at its own instant: leases of then are not expired now.  Below
    auditor, it is redacted while it is made.

    Raises:
        RunNotFound: There is no such run.
        Refused: Its past is asked for, and it was pruned.
        ConfigError: An option is wrong, the run had not started by then, or has not come
            so far.
        StorageError: Its journal is unreadable.
    """
    if scope not in SCOPES:
        raise checks.wrong("scope", f"expected one of {', '.join(SCOPES)}")
    checks.flag("history", history)
    state, spec, instant = as_of(door, run_id, at, now)
    if scope == "auditor":
        return snapshot_of(state, spec, instant, history=history)
    from squidmesh.views.visibility import SHELL  # it knows every view, this one too

    shown: Shown = SHELL.each(scope)
    return SHELL.redact(snapshot_of(state, spec, instant, history=history, shown=shown), scope)


def snapshot_of(
    state: RunState, spec: Spec, now: datetime, *, history: bool, shown: Shown | None = None
) -> Snapshot:
    """A run at an instant, as hosts see it."""
    view = inspection.snapshot(state, spec, now, history=history, shown=shown)
    members = {name: getattr(view, name) for name in fields_dict(inspection.Snapshot)}
    return Snapshot(**members, spec=spec)


def as_of(
    door: Door, run_id: RunId, at: int | datetime | None, now: datetime | None
) -> tuple[RunState, Spec, datetime]:
    """
    A run as it is or was, its definition, and the instant that it is judged at.

    Raises:
        RunNotFound: There is no such run.
        Refused: Its past is asked for, and it was pruned.
        ConfigError: An option is wrong, the run had not started by then, or has not come
            so far.
        StorageError: Its journal is unreadable.
    """
    known = door.fresh(run_id)
    instant = checks.instant("now", now)
    if at is None:
        return known.state, known.spec, instant or door.journal.now()
    if known.state.pruned is not None:
        raise refusal(gone(known.state))
    _check_reached(door, known.state, at, instant)
    state, then = _state_at(door, run_id, at)
    return state, known.spec, instant or then


def journal(door: Door, run_id: RunId, *, after: int = 0) -> Iterator[JournalEntry]:
    """
    The entries of a run, in order.

    Raises:
        RunNotFound: There is no such run.
        ConfigError: `after` is not a revision.
        StorageError: Its journal is unreadable; while iterating, too.
    """
    least = checks.integer("after", after, least=0)
    records = door.journal.load(run_id, whole=True).records
    return (
        as_data(entry, run_id)
        for record in records
        if record.last > least
        for entry in decode(record.body, run_id=run_id, first=record.first)
        if entry.revision > least
    )


def run_id_of(ref: object) -> RunId:
    """
    The id of what a host named a run by: an id, a `Run` or a `Snapshot`.

    Raises:
        RunNotFound: `invalid_run_id`: it is none of these, or no UUID.
    """
    text = ref if isinstance(ref, str) else getattr(ref, "id", None)
    if isinstance(text, str) and is_run_id(text.lower()):
        return RunId(text.lower())
    raise RunNotFound("expected a run id (a UUID), a Run or a Snapshot", "invalid_run_id", {})


def as_data(entry: Entry, run_id: RunId) -> JournalEntry:
    """An entry as hosts see it."""
    data = entry_to_json(entry, run_id)
    kind = cast("str", data.pop("type"))
    data.pop("at", None)
    return JournalEntry(revision=entry.revision, type=kind, at=entry.at, data=data)


def _check_reached(door: Door, state: RunState, at: int | datetime, now: datetime | None) -> None:
    """
    See that a run has come as far as it is asked about.

    Raises:
        ConfigError: It has not.
    """
    if not isinstance(at, datetime):
        if type(at) is int and at > state.revision:
            raise checks.wrong("at", f"the run has come to revision {state.revision} so far")
        return
    until, clock = checks.bound("at", at), now or door.journal.now()
    if until is not None and until > max(clock, state.at or clock):
        raise checks.wrong("at", "that instant is still to come")


def _state_at(door: Door, run_id: RunId, at: int | datetime) -> tuple[RunState, datetime]:
    """The run as it was, and the instant of that."""
    until = checks.bound("at", at) if isinstance(at, datetime) else None
    newest = checks.integer("at", at, least=1) if until is None else None
    records = door.journal.load(run_id, whole=True).records
    entries = (
        entry
        for record in records
        for entry in decode(record.body, run_id=run_id, first=record.first)
        if (until is None or entry.at <= until) and (newest is None or entry.revision <= newest)
    )
    with resting(sum(len(record.body) for record in records)):
        state = fold(RunState(run_id=run_id), entries)
    if state.started is None or state.at is None:
        raise checks.wrong("at", "the run had not started by then")
    return state, until or state.at
