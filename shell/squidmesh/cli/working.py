"""What `work` and `step` need of an application."""

from collections.abc import Iterator
from contextlib import contextmanager

from squidmesh.cli.application import wrong
from squidmesh.cli.session import Session
from squidmesh.mesh import Mesh
from squidmesh_core.errors import ConfigError


@contextmanager
def performing(session: Session) -> Iterator[Mesh]:
    """
    The application's mesh, which has something to perform; closed afterwards.

    Raises:
        ConfigError: It has no workflows, so a worker would idle for ever; where no
            application is named, nothing was opened.
    """
    if session.config.app is None:
        raise _nothing_to_perform()
    with session.mesh() as mesh:
        if not mesh.workflows:
            raise _nothing_to_perform()
        yield mesh


def _nothing_to_perform() -> ConfigError:
    return wrong("app", "no workflows are registered, so there is nothing to perform; give --app")
