"""Comparing runs: what differs between two, or between one run at two revisions."""

from squidmesh import checks
from squidmesh.door.door import Door
from squidmesh.views.reading import inspect, run_id_of
from squidmesh.views.snapshot import RunRef, Snapshot
from squidmesh_core.ids import RunId
from squidmesh_core.views.diff import RunDiff, diff

#: A run as it is, or as it was at a revision.
Version = RunRef | tuple[RunRef, int]
#: The same, looked at.
At = tuple[RunId, int | None]


def version_of(option: str, asked: Version) -> At:
    """
    Which run is meant, and at which revision; null: as it is.

    Raises:
        RunNotFound: `invalid_run_id`: it names no run.
        ConfigError: It is a pair of something else.
    """
    if not isinstance(asked, tuple):
        return run_id_of(asked), None
    if len(asked) != 2:
        raise checks.wrong(option, "expected a run, or a pair of a run and a revision")
    return run_id_of(asked[0]), checks.integer(option, asked[1], least=1)


def compare(door: Door, before: At, after: At) -> RunDiff:
    """
    What differs.

    Raises:
        RunNotFound: One of the two does not exist.
        ConfigError: A revision is beyond its run, or the run had not started by then.
        Refused: A past is asked for of a run that was pruned.
        StorageError: A journal is unreadable.
    """
    return diff(_snapshot(door, before), _snapshot(door, after))


def _snapshot(door: Door, version: At) -> Snapshot:
    run_id, revision = version
    return inspect(door, run_id, at=revision)
