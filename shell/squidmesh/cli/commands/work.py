"""`squidmesh work`: a worker in the foreground."""

import logging
import sys
import time
from collections.abc import Sequence

import click
from click.core import ParameterSource

from squidmesh.cli import collecting
from squidmesh.cli.exits import DONE, RUN_FAILED
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session
from squidmesh.cli.working import performing
from squidmesh.workers.processes import Supervisor, drain_with_supervisor
from squidmesh.workers.worker import Worker
from squidmesh_core.views.words import printable


@click.command("work")
@click.option(
    "--concurrency",
    "-c",
    type=click.IntRange(min=1),
    help="Steps at once. Without it: what the configuration says, or 8.",
)
@click.option(
    "--queue",
    "-q",
    "queues",
    multiple=True,
    help="A queue to serve; may be repeated. Without it: those of the configuration, or default.",
)
@click.option(
    "--processes",
    "-p",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Worker processes.",
)
@click.option("--supervised", is_flag=True, hidden=True, help="Drain at the end of standard input.")
@click.option(
    "--lease",
    metavar="DURATION",
    default="60s",
    show_default=True,
    help="How long a claim lives without a heartbeat.",
)
@common
def command(
    session: Session,
    /,
    *,
    concurrency: int | None,
    queues: tuple[str, ...],
    processes: int,
    supervised: bool,
    lease: str,
) -> int:
    """
    Work until told to stop.

    SIGTERM and Ctrl-C drain: running steps end and are recorded, nothing more is
    claimed.  A second one ends the process at once.

    With several processes, one that dies is replaced, and all are drained together.
    """
    screen = session.screen
    config = session.config
    with performing(session) as mesh:
        served = queues or config.queues
        slots = concurrency or config.concurrency
        worker = Worker(mesh, concurrency=slots, queues=served, lease=lease)
        if processes == 1:
            if supervised:
                drain_with_supervisor(worker.drain_soon)
            _log_to_stderr()
            _say_started(screen, worker, mesh.door.journal.url, served, slots)
            collecting.settle()
            worker.run()
            _say_stopped(screen, worker)
            return DONE
    # All is well with the application, so it is worth starting others that open it.
    return _supervise(screen, processes)


def _supervise(screen: Screen, processes: int) -> int:
    """Keep processes running that each do what was typed, but for their number."""

    def tell(pid: int, code: int, pause: float) -> None:
        if screen.form == "json":
            screen.event("worker/1", event="replaced", pid=pid, code=code, pause=pause)
        else:
            again = "at once" if pause == 0 else f"in {pause:g} s"
            screen.line(f"process {pid} ended with {code}; another one begins {again}", "dim")

    command = (sys.executable, "-m", "squidmesh", "work", *_typed(), "--supervised")
    supervisor = Supervisor(command, processes, time.monotonic, tell)
    return DONE if supervisor.run() else RUN_FAILED


def _typed() -> list[str]:
    """The options of this call as a process of its own gets them, one process each."""
    context = click.get_current_context()
    typed: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        if name == "processes" or context.get_parameter_source(name) != ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if isinstance(value, tuple):
            typed += [f"{option.opts[0]}={one}" for one in value]
        else:
            typed += [option.opts[0]] if value is True else [f"{option.opts[0]}={value}"]
    return typed


def _say_started(
    screen: Screen, worker: Worker, url: str, queues: Sequence[str], slots: int
) -> None:
    if screen.form == "json":
        facts = {"url": url, "queues": queues, "slots": slots}
        screen.event("worker/1", event="started", owner=worker.owner, **facts)
        return
    screen.line(f"working on {url}")
    screen.line(f"  as {worker.owner}, {slots} at once, queues: {', '.join(queues)}", "dim")
    screen.line("  Ctrl-C drains and stops", "dim")


def _say_stopped(screen: Screen, worker: Worker) -> None:
    if screen.form == "json":
        screen.event("worker/1", event="stopped", owner=worker.owner)
    else:
        screen.line("drained and stopped", "dim")


class _Printable(logging.Formatter):
    """Log lines hold data, and data may hold what a terminal obeys, or look like another line."""

    def format(self, record: logging.LogRecord) -> str:
        first, *others = super().format(record).splitlines() or [""]
        return "\n".join([printable(first), *(f"  {printable(line)}" for line in others)])


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("squidmesh")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
