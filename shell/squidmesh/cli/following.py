"""
Following one run to its end: a live tree on a terminal, a line for each event in a pipe.

Nothing here moves the run; a worker does, in this process or in another.
"""

from typing import TYPE_CHECKING

from squidmesh.cli.bars import Bars
from squidmesh.cli.documents import mask_of, snapshot_document
from squidmesh.cli.exits import DONE, RUN_FAILED
from squidmesh.cli.lines import entry_cells
from squidmesh.cli.panels import run_panel
from squidmesh.cli.screen import Screen
from squidmesh.duration import duration_ms
from squidmesh.mesh import Mesh
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.errors import WaitTimeout
from squidmesh_core.ids import RunId

if TYPE_CHECKING:
    from rich.console import RenderableType

#: How long to wait for a run's end before looking at its middle again.
_TICK = "100ms"


def follow(
    mesh: Mesh, run_id: RunId, screen: Screen, *, timeout: str | None = None, bars: bool = False
) -> int:
    """
    Show a run until it is over; the exit code that its end stands for.

    Args:
        mesh: Where it is.
        run_id: The run.
        screen: Where it is shown.
        timeout: How long at most; null: for ever.
        bars: On a terminal, also a bar for each attempt.

    Raises:
        ConfigError: The time-out is no duration.
        WaitTimeout: It took longer; the run goes on.
    """
    patience = _Patience(mesh, timeout)
    match screen.form:
        case "json":
            while not patience.over(run_id):
                pass
            snapshot = mesh.inspect(run_id)
            screen.document("run/1", **snapshot_document(snapshot, history=False))
        case "plain":
            seen = 0
            over = False
            while not over:
                over = patience.over(run_id)
                seen = _print_since(mesh, run_id, seen, screen)
            snapshot = mesh.inspect(run_id)
        case "human":
            snapshot = _watch(mesh, run_id, screen, patience, Bars(run_id) if bars else None)
    return DONE if snapshot.status == "completed" else RUN_FAILED


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
    mesh: Mesh, run_id: RunId, screen: Screen, patience: _Patience, bars: Bars | None
) -> Snapshot:
    from rich.console import Group
    from rich.live import Live

    def picture() -> "RenderableType":
        snapshot = mesh.inspect(run_id)
        panel = run_panel(snapshot, screen)
        if bars is None:
            return panel
        if snapshot.at_revision > bars.revision:
            bars.take(mesh.journal(run_id, after=bars.revision))
        return Group(panel, "", bars.table(mesh.door.journal.now()))

    with Live(picture(), console=screen.console, refresh_per_second=12) as live:
        over = False
        while not over:
            over = patience.over(run_id)
            live.update(picture())
    return mesh.inspect(run_id)


def _print_since(mesh: Mesh, run_id: RunId, seen: int, screen: Screen) -> int:
    """A line for each entry that tells something; the last revision there is."""
    entries = tuple(mesh.journal(run_id, after=seen))
    if not entries:
        return seen
    mask = mask_of(mesh.inspect(run_id))
    for entry in entries:
        cells = entry_cells(entry, mask, run_id)
        if cells is not None:
            screen.fields(screen.when(entry.at).plain, *cells)
    return entries[-1].revision
