"""`squidmesh counts`: how many runs each workflow has, and how they stand."""

from collections.abc import Iterable, Sequence
from typing import Final, get_args

import click

from squidmesh.cli.commands.deadlines import WORDS
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import STYLES, Cell
from squidmesh.cli.session import Session
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.values.deadline import DeadlineStatus
from squidmesh_core.views.counts import Counts, WorkflowCounts

_STATUSES: Final[tuple[RunStatus, ...]] = get_args(RunStatus)
#: What is on time needs nobody's attention, and has no column.
_LATE: Final[tuple[DeadlineStatus, ...]] = ("due_soon", "overdue", "escalated")


@click.command("counts")
@common
@seen_as
def command(session: Session) -> int:
    """Count the runs of each workflow, by status, and those that are late."""
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        counts = shown(session, mesh.counts())
    if screen.form == "json":
        screen.document("counts/1", **counts.to_dict())
        return DONE
    if screen.form == "plain":
        screen.table((), list(_records(counts)))
        return DONE
    if not counts.workflows:
        screen.line("no runs", "dim")
        return DONE
    statuses = [one for one in _STATUSES if counts.runs.get(one)]
    late = [one for one in _LATE if counts.deadlines.get(one)]
    headings = ("workflow", *statuses, *(WORDS[one][0] for one in late))
    rows = [(Cell.of(one.workflow), *_cells(one, statuses, late)) for one in counts.workflows]
    if len(rows) > 1:
        rows.append((Cell.of("all", "dim"), *_cells(counts, statuses, late)))
    screen.table(headings, rows)
    return DONE


def _cells(
    counts: Counts | WorkflowCounts, statuses: Sequence[RunStatus], late: Sequence[DeadlineStatus]
) -> Iterable[Cell]:
    for status in statuses:
        yield _number(counts.runs.get(status, 0), status, STYLES.get(status, ""))
    for due in late:
        yield _number(counts.deadlines.get(due, 0), *WORDS[due])


def _number(number: int, heading: str, style: str) -> Cell:
    """A number right under the end of its heading; nothing for zero."""
    return Cell.of(str(number).rjust(len(heading)) if number else "", style)


def _records(counts: Counts) -> Iterable[tuple[Cell, ...]]:
    """For pipes: workflow, what is counted, how many."""
    for one in counts.workflows:
        told = [*one.runs.items(), *((f"deadline {due}", n) for due, n in one.deadlines.items())]
        for what, number in told:
            yield Cell.of(one.workflow), Cell.of(what), Cell.of(str(number))
