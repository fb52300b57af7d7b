"""`squidmesh import`: take in all journals of an export."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh.cli.text import counted


@click.command("import")
@click.argument("file")
@common
def command(session: Session, /, *, file: str) -> int:
    """
    Take in the runs of an export; they go on as they were.

    Runs that are here already stay as they are.  If any of them has another
    journal here, or the file is not as it was written, nothing is taken in.
    """
    screen = session.screen
    with session.mesh() as mesh:
        runs = mesh.restore(file)
    match screen.form:
        case "json":
            screen.document("imported/1", path=file, runs=runs)
        case "plain":
            screen.fields(str(runs))
        case "human":
            screen.line(f"{counted(runs, 'run')} taken in from {file}")
    return DONE
