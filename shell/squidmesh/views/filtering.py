"""Which runs to list: what a host asks for, checked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypedDict, TypeVar, get_args

from squidmesh import checks
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.reason import Reason
from squidmesh_storage.api import RunFilter

T = TypeVar("T")

_STATUSES: Final[tuple[RunStatus, ...]] = get_args(RunStatus)
_REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
_DEADLINES: Final[tuple[DeadlineStatus, ...]] = get_args(DeadlineStatus)


class RunFilters(TypedDict, total=False):
    """Which runs to list."""

    #: Its whole name.
    workflow: str | None
    #: The label that its class gave it, not the fingerprint.
    version: str | None
    #: How far they are.
    status: RunStatus | None
    #: Why they are where they are: the journals of those are read that may be there.
    reason: Reason | None
    #: That the run was started on.
    queue: str | None
    #: One of those that the start gave it.
    tag: str | None
    #: How the most urgent deadline stands of those that run.
    deadline: DeadlineStatus | None
    #: Only child runs of this run.
    parent: str | None
    #: Started then or later.
    since: datetime | None
    #: Started before then.
    until: datetime | None
    #: Part of the run id, key, workflow or error.
    text: str | None


class BoardFilters(TypedDict, total=False):
    """Which deadlines to list."""

    #: How the deadline stands.
    status: DeadlineStatus | None
    #: The whole name of its run's.
    workflow: str | None
    #: The label that the class gave it, not the fingerprint.
    version: str | None
    #: That the run was started on.
    queue: str | None
    #: One of those that the start gave the run.
    tag: str | None
    #: Part of the run id, key, workflow or error.
    text: str | None


def listed(filters: RunFilters, clock: Callable[[], datetime]) -> RunFilter:
    """
    What the index is asked for; it knows nothing of reasons.

    Args:
        filters: What the host asks for.
        clock: Read for the instant that deadlines are judged at, if they are.

    Raises:
        ConfigError: A filter is wrong, or there is no such filter.
    """
    _check_names(filters, RunFilters.__optional_keys__)
    status, parent, deadline = (filters.get(name) for name in ("status", "parent", "deadline"))
    return RunFilter(
        workflow=checks.optional_text("workflow", filters.get("workflow")),
        version=checks.optional_text("version", filters.get("version")),
        status=None if status is None else run_status(status),
        queue=checks.optional_text("queue", filters.get("queue")),
        tag=checks.optional_text("tag", filters.get("tag")),
        parent=None if parent is None else _id_of(parent),
        since=checks.bound("since", filters.get("since")),
        until=checks.bound("until", filters.get("until")),
        text=checks.optional_text("text", filters.get("text")),
        deadline=deadline_status("deadline", deadline),
        deadline_at=None if deadline is None else clock(),
    )


def due(filters: BoardFilters) -> RunFilter:
    """
    The same of the runs on the board, but for how their deadlines stand.

    Raises:
        ConfigError: A filter is wrong, or there is no such filter.
    """
    _check_names(filters, BoardFilters.__optional_keys__)
    return RunFilter(
        workflow=checks.optional_text("workflow", filters.get("workflow")),
        version=checks.optional_text("version", filters.get("version")),
        queue=checks.optional_text("queue", filters.get("queue")),
        tag=checks.optional_text("tag", filters.get("tag")),
        text=checks.optional_text("text", filters.get("text")),
    )


def run_status(status: object) -> RunStatus:
    """
    A status that runs can have.

    Raises:
        ConfigError: There is no such status.
    """
    return _one_of("status", status, _STATUSES)


def run_reason(reason: object) -> Reason | None:
    """
    A reason for which runs are where they are, or nothing.

    Raises:
        ConfigError: There is no such reason.
    """
    return None if reason is None else _one_of("reason", reason, _REASONS)


def deadline_status(option: str, status: object) -> DeadlineStatus | None:
    """
    A status that deadlines can have, or nothing.

    Raises:
        ConfigError: There is no such status.
    """
    return None if status is None else _one_of(option, status, _DEADLINES)


def _id_of(run: object) -> RunId:
    from squidmesh.views.reading import run_id_of  # few lists are of one parent

    return run_id_of(run)


def _one_of(option: str, value: object, choices: Sequence[T]) -> T:
    for one in choices:
        if one == value:
            return one
    raise checks.wrong(option, f"expected one of {', '.join(map(str, choices))}")


def _check_names(filters: Mapping[str, object], known: frozenset[str]) -> None:
    if unknown := sorted(set(filters) - known):
        raise checks.wrong(unknown[0], "there is no such filter")
