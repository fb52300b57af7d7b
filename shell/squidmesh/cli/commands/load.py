"""`squidmesh load`: take in the run of a bundle."""

import click

from squidmesh.cli.documents import mask_of, run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.session import Session


@click.command("load")
@click.argument("file")
@common
def command(session: Session, /, *, file: str) -> int:
    """
    Take in the run of a bundle, to look at it here.

    Unless it is over it is held: nobody performs anything of it until somebody
    resumes it.
    """
    screen = session.screen
    with session.mesh() as mesh:
        run = mesh.load(file)
        mask = mask_of(mesh.inspect(run))
    match screen.form:
        case "json":
            screen.document("loaded/1", run=run_document(run, mask))
        case "plain":
            screen.fields(run.id)
        case "human":
            verb = "was here already" if run.duplicate else "loaded"
            screen.line(f"{run.id}  {run.workflow} {verb}, {run.status}")
    return DONE
