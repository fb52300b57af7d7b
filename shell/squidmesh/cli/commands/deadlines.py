"""`squidmesh deadlines`: what is late in all runs, and what soon will be."""

from typing import Final, Unpack

import click

from squidmesh.cli.documents import run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import QUEUE, WORKFLOW
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import Cell, Screen, Style
from squidmesh.cli.session import Session
from squidmesh.cli.text import short_ids
from squidmesh.views.filtering import BoardFilters
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.board import URGENCY, Board, RunDeadline

#: How a deadline stands → how it is said, and its colour.
WORDS: Final[dict[DeadlineStatus, tuple[str, Style]]] = {
    "escalated": ("escalated", "bold red"),
    "overdue": ("overdue", "red"),
    "due_soon": ("due soon", "yellow"),
    "on_time": ("on time", ""),
}
#: The target comes last: it is the host's own text, and may be long.
_HEADINGS: Final = ("run", "workflow", "node", "stands", "due", "escalates", "escalation", "target")


@click.command("deadlines")
@click.option("--status", type=click.Choice(URGENCY), help="Only deadlines that stand so.")
@click.option("--workflow", type=WORKFLOW, help="Only those of runs of this workflow.")
@click.option("--version", help="Only those of runs of this version of their workflow.")
@click.option("--queue", type=QUEUE, help="Only those of runs that were started on this queue.")
@click.option("--tag", help="Only those of runs with this tag.")
@click.option("--text", help="Only those of runs with this in their id, key or workflow.")
@click.option("--cursor", help="Go on where the last page ended.")
@click.option(
    "--limit",
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    help="Of so many runs at most.",
)
@common
@seen_as
def command(
    session: Session, /, *, cursor: str | None, limit: int, **filters: Unpack[BoardFilters]
) -> int:
    """
    List what is late and what soon will be, the most urgent first.

    A deadline warns and changes nothing.  A page shows those of up to `--limit` runs.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        board = shown(session, mesh.deadlines(cursor=cursor, limit=limit, **filters))
    if screen.form == "json":
        late = [
            {"run": run_document(one.run), "deadline": one.deadline.to_dict()}
            for one in board.items
        ]
        screen.listing(
            "deadlines/1", "deadlines", late, line="deadline/1", at=board.at, next=board.next
        )
        return DONE
    _show(board, screen)
    screen.more(board.next)
    return DONE


def _show(board: Board, screen: Screen) -> None:
    short = short_ids(one.run.id for one in board.items)
    rows = [_row(one, short[one.run.id], board, screen) for one in board.items]
    screen.listed(
        _HEADINGS, rows, "no deadline runs" if board.next is None else "none on this page"
    )


def _row(one: RunDeadline, short: str, board: Board, screen: Screen) -> tuple[Cell, ...]:
    deadline = one.deadline
    words, style = WORDS[deadline.status]
    return (
        Cell(human=short, plain=one.run.id),
        Cell.of(one.run.workflow),
        Cell.of(deadline.node, "bold"),
        Cell(human=words, plain=deadline.status, style=style),
        screen.when(deadline.due_at, board.at),
        screen.when(deadline.escalated_at, board.at),
        Cell.of(deadline.escalation),
        Cell.of(deadline.target),
    )
