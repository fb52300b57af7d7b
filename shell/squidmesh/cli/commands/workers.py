"""`squidmesh workers`: who works on this journal."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.queueing import WORKER_HEADINGS, worker_document, worker_row
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.session import Session


@click.command("workers")
@common
@seen_as
def command(session: Session, /) -> int:
    """
    List the workers: their slots, their queues, and their last sign of life.

    One that was killed is silent after 90 seconds, and forgotten after a day.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        workers = shown(session, mesh.workers())
    if screen.form == "json":
        documents = [worker_document(one) for one in workers]
        screen.listing("workers/1", "workers", documents, line="listed-worker/1")
    else:
        rows = [worker_row(one, screen) for one in workers]
        screen.listed(WORKER_HEADINGS, rows, "nobody works; `squidmesh work` begins")
    return DONE
