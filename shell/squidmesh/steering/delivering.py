"""Which run a message is for, when its sender knows only a correlation."""

from typing import Any

from squidmesh import checks
from squidmesh.authoring.gates import Receive
from squidmesh.door.door import Door
from squidmesh_core.errors import Refused
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.plan.messages import came


def deliver(door: Door, node: Receive[Any], correlation: str, *, key: str | None) -> RunId:
    """
    The run that a message is for: the one that can take it, or that has it under this key.

    Raises:
        Refused: `not_awaited`, `ambiguous_correlation`, `already_received`.
        ConfigError: That is no `receive` node.
        StorageError: The storage failed.
    """
    if not isinstance(node, Receive):
        raise checks.wrong("node", "expected a receive node of a workflow; a name is for `send`")
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
    # What was waited for in vain did not come before: its sender must not take it for done.
    if any(came(door.fresh(row.run_id).state, NodeName(node.name), correlation) for row in rows):
        code, why = "already_received", "the run of this correlation has taken its message already"
    else:
        code, why = "not_awaited", f"no run waits for it{' any more' if rows else ''}"
    raise Refused(f"{why} at {node.name!r}; nothing was written", code, details)
