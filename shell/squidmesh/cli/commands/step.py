"""`squidmesh step`: one attempt, and no more."""

import click

from squidmesh.cli.documents import mask_of, run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh.cli.working import performing


@click.command("step")
@click.option("--queue", "-q", help="The queue to look at; else the first configured one.")
@click.option(
    "--lease",
    metavar="DURATION",
    default="60s",
    show_default=True,
    help="How long the claim lives without a heartbeat.",
)
@common
def command(session: Session, /, *, queue: str | None, lease: str) -> int:
    """Claim one visible attempt, perform it, and record what came of it."""
    screen = session.screen
    with performing(session) as mesh:
        run = mesh.execute_next(queue=queue or session.config.queues[0], lease=lease)
        mask = None if run is None else mask_of(mesh.inspect(run))
    if screen.form == "json":
        screen.document("step/1", run=None if run is None else run_document(run, mask))
    elif run is None:
        if screen.form == "human":
            screen.line("nothing is claimable")
    elif screen.form == "human":
        screen.line(f"one attempt of {run.id} was performed; it is {run.status}")
    else:
        screen.fields(run.id, run.workflow, run.status)
    return DONE
