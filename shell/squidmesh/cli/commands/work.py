"""`squidmesh work`: a worker in the foreground."""

import logging
import sys

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session
from squidmesh.cli.text import printable
from squidmesh.cli.working import require_workflows
from squidmesh.worker import Worker


@click.command("work")
@click.option("--concurrency", "-c", type=click.IntRange(min=1), help="Steps at once.")
@click.option("--queue", "-q", "queues", multiple=True, help="A queue to serve; may be repeated.")
@click.option("--lease", default="60s", show_default=True, help="How long a claim lives.")
@common
def command(
    session: Session, /, *, concurrency: int | None, queues: tuple[str, ...], lease: str
) -> int:
    """
    Work until told to stop.

    SIGTERM and Ctrl-C drain: running steps end and are recorded, nothing more is
    claimed.  A second one ends the process at once.
    """
    screen = session.screen
    config = session.config
    with session.mesh() as mesh:
        require_workflows(mesh)
        served = queues or config.queues
        slots = concurrency or config.concurrency
        worker = Worker(mesh, concurrency=slots, queues=served, lease=lease)
        _log_to_stderr()
        _say(screen, "started", worker, url=mesh.door.journal.url, queues=served, slots=slots)
        worker.run()
        _say(screen, "stopped", worker)
    return DONE


def _say(screen: Screen, event: str, worker: Worker, **facts: object) -> None:
    if screen.form == "json":
        screen.event("worker/1", event=event, owner=worker.owner, **facts)
    elif event == "stopped":
        screen.line("drained and stopped", "dim")
    else:
        queues = ", ".join(facts["queues"]) if isinstance(facts["queues"], tuple) else ""
        screen.line(f"working on {facts['url']}")
        screen.line(f"  as {worker.owner}, {facts['slots']} at once, queues: {queues}", "dim")
        screen.line("  Ctrl-C drains and stops", "dim")


class _Printable(logging.Formatter):
    """Log lines hold data, and data may hold what a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line) for line in super().format(record).splitlines())


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("squidmesh")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
