"""`squidmesh pause`: hold a whole run."""

from typing import Unpack

import click

from squidmesh.cli.commanding import Manner, manner_options, steer
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh_core.protocol import requests


@click.command("pause")
@click.argument("run", type=RUN)
@manner_options
@common
def command(session: Session, /, *, run: str, **manner: Unpack[Manner]) -> int:
    """
    Hold RUN: what is claimed settles, nothing else is claimed.

    `squidmesh resume` lets it go on.
    """
    return steer(session, run, "pause", lambda run, who: requests.pause(run.id, who), **manner)
