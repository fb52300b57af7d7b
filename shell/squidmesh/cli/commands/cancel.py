"""`squidmesh cancel`: end a run where it is."""

import sys

import click

from squidmesh.cli.documents import mask_of, run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.panels import run_panel
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session, find_run
from squidmesh.snapshot import Snapshot


@click.command("cancel")
@click.argument("run")
@click.option("--by", help="Who cancels; kept in the journal.")
@click.option("--note", help="Why; kept in the journal.")
@click.option("--key", help="Repeat the command with the same key, and it counts once.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def command(
    session: Session, /, *, run: str, by: str | None, note: str | None, key: str | None, yes: bool
) -> int:
    """
    End RUN where it is.

    A step that runs is not stopped, and its result is refused; what finished
    steps did is not undone.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        run_id = find_run(mesh, run)
        before = mesh.inspect(run_id)
        if not (yes or before.terminal):
            _ask(before, screen)
        after = mesh.cancel(run_id, by=by, note=note, key=key)
    if screen.form == "json":
        screen.document("cancelled/1", run=run_document(after, mask_of(before)))
    else:
        verb = "was already cancelled (same key)" if after.duplicate else "cancelled"
        screen.line(f"{after.id} {verb}")
    return DONE


def _ask(before: Snapshot, screen: Screen) -> None:
    if screen.form != "human" or not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; say --yes to cancel")
    screen.render(run_panel(before, screen))
    done = ", ".join(before.applied) or "nothing"
    click.confirm(f"Cancel it here? Done and not undone: {done}.", abort=True)
