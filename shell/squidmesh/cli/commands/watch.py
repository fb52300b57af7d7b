"""`squidmesh watch`: one run, live, until it is over."""

import click

from squidmesh.cli.exits import DONE, RUN_FAILED
from squidmesh.cli.following import follow
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.tailing import tail


@click.command("watch")
@click.argument("run", type=RUN)
@common
@seen_as
def command(session: Session, /, *, run: str) -> int:
    """
    Watch RUN until it is over: a tree on a terminal, with a bar for each attempt.

    A pipe gets a line for each thing that happens, and with --json each entry is a
    document on a line of its own.  Nothing here moves the run.  Exit code 1 if it
    failed or was cancelled.
    """
    with session.mesh(must_exist=True) as mesh:
        run_id = find_run(mesh, run)
        if session.screen.form != "json":
            return follow(session, mesh, run_id, bars=True)
        tail(session, mesh, run_id)
        return DONE if mesh.inspect(run_id).status == "completed" else RUN_FAILED
