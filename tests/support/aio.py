"""Meshes of event loops on a stage."""

from collections.abc import Callable

from squidmesh import ActionRegistry, AsyncMesh
from squidmesh.catalogue import Registrable
from squidmesh.ports import Ports
from squidmesh_storage.aio import Threaded
from squidmesh_storage.api import Journal
from support.stage import Stage, does


def async_mesh(
    stage: Stage,
    *workflows: Registrable,
    actions: ActionRegistry | None = None,
    ports: Ports | None = None,
    journal: Journal | None = None,
    **functions: Callable[..., object],
) -> AsyncMesh:
    """A mesh that knows nothing yet; `name=fn` performs the action `do.name`."""
    return AsyncMesh(
        Threaded(journal or stage.journal(), clock=stage.clock),
        workflows=workflows,
        actions=actions or does(**functions),
        ports=ports,
    )
