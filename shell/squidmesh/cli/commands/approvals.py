"""`squidmesh approvals`: the inbox of everybody who may answer."""

from typing import Final

import click

from squidmesh.cli import clock
from squidmesh.cli.documents import gate_document, run_document
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import Cell, Screen
from squidmesh.cli.session import Session
from squidmesh.cli.text import short_ids
from squidmesh.views.inbox import OpenGate
from squidmesh_core.plan.deadline import Due
from squidmesh_core.views.plain import HIDDEN_AT
from squidmesh_core.views.words import clipped, span

#: Characters of a question; `show` has all of it.
_LONGEST: Final = 160

#: The question comes last, where it may take several lines.
_HEADINGS: Final = ("run", "workflow", "node", "kind", "age", "due", "times out", "question")


@click.command("approvals")
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
def command(session: Session, /, *, cursor: str | None, limit: int) -> int:
    """List every gate and hold that waits for a person, the newest run first."""
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        page = shown(session, mesh.approvals(cursor=cursor, limit=limit))
    if screen.form == "json":
        waiting = [
            {"run": run_document(one.run), "gate": gate_document(one.gate)} for one in page.items
        ]
        screen.listing("approvals/1", "approvals", waiting, line="approval/1", next=page.next)
        return DONE
    short = short_ids(one.run.id for one in page.items)
    rows = [_row(one, short[one.run.id], screen) for one in page.items]
    screen.listed(
        _HEADINGS, rows, "nobody is waited for" if page.next is None else "none on this page"
    )
    if rows and screen.form == "human":
        screen.line("`squidmesh show RUN` says what each answer does, and what to type", "dim")
    screen.more(page.next)
    return DONE


def _row(one: OpenGate, short: str, screen: Screen) -> tuple[Cell, ...]:
    gate = one.gate
    known = gate.opened_at != HIDDEN_AT
    age = span((clock.now() - gate.opened_at).total_seconds()) if known else ""
    return (
        Cell(human=short, plain=one.run.id),
        Cell.of(one.run.workflow),
        Cell.of(gate.node, "bold"),
        Cell.of(gate.kind),
        Cell(human=age, plain=screen.when(gate.opened_at).plain),
        _due(gate.deadline, screen),
        screen.when(gate.times_out_at),
        Cell(human=clipped(gate.question or "", _LONGEST), plain=gate.question or ""),
    )


def _due(due: Due | None, screen: Screen) -> Cell:
    if due is None:
        return Cell.of("")
    when = screen.when(due.due_at)
    match due.status:
        case "on_time":
            return when
        case "due_soon":
            return Cell(human=f"soon, {when.human}", plain=when.plain, style="yellow")
        case "overdue" | "escalated":
            return Cell(human=f"overdue, {when.human}", plain=when.plain, style="red")
