"""`squidmesh journal`: the entries of one run, in order."""

import click

from squidmesh.cli.documents import mask_of
from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.roles import inspected, seen_as, shown
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.tailing import entry_document, entry_row, tail


@click.command("journal")
@click.argument("run", type=RUN)
@click.option(
    "--after",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Only what came after revision N.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until the run is over.")
@common
@seen_as
def command(session: Session, /, *, run: str, after: int, follow: bool) -> int:
    """
    List the entries of RUN: everything that ever happened to it.

    With --jsonl, or with --follow and --json, each entry is a document on a line of
    its own.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        run_id = find_run(mesh, run)
        if follow:
            tail(session, mesh, run_id, after=after)
            return DONE
        mask = mask_of(inspected(session, mesh, run_id))
        entries = tuple(shown(session, one) for one in mesh.journal(run_id, after=after))
    if screen.form == "json":
        documents = [entry_document(entry, mask, run_id) for entry in entries]
        if not screen.lines:
            screen.document("journal/1", run=run_id, entries=documents)
        for document in documents if screen.lines else ():
            screen.event("entry/1", run=run_id, **document)
        return DONE
    rows = [entry_row(entry, mask, run_id, entries[0].at, session) for entry in entries]
    screen.table(("rev", "at", "entry", "node", "what"), rows)
    return DONE
