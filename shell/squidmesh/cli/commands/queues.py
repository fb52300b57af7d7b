"""`squidmesh queues`: what waits where, what limits it, and who serves it."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.queueing import QUEUE_HEADINGS, queue_document, queue_row
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.session import Session


@click.command("queues")
@common
@seen_as
def command(session: Session, /) -> int:
    """
    List the queues: how much waits, what limits them, and who serves them.

    `squidmesh set-queue`, `pause-queue` and `resume-queue` change one.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        queues = shown(session, mesh.queues())
    if screen.form == "json":
        documents = [queue_document(one) for one in queues]
        screen.listing("queues/1", "queues", documents, line="listed-queue/1")
    else:
        rows = [queue_row(one, screen) for one in queues]
        screen.listed(QUEUE_HEADINGS, rows, "no queue is set up, and nothing waits")
    return DONE
