"""`squidmesh export`: all journals in one file."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh.cli.text import counted


@click.command("export")
@click.argument("file")
@common
def command(session: Session, /, *, file: str) -> int:
    """
    Write all journals and definitions into FILE, as JSON lines.

    Nothing is masked: the file is as sensitive as the database.  What is in FILE
    stays until the new one is whole.  `squidmesh import` takes it in elsewhere.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        runs = mesh.export(file)
    match screen.form:
        case "json":
            screen.document("exported/1", path=file, runs=runs)
        case "plain":
            screen.fields(str(runs))
        case "human":
            screen.line(f"{counted(runs, 'run')} written to {file}, secrets included")
    return DONE
