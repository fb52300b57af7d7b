"""Which run a message is for, when its sender knows only a correlation."""

from typing import Any

from squidmesh.authoring.gates import Receive
from squidmesh.door.door import Door
from squidmesh_core.errors import Refused
from squidmesh_core.ids import RunId


def deliver(door: Door, node: Receive[Any], correlation: str, *, key: str | None) -> RunId:
    """
    The run that a message is for: the one that can take it, or that has it under this key.

    Raises:
        Refused: `not_awaited`, `ambiguous_correlation`, `already_received`.
        StorageError: The storage failed.
    """
    workflow = node._owner or ""
    rows = door.journal.correlated(workflow, node.name, correlation)
    if key is not None:
        for row in rows:
            if door.fresh(row.run_id).state.receipt("send", key) is not None:
                return row.run_id
    waiting = [row.run_id for row in rows if row.open]
    if len(waiting) == 1:
        return waiting[0]
    details: dict[str, object] = {"node": node.name, "correlation": correlation}
    if waiting:
        raise Refused(
            f"{len(waiting)} runs wait for {node.name!r} under this correlation; "
            "send it by run; nothing was written",
            "ambiguous_correlation",
            {**details, "run_ids": waiting},
        )
    code = "already_received" if rows else "not_awaited"
    what = "has taken its message already" if rows else "waits for it"
    who = "the run of this correlation" if rows else "no run"
    raise Refused(f"{who} {what} at {node.name!r}; nothing was written", code, details)
