"""`squidmesh bundle`: one run in a file that can be handed on."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.session import Session, find_run


@click.command("bundle")
@click.argument("run", type=RUN)
@click.argument("file", required=False)
@common
def command(session: Session, /, *, run: str, file: str | None) -> int:
    """
    Write RUN and its definition into FILE, by default <run id>.sqm.

    What the definition calls sensitive, and what stands under names such as
    password, is masked.  `squidmesh load` takes the file in elsewhere.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        run_id = find_run(mesh, run)
        path = mesh.bundle(run_id, file or f"{run_id}.sqm")
    match screen.form:
        case "json":
            screen.document("bundled/1", run=run_id, path=str(path))
        case "plain":
            screen.fields(str(path))
        case "human":
            screen.line(f"{run_id}  written to {path}, without what is sensitive")
    return DONE
