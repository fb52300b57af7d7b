"""`squidmesh resume`: lift a hold, or say go on at a pause."""

from typing import Unpack

import click

from squidmesh import checks
from squidmesh.cli.commanding import Manner, manner_options, steer
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.requests import Operation


@click.command("resume")
@click.argument("run", type=RUN)
@click.option("--node", help="The pause to go on at, also while the run is held; or its visit key.")
@manner_options
@common
def command(session: Session, /, *, run: str, node: str | None, **manner: Unpack[Manner]) -> int:
    """
    Let RUN go on: lift its hold; if it has none, answer its pause.

    With --node the pause of that name is answered, held or not.
    """

    def make(before: Snapshot, who: Receipted) -> Operation:
        checks.optional_text("node", node)
        return requests.resume(before.id, who, node=node)

    return steer(session, run, "resume", make, **manner)
