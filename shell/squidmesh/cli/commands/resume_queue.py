"""`squidmesh resume-queue`: let a paused queue go on."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import QUEUE
from squidmesh.cli.options import common
from squidmesh.cli.queueing import is_paused, queue_document, word_options
from squidmesh.cli.session import Session


@click.command("resume-queue")
@click.argument("name", type=QUEUE)
@word_options
@common
def command(session: Session, /, *, name: str, by: str | None, note: str | None) -> int:
    """Let the queue NAME go on; one that is not paused stays as it is."""
    screen = session.screen
    with session.mesh() as mesh:
        was_paused = is_paused(mesh, name)
        queue = mesh.resume_queue(name, by=by, note=note)
    said = "resumed" if was_paused else "was not paused"
    match screen.form:
        case "json":
            screen.document("queue/1", queue=queue_document(queue), already=not was_paused)
        case "plain":
            screen.fields(queue.name, said)
        case "human":
            screen.line(f"{queue.name}  {said}")
            if queue.waiting and was_paused:
                screen.line(f"  {queue.waiting} waiting", "dim")
    return DONE
