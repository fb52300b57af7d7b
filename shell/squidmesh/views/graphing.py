"""The graph of a run: what the core draws of its state and of the definition it keeps."""

from datetime import datetime

from squidmesh import checks
from squidmesh.door.door import Door
from squidmesh.door.outcomes import refusal
from squidmesh.views.reading import as_of
from squidmesh_core.decide.prune import gone
from squidmesh_core.ids import RunId
from squidmesh_core.views import graph as graphs
from squidmesh_core.views.graph import RunGraph


def graph(
    door: Door,
    run_id: RunId,
    *,
    history: bool = False,
    at: int | datetime | None = None,
    now: datetime | None = None,
) -> RunGraph:
    """
    The graph of a run at one instant, or as it was at a revision or an earlier instant.

    Raises:
        RunNotFound: There is no such run.
        Refused: It was pruned; how far it came nobody knows any more.
        ConfigError: An option is wrong, the run had not started by then, or has not come
            so far.
        StorageError: Its journal is unreadable.
    """
    checks.flag("history", history)
    state, spec, instant = as_of(door, run_id, at, now)
    if state.pruned is not None:
        raise refusal(gone(state))
    return graphs.graph(state, spec, instant, history=history)
