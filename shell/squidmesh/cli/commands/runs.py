"""`squidmesh runs`: a page of runs, newest first."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack, get_args

import click

from squidmesh.cli.documents import run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.instants import moment
from squidmesh.cli.naming import QUEUE, RUN, WORKFLOW
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import Cell, Screen, status_cell
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.text import one_line, short_ids
from squidmesh.views.filtering import RunFilters
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.views.board import URGENCY
from squidmesh_core.views.inspection import Run
from squidmesh_core.views.reason import Reason
from squidmesh_core.views.words import span

if TYPE_CHECKING:
    from squidmesh.files.masking import Mask
    from squidmesh.mesh import Mesh


@click.command("runs")
@click.option("--workflow", type=WORKFLOW, help="Only runs of this workflow.")
@click.option("--version", help="Only runs of this version of their workflow.")
@click.option(
    "--status", type=click.Choice(get_args(RunStatus)), help="Only runs with this status."
)
@click.option(
    "--reason",
    type=click.Choice(get_args(Reason)),
    metavar="REASON",
    help="Only runs that are where they are for this reason, as `show` says it.",
)
@click.option(
    "--deadline",
    type=click.Choice(URGENCY),
    help="Only runs whose most urgent deadline stands so.",
)
@click.option("--queue", type=QUEUE, help="Only runs that were started on this queue.")
@click.option("--tag", help="Only runs with this tag.")
@click.option("--parent", type=RUN, metavar="RUN", help="Only child runs of this run.")
@click.option(
    "--since", callback=moment, metavar="INSTANT|AGE", help="Only runs started then or later."
)
@click.option(
    "--until", callback=moment, metavar="INSTANT|AGE", help="Only runs started before then."
)
@click.option("--text", help="Only runs with this in their id, key, workflow or error.")
@click.option("--cursor", help="Go on where the last page ended.")
@click.option(
    "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="So many at most."
)
@common
@seen_as
def command(
    session: Session, /, *, cursor: str | None, limit: int, **filters: Unpack[RunFilters]
) -> int:
    """List runs, newest first."""
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        parent = filters.get("parent")
        if parent is not None:
            filters["parent"] = find_run(mesh, parent)
        page = shown(session, mesh.runs(cursor=cursor, limit=limit, **filters))
        masks = {} if session.role == "auditor" else _masks(mesh, page.items)
    if screen.form == "json":
        documents = [run_document(run, masks.get(run.id)) for run in page.items]
        screen.listing("runs/1", "runs", documents, line="listed-run/1", next=page.next)
        return DONE
    short = short_ids(run.id for run in page.items)
    rows = [_row(run, short[run.id], masks.get(run.id), screen) for run in page.items]
    if rows or screen.form == "plain":
        screen.table(("run", "workflow", "status", "key", "started", "took", "error"), rows)
    else:
        screen.line("no runs" if page.next is None else "none on this page", "dim")
    screen.more(page.next)
    return DONE


def _masks(mesh: "Mesh", runs: Sequence[Run]) -> Mapping[RunId, "Mask"]:
    """The masks of the runs that have an error which may tell a secret."""
    failed = [run for run in runs if run.error is not None]
    if not failed:
        return {}
    from squidmesh.cli.masks import Masks  # it reads definitions

    masks = Masks(mesh)
    return {run.id: mask for run in failed if (mask := masks.of(run)) is not None}


def _row(run: Run, short: str, mask: "Mask | None", screen: Screen) -> tuple[Cell, ...]:
    took = None if run.ended_at is None else span((run.ended_at - run.created_at).total_seconds())
    error = _error(run, mask)
    return (
        Cell(human=short, plain=run.id),
        Cell.of(run.workflow),
        status_cell(run.status),
        Cell.of(run.key),
        screen.when(run.created_at),
        Cell(human=took or "", plain=screen.when(run.ended_at).plain),
        Cell(human=one_line(error, 200), plain=error, style="red"),
    )


def _error(run: Run, mask: "Mask | None") -> str:
    if run.quarantined is not None:
        return f"quarantined: {run.quarantined}"
    if run.newer:
        return "left to a newer squidmesh"
    return mask.text(run.error) if mask and run.error else run.error or ""
