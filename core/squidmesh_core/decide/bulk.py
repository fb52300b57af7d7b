"""
Commands on many runs: which of the runs that a filter lets through they are for.

Each run is decided about alone, by the decider that a command on one run meets.
"""

from typing import Literal, assert_never, get_args

from squidmesh_core.ids import RunId, replay_run_id
from squidmesh_core.protocol.entries import RunEnd
from squidmesh_core.protocol.rows import RunStatus

#: What can be asked of many runs at once.
BulkVerb = Literal["cancel", "replay"]


def is_for(verb: BulkVerb, status: RunStatus) -> bool:
    """Whether a verb is for runs of this status; it would be refused by all others."""
    is_over = status in get_args(RunEnd)
    match verb:
        case "cancel":
            return not is_over
        case "replay":
            return is_over
    assert_never(verb)


def began(key: str, run_id: RunId, replayed_from: RunId | None) -> bool:
    """
    Whether this replay was begun under this key.

    It may fit the very filter that its source fitted; the same command again must not
    replay its own replays.
    """
    return replayed_from is not None and run_id == replay_run_id(replayed_from, key)
