"""`squidmesh show`: one run, now or as it was at a revision."""

from datetime import datetime
from typing import Final

import click

from squidmesh.cli.documents import failure_document, mask_of, snapshot_document, taken_in
from squidmesh.cli.exits import DONE
from squidmesh.cli.instants import point
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.panels import audit_line, context_text, history_table, run_panel
from squidmesh.cli.roles import inspected, seen_as
from squidmesh.cli.screen import Screen, json_text
from squidmesh.cli.session import Session, find_run
from squidmesh.files.masking import Mask
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.ids import is_timeout
from squidmesh_core.views.words import actor_name

#: Attempts that are not a try at a step.
_WORDS: Final = {"compensation": "undo"}


@click.command("show")
@click.argument("run", type=RUN)
@click.option("--history", is_flag=True, help="Also what each attempt took in and gave out.")
@click.option(
    "--at", callback=point, metavar="N|INSTANT|AGE", help="As it was at revision N, or then."
)
@common
@seen_as
def command(session: Session, /, *, run: str, history: bool, at: int | datetime | None) -> int:
    """Show one run; RUN is an id, or any beginning of one that no other has."""
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        snapshot = inspected(session, mesh, find_run(mesh, run), history=history, at=at)
    match screen.form:
        case "json":
            screen.document("run/1", **snapshot_document(snapshot, history=history))
        case "plain":
            _print_plain(snapshot, screen, history=history)
        case "human":
            screen.render(run_panel(snapshot, screen, commands=session.role != "external"))
            for done in snapshot.audit if history else ():
                screen.line(audit_line(done, screen, mask_of(snapshot)), "dim")
            if history:
                screen.line()
                screen.render(history_table(snapshot))
            if snapshot.context:
                screen.line()
                screen.line("context", "dim")
                screen.render(context_text(snapshot))
    return DONE


def _print_plain(snapshot: Snapshot, screen: Screen, *, history: bool) -> None:
    mask = mask_of(snapshot)
    run = snapshot.run
    facts = {
        "id": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "reason": snapshot.reason,
        "key": run.key or "",
        "queue": run.queue,
        "started": screen.when(run.created_at).plain,
        "ended": screen.when(run.ended_at).plain,
        "pruned": screen.when(run.pruned_at).plain,
        "revision": str(snapshot.at_revision),
    }
    for name, value in facts.items():
        screen.fields(name, value)
    if snapshot.error is not None:
        screen.fields("error", json_text(failure_document(snapshot.error, mask)))
    for step in snapshot.steps:
        screen.fields("step", step.name, step.status)
    _print_waits(snapshot, screen, mask)
    _print_records(snapshot, screen, mask)
    for attempt in snapshot.attempts:
        word = "timeout" if is_timeout(attempt.key) else _WORDS.get(attempt.kind, "attempt")
        cells = [word, attempt.node, str(attempt.number), attempt.status]
        if history:
            took = json_text(taken_in(attempt, mask))
            gave = json_text(mask.output(attempt.node, attempt.output))
            failed = json_text(failure_document(attempt.error, mask))
            cells += [took, gave, failed]
        screen.fields(*cells)
    screen.fields("context", json_text(mask.context(snapshot.context)))


def _print_records(snapshot: Snapshot, screen: Screen, mask: Mask) -> None:
    """What people did to the run, and what is late or soon will be."""
    for done in snapshot.audit:
        by = "" if done.actor is None else mask.text(actor_name(done.actor))
        note = mask.text(done.comment or "")
        when = screen.when(done.at).plain
        screen.fields("audit", done.event, done.node or "", when, by, done.target or "", note)
    for due in snapshot.deadlines:
        screen.fields("deadline", due.node, due.status, screen.when(due.due_at).plain)


def _print_waits(snapshot: Snapshot, screen: Screen, mask: Mask) -> None:
    """What is waited for outside, and what is being undone."""
    for gate in snapshot.gates:
        due = gate.deadline.due_at if gate.deadline else None
        until = screen.when(due).plain, screen.when(gate.times_out_at).plain
        since = screen.when(gate.opened_at).plain
        screen.fields(gate.kind, gate.node or "", since, *until, gate.question or "")
    for awaited in snapshot.awaited:
        due = awaited.deadline.due_at if awaited.deadline else None
        until = screen.when(due).plain, screen.when(awaited.times_out_at).plain
        found_by = awaited.correlation or ""
        shown = mask.correlation(awaited.node, found_by) if found_by else ""
        screen.fields("message", awaited.node, screen.when(awaited.since).plain, *until, shown)
    if snapshot.compensation is not None:
        for step in snapshot.compensation.steps:
            screen.fields("undone", step.node, step.status)
        for left in snapshot.compensation.recovery:
            error = json_text(failure_document(left.error, mask)) if left.error else ""
            screen.fields("left", left.step, left.reason, error)
