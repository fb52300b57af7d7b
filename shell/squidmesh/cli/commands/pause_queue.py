"""`squidmesh pause-queue`: stop a queue."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import QUEUE
from squidmesh.cli.options import common
from squidmesh.cli.queueing import is_paused, paused_text, queue_document, word_options
from squidmesh.cli.session import Session


@click.command("pause-queue")
@click.argument("name", type=QUEUE)
@word_options
@common
def command(session: Session, /, *, name: str, by: str | None, note: str | None) -> int:
    """
    Stop the queue NAME: what is claimed settles, nothing else of it is claimed.

    `squidmesh resume-queue` lets it go on.  A queue that is paused already stays as
    it is.
    """
    screen = session.screen
    with session.mesh() as mesh:
        already = is_paused(mesh, name)
        queue = mesh.pause_queue(name, by=by, note=note)
    said = "resumed meanwhile" if queue.paused is None else paused_text(queue.paused, screen)
    said = f"already {said}" if already else said
    match screen.form:
        case "json":
            screen.document("queue/1", queue=queue_document(queue), already=already)
        case "plain":
            screen.fields(queue.name, said)
        case "human":
            screen.line(f"{queue.name}  {said}")
            if queue.held and not already:
                screen.line(f"  {queue.held} held: these settle", "dim")
    return DONE
