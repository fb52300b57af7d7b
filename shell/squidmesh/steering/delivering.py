"""Which run a message is for, when its sender knows only a correlation."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from squidmesh import checks
from squidmesh.authoring.gates import Receive
from squidmesh.door.door import Door
from squidmesh.door.recall import UNREADABLE
from squidmesh_core.errors import Refused, RunNotFound, StorageError
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.plan.messages import all_received, indexed
from squidmesh_core.protocol.rows import CorrelationRow
from squidmesh_core.state.run import RunState

#: Rows of one correlation that are asked for at first, and runs that are read together.
_AT_ONCE: Final = 100


def deliver(door: Door, node: Receive[Any], correlation: str, *, key: str | None) -> RunId:
    """
    The run that a message is for: the one that can take it, or that has it under this key.

    Raises:
        Refused: `not_awaited`, `ambiguous_correlation`, `already_received`.
        ConfigError: That is no `receive` node.
        StorageError: The storage failed, or a run that may have the message is unreadable.
    """
    if not isinstance(node, Receive):
        raise checks.wrong("node", "expected a receive node of a workflow; a name is for `send`")
    rows = _found_by(door, node, correlation)
    waiting = [row.run_id for row in rows if row.open]
    details: dict[str, object] = {"node": node.name, "correlation": correlation}
    unreadable: StorageError | None = None
    received = False
    # Without a key it repeats nothing: what others have had matters only if nobody waits.
    for run in _states(door, rows) if key is not None or not waiting else ():
        if isinstance(run, StorageError):
            unreadable = unreadable or run
            continue
        if key is not None and run.receipt("send", key) is not None:
            return run.run_id
        # What was waited for in vain did not come before: its sender must not take it for done.
        received = received or all_received(run, NodeName(node.name), correlation)
    if received and not waiting:
        why = f"the run of this correlation has taken its message already at {node.name!r}"
        raise Refused(f"{why}; nothing was written", "already_received", details)
    if unreadable is not None:
        raise _nobody_knows(unreadable, waiting, details)
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        raise Refused(
            f"{len(waiting)} runs wait for {node.name!r} under this correlation; "
            "send it by run; nothing was written",
            "ambiguous_correlation",
            {**details, "run_ids": waiting},
        )
    why = f"no run waits for it{' any more' if rows else ''} at {node.name!r}"
    raise Refused(f"{why}; nothing was written", "not_awaited", details)


def _found_by(door: Door, node: Receive[Any], correlation: str) -> Sequence[CorrelationRow]:
    """All that is found: whichever was left out might be the one that has the message."""
    workflow, text, limit = node._owner or "", indexed(correlation), _AT_ONCE
    while len(rows := door.journal.correlated(workflow, node.name, text, limit)) == limit:
        limit *= 10
    return rows


def _states(door: Door, rows: Sequence[CorrelationRow]) -> Iterator[RunState | StorageError]:
    """
    The runs that there are, or why one cannot be read.

    Raises:
        StorageError: The storage failed.
    """
    run_ids = [row.run_id for row in rows]
    for start in range(0, len(run_ids), _AT_ONCE):
        for known in door.fresh_all(run_ids[start : start + _AT_ONCE]):
            if isinstance(known, StorageError) and known.code in UNREADABLE:
                yield known
            elif isinstance(known, RunNotFound):
                continue  # it was pruned meanwhile
            elif isinstance(known, Exception):
                raise known
            else:
                yield known.state


def _nobody_knows(
    unreadable: StorageError, waiting: Sequence[RunId], details: dict[str, object]
) -> StorageError:
    """Whether the message is a repetition: given to another run as well, it might count twice."""
    run_id = unreadable.details["run_id"]
    others = [one for one in waiting if one != run_id]
    new = f", or send it to run {others[0]} if you know that it is new" if len(others) == 1 else ""
    return StorageError(
        f"run {run_id} of this correlation cannot be read, so nobody knows whether it has this "
        f"message; nothing was written; deliver it again once that run can be read{new}",
        unreadable.code,
        {**unreadable.details, **details},
    )
