"""`squidmesh demo`: a shop's orders, worked before your eyes; with --crash, under fire."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from squidmesh.cli.exits import DONE, RUN_FAILED
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session
from squidmesh.demo.driver import Progress


@click.command("demo")
@click.option("--crash", is_flag=True, help="Kill workers with SIGKILL, then compare the books.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="A new or empty folder for the files; else a temporary one.",
)
@common
def command(session: Session, /, *, crash: bool, folder: Path | None) -> int:
    """
    Work a shop's orders on a fresh SQLite journal.

    Exits with 0 only if the gateway's ledger and the journal agree.
    """
    from squidmesh.demo.crash import demonstrate_crashes
    from squidmesh.demo.driver import demonstrate
    from squidmesh.demo.folder import fresh_folder
    from squidmesh.demo.telling import tell

    screen = session.screen
    place = fresh_folder(folder)
    with _progress(screen, "working, killing workers" if crash else "working") as progress:
        told = (demonstrate_crashes if crash else demonstrate)(place, progress)
    tell(told, screen)
    return RUN_FAILED if told.differences else DONE


@contextmanager
def _progress(screen: Screen, what: str) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere; gone when the work is done."""
    if screen.form != "human":
        yield _unseen
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bars

    bar = BarColumn(complete_style="cyan", finished_style="green", pulse_style="cyan")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), bar, MofNCompleteColumn())
    with Bars(*columns, console=screen.console, transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda over, all_: bars.update(task, completed=over, total=all_)


def _unseen(over: int, all_: int) -> None:  # a `Progress` that nobody watches
    """Nobody watches."""
