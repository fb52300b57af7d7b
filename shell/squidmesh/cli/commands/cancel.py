"""`squidmesh cancel`: end a run where it is, or have it undone first."""

from typing import Unpack

import click

from squidmesh.cli.commanding import Manner, manner_options, steer
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.requests import Operation


@click.command("cancel")
@click.argument("run")
@click.option("--compensate", is_flag=True, help="Undo first what finished steps did.")
@click.option("--abandon", is_flag=True, help="Of a run that is being undone: stop that.")
@manner_options
@common
def command(
    session: Session,
    /,
    *,
    run: str,
    compensate: bool,
    abandon: bool,
    **manner: Unpack[Manner],
) -> int:
    """
    End RUN where it is.

    A step that runs is not stopped, and its result is refused.  What finished
    steps did is not undone, unless --compensate is said; with --abandon, a run
    that is being undone ends, and lists what is left.
    """
    if compensate and abandon:
        raise click.UsageError("--compensate and --abandon ask for the opposite of each other")

    def make(before: Snapshot, who: Receipted) -> Operation:
        return requests.cancel(before.id, who, compensate=compensate, abandon=abandon)

    return steer(session, run, "cancel", make, **manner)
