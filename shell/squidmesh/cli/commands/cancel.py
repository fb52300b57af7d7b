"""`squidmesh cancel`: end a run where it is, or have it undone first; or many runs."""

from typing import Unpack

import click

from squidmesh.cli.bulking import Many, Page, limit_option, steer_many
from squidmesh.cli.commanding import manner_of, manner_options, receipted, steer
from squidmesh.cli.filtering import filter_options, filters_of, resolved
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.session import Session
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.requests import Operation
from squidmesh_core.views.bulk import Bulk


@click.command("cancel")
@click.argument("run", type=RUN, required=False)
@click.option("--compensate", is_flag=True, help="Undo first what finished steps did.")
@click.option("--abandon", is_flag=True, help="Of a run that is being undone: stop that.")
@manner_options
@filter_options
@limit_option
@common
def command(
    session: Session,
    /,
    *,
    run: str | None,
    compensate: bool,
    abandon: bool,
    **many: Unpack[Many],
) -> int:
    """
    End RUN where it is, or all runs that the filters let through.

    A step that runs is not stopped, and its result is refused.  What finished
    steps did is not undone, unless --compensate is said; with --abandon, a run
    that is being undone ends, and lists what is left.

    With filters, as those of `squidmesh runs`, every run is shown with what would
    follow before anything is done; runs that are over are left out, unless --status
    asks for them.  Exit code 4 if one of them was refused.
    """
    if compensate and abandon:
        raise click.UsageError("--compensate and --abandon ask for the opposite of each other")
    filters = filters_of(run, many)

    def make(before: Snapshot, who: Receipted) -> Operation:
        return requests.cancel(before.id, who, compensate=compensate, abandon=abandon)

    if run is not None:
        return steer(session, run, "cancel", make, **manner_of(many))
    receipted("cancel", many)
    with session.mesh(must_exist=True) as mesh:

        def cancel(page: Page) -> Bulk:
            return mesh.cancel_all(
                page.which,
                compensate=compensate,
                abandon=abandon,
                plan=page.plan,
                cursor=page.cursor,
                limit=page.limit,
                by=many["by"],
                note=many["note"],
                key=many["key"],
            )

        found = resolved(mesh, filters)
        return steer_many(session, mesh, "cancel", cancel, filters=found, many=many)
