"""What `work` and `step` need of an application."""

from squidmesh.mesh import Mesh
from squidmesh_core.errors import ConfigError


def require_workflows(mesh: Mesh) -> None:
    """
    A worker without workflows would idle for ever.

    Raises:
        ConfigError: The mesh has none.
    """
    if not mesh.workflows:
        reason = "no workflows are registered, so there is nothing to perform; give --app"
        raise ConfigError(f"app: {reason}", "invalid_option", {"option": "app", "reason": reason})
