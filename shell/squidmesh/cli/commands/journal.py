"""`squidmesh journal`: the entries of one run, in order."""

from datetime import datetime

import click

from squidmesh.cli.documents import mask_of
from squidmesh.cli.exits import DONE
from squidmesh.cli.lines import masked, node_of, summary
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.text import one_line


@click.command("journal")
@click.argument("run")
@click.option(
    "--after",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Only what came after revision N.",
)
@common
def command(session: Session, /, *, run: str, after: int) -> int:
    """List the entries of RUN: everything that ever happened to it."""
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        run_id = find_run(mesh, run)
        mask = mask_of(mesh.inspect(run_id))
        entries = tuple(mesh.journal(run_id, after=after))
    if screen.form == "json":
        documents = [
            {
                "revision": entry.revision,
                "type": entry.type,
                "at": entry.at,
                "data": masked(entry, mask, run_id),
            }
            for entry in entries
        ]
        screen.document("journal/1", run=run_id, entries=documents)
        return DONE
    rows = []
    for entry in entries:
        heart = summary(entry, mask, run_id)
        rows.append(
            (
                Cell.of(str(entry.revision), "dim"),
                _when(entry.at, entries[0].at, session),
                Cell.of(entry.type),
                Cell.of(node_of(entry.data, run_id), "bold"),
                Cell(human=one_line(heart, 200), plain=heart),
            )
        )
    screen.table(("rev", "at", "entry", "node", "what"), rows)
    return DONE


def _when(at: datetime, begin: datetime, session: Session) -> Cell:
    """People compare entries with each other: unless told otherwise, count from the first."""
    shown = session.screen.when(at)
    if session.config.time is not None:
        return shown
    return Cell(human=f"+{(at - begin).total_seconds():.3f} s", plain=shown.plain)
