"""
Following one run to its end: a live tree on a terminal, a line for each event in a pipe.

Nothing here moves the run; a worker does, in this process or in another.
"""

from typing import TYPE_CHECKING, Final

from squidmesh.cli.bars import Bars
from squidmesh.cli.documents import mask_of, snapshot_document
from squidmesh.cli.exits import DONE, RUN_FAILED
from squidmesh.cli.lines import entry_cells
from squidmesh.cli.panels import run_panel
from squidmesh.cli.roles import inspected, shown
from squidmesh.cli.session import Session
from squidmesh.duration import duration_ms
from squidmesh.mesh import Mesh
from squidmesh_core.errors import WaitTimeout
from squidmesh_core.ids import RunId

if TYPE_CHECKING:
    from rich.console import RenderableType

#: How long to wait for a run's end before looking at its middle again.
_TICK: Final = "100ms"


def follow(
    session: Session, mesh: Mesh, run_id: RunId, *, timeout: str | None = None, bars: bool = False
) -> int:
    """
    Show a run until it is over; the exit code that its end stands for.

    Args:
        session: Where it is shown, and as whom its reader sees it.
        mesh: Where it is.
        run_id: The run.
        timeout: How long at most; null: for ever.
        bars: On a terminal, also a bar for each attempt.

    Raises:
        ConfigError: The time-out is not a duration.
        WaitTimeout: It took longer; the run goes on.
    """
    patience, screen = _Patience(mesh, timeout), session.screen
    match screen.form:
        case "json":
            while not patience.over(run_id):
                pass
            snapshot = inspected(session, mesh, run_id)
            screen.document("run/1", **snapshot_document(snapshot, history=False))
        case "plain":
            seen = 0
            over = False
            while not over:
                over = patience.over(run_id)
                seen = _print_since(session, mesh, run_id, seen)
        case "human":
            # Whoever may not know when things happened is shown no bars of them.
            drawn = Bars(run_id) if bars and session.role != "external" else None
            _watch(session, mesh, run_id, patience, drawn)
    return DONE if mesh.inspect(run_id).status == "completed" else RUN_FAILED


class _Patience:
    """Waits in short turns, and counts how long altogether."""

    def __init__(self, mesh: Mesh, timeout: str | None) -> None:
        self._mesh = mesh
        self._clock = mesh.door.ports.monotonic
        self._until = None
        if timeout is not None:
            self._until = self._clock() + duration_ms(timeout, option="timeout") / 1000

    def over(self, run_id: RunId) -> bool:
        """Whether the run has ended, after a short wait for that."""
        try:
            self._mesh.wait_for(run_id, timeout=_TICK)
        except WaitTimeout as unfinished:
            if self._until is not None and self._clock() >= self._until:
                raise WaitTimeout(
                    f"run {run_id} is {unfinished.details.get('status')} and goes on without us",
                    "wait_timeout",
                    unfinished.details,
                ) from None
            return False
        return True


def _watch(
    session: Session, mesh: Mesh, run_id: RunId, patience: _Patience, bars: Bars | None
) -> None:
    from rich.console import Group
    from rich.live import Live

    screen, commands = session.screen, session.role != "external"

    def picture() -> "RenderableType":
        snapshot = inspected(session, mesh, run_id)
        panel = run_panel(snapshot, screen, commands=commands)
        if bars is None:
            return panel
        if snapshot.at_revision > bars.revision:
            news = shown(session, tuple(mesh.journal(run_id, after=bars.revision)))
            bars.take(news)
        return Group(panel, "", bars.table(mesh.door.journal.now()))

    with Live(picture(), console=screen.console, refresh_per_second=12) as live:
        over = False
        while not over:
            over = patience.over(run_id)
            live.update(picture())


def _print_since(session: Session, mesh: Mesh, run_id: RunId, seen: int) -> int:
    """A line for each entry that tells something; the last revision there is."""
    entries = tuple(mesh.journal(run_id, after=seen))
    if not entries:
        return seen
    mask = mask_of(inspected(session, mesh, run_id))
    for entry in shown(session, entries):
        cells = entry_cells(entry, mask, run_id)
        if cells is not None:
            session.screen.fields(session.screen.when(entry.at).plain, *cells)
    return entries[-1].revision
