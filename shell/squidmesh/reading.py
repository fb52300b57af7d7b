"""Reading runs: inspection, lists, journals, waiting for an end; none of it writes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Generic, TypedDict, TypeVar, cast

from attrs import fields_dict, frozen

from squidmesh.door import Door
from squidmesh.snapshot import Snapshot
from squidmesh_core.errors import ConfigError, WaitTimeout
from squidmesh_core.ids import BEGINNING, Revision, RunId, is_run_id
from squidmesh_core.protocol.codec import decode, entry_to_json
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.fold import fold
from squidmesh_core.state.run import RunState
from squidmesh_core.views import inspection
from squidmesh_core.views.inspection import Run, run_of, run_view
from squidmesh_storage.api import RunFilter

T = TypeVar("T")

#: Runs on one page at most.
LONGEST_PAGE: Final = 500
#: Seconds between looks at a run that another process may move.
FIRST_LOOK, LONGEST_LOOK = 0.02, 0.5


@frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    #: Hand it back as `cursor` for the next page; null: this was the last.
    next: str | None


@frozen(kw_only=True)
class JournalEntry:
    """One entry as data."""

    revision: Revision
    #: Its wire type, such as `step_applied`.
    type: str
    at: datetime
    #: Its other members, as the journal has them.
    data: Mapping[str, object]


class RunFilters(TypedDict, total=False):
    """Which runs to list."""

    workflow: str | None
    version: str | None
    status: RunStatus | None
    queue: str | None
    tag: str | None
    parent: str | None
    since: datetime | None
    until: datetime | None
    #: Part of the run id, key, workflow or error.
    text: str | None


def inspect(
    door: Door,
    run_id: RunId,
    *,
    history: bool = False,
    at: int | datetime | None = None,
    now: datetime | None = None,
) -> Snapshot:
    """
    One run at one instant, or as it was at a revision or an earlier instant.

    Raises:
        RunNotFound: There is no such run.
        StorageError: Its journal is unreadable.
    """
    known = door.fresh(run_id)
    state = known.state if at is None else _state_at(door, run_id, at)
    instant = now if now is not None else door.journal.now()
    view = inspection.snapshot(state, known.spec, instant, history=history)
    members = {name: getattr(view, name) for name in fields_dict(inspection.Snapshot)}
    return Snapshot(**members, spec=known.spec)


def journal(door: Door, run_id: RunId, *, after: int = 0) -> Iterator[JournalEntry]:
    """
    The entries of a run, in order.

    Raises:
        RunNotFound: There is no such run.
        StorageError: Its journal is unreadable.
    """
    loaded = door.journal.load(run_id, Revision(after))
    if after == 0 and loaded.checkpoint is not None:
        loaded = door.journal.load(run_id, BEGINNING)
    for record in loaded.records:
        for entry in decode(record.body, run_id=run_id, first=record.first):
            if entry.revision > after:
                data = entry_to_json(entry, run_id)
                kind = cast("str", data.pop("type"))
                data.pop("at", None)
                yield JournalEntry(revision=entry.revision, type=kind, at=entry.at, data=data)


def runs(door: Door, filters: RunFilters, cursor: str | None, limit: int) -> Page[Run]:
    """
    Runs, newest first.

    Raises:
        ConfigError: A filter, the cursor or the limit is wrong.
    """
    if type(limit) is not int or not 1 <= limit <= LONGEST_PAGE:
        raise _wrong("limit", f"expected a whole number from 1 to {LONGEST_PAGE}")
    if unknown := sorted(set(filters) - RunFilters.__optional_keys__):
        raise _wrong(unknown[0], "there is no such filter")
    where = RunFilter(**{k: v for k, v in filters.items() if v is not None})  # type: ignore[arg-type]  # the same members, checked above
    page = door.journal.runs(where, None if cursor is None else _read_cursor(cursor), limit)
    items = tuple(run_view(listed.row, listed.head) for listed in page.items)
    return Page(items=items, next=None if page.next is None else _cursor(*page.next))


def wait_for(door: Door, run_id: RunId, *, status: RunStatus | None, timeout_ms: int | None) -> Run:
    """
    Wait until a run is over, or has a status.

    Moves of this process are noticed at once, those of others within half a
    second.

    Raises:
        RunNotFound: There is no such run.
        WaitTimeout: It took longer.
    """
    monotonic = door.ports.monotonic
    until = None if timeout_ms is None else monotonic() + timeout_ms / 1000
    look = FIRST_LOOK
    with door.watchers.watching(run_id) as moved:
        while True:
            state = _newest(door, run_id)
            if state.terminal is not None if status is None else state.status == status:
                return run_of(state)
            left = None if until is None else until - monotonic()
            if left is not None and left <= 0:
                raise WaitTimeout(
                    f"run {run_id} is {state.status} after {timeout_ms} ms; it goes on without us",
                    "wait_timeout",
                    {"run_id": run_id, "status": state.status},
                )
            moved.wait(look if left is None else min(look, left))
            moved.clear()
            look = min(look * 2, LONGEST_LOOK)


def run_id_of(ref: object) -> RunId:
    """
    The id of what a host named a run by: an id, a `Run` or a `Snapshot`.

    Raises:
        ConfigError: It is none of these, or no UUID.
    """
    text = ref if isinstance(ref, str) else getattr(ref, "id", None)
    if isinstance(text, str) and is_run_id(text.lower()):
        return RunId(text.lower())
    raise ConfigError(
        "expected a run id (a UUID), a Run or a Snapshot",
        "invalid_run_id",
        {"option": "run", "reason": "not a run id"},
    )


def _newest(door: Door, run_id: RunId) -> RunState:
    """The run as it is; one that is known to be over stays so and need not be read."""
    known = door.memory.get(run_id)
    if known is None or known.state.terminal is None:
        known = door.fresh(run_id)
    return known.state


def _state_at(door: Door, run_id: RunId, at: int | datetime) -> RunState:
    loaded = door.journal.load(run_id, BEGINNING)
    records = loaded.records
    if loaded.checkpoint is not None:
        door.journal.delete_checkpoint(run_id)
        records = door.journal.load(run_id, BEGINNING).records
    entries = (
        entry
        for record in records
        for entry in decode(record.body, run_id=run_id, first=record.first)
        if (entry.at <= at if isinstance(at, datetime) else entry.revision <= at)
    )
    state = fold(RunState(run_id=run_id), entries)
    if state.started is None:
        raise _wrong("at", "the run had not started by then")
    return state


def _cursor(created_at: datetime, run_id: RunId) -> str:
    return urlsafe_b64encode(f"{created_at.isoformat()} {run_id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, RunId]:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        instant, _, run_id = text.partition(" ")
        created_at = datetime.fromisoformat(instant)
    except ValueError:
        created_at, run_id = datetime.min, ""  # noqa: DTZ901  # refused two lines below
    if created_at.tzinfo is None or not is_run_id(run_id):
        raise ConfigError(
            "the cursor is not one that a list gave out",
            "invalid_cursor",
            {"option": "cursor", "reason": "unreadable"},
        )
    return created_at, RunId(run_id)


def _wrong(option: str, reason: str) -> ConfigError:
    return ConfigError(
        f"the option {option} is wrong: {reason}",
        "invalid_option",
        {"option": option, "reason": reason},
    )
