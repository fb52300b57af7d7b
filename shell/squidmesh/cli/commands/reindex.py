"""`squidmesh reindex`: the rows that lists and claims read, made anew."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.text import counted


@click.command("reindex")
@click.argument("run", type=RUN, required=False)
@common
def command(session: Session, /, *, run: str | None) -> int:
    """
    Rebuild the index of RUN, or of all runs, from their journals.

    Safe while workers run; no journal is changed.  A run that cannot be read is left
    as it is.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        rebuilt = mesh.reindex(None if run is None else find_run(mesh, run))
    match screen.form:
        case "json":
            screen.document("reindexed/1", runs=rebuilt)
        case "plain":
            screen.fields(str(rebuilt))
        case "human":
            screen.line(f"the index of {counted(rebuilt, 'run')} was rebuilt")
    return DONE
