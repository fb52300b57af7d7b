"""`squidmesh demo`: a shop's orders, worked before your eyes; with --crash, under fire."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from squidmesh.cli.exits import DONE, RUN_FAILED
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session

if TYPE_CHECKING:
    from squidmesh.demo.driver import Progress
    from squidmesh.demo.folder import Folder
    from squidmesh.demo.standins import People


@click.command("demo")
@click.option("--crash", is_flag=True, help="Kill workers with SIGKILL, then compare the books.")
@click.option("--yes", is_flag=True, help="Ask nobody: work the whole export unattended.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="A new or empty folder for the files; else a temporary one.",
)
@common
def command(session: Session, /, *, crash: bool, yes: bool, folder: Path | None) -> int:
    """
    Work a shop's orders on a fresh SQLite journal, or on the one of --url.

    A journal that is named must be empty: --url postgresql://… in an empty database
    makes its tables there.

    On a terminal it takes a few orders, and waits until the one of high risk is
    approved or rejected on another terminal.  With --yes, with --crash, or in a pipe
    it takes many orders and answers by itself.

    Exits with 0 only if the ledgers of card gateway and warehouse agree with the journal.
    """
    from squidmesh.demo.crash import demonstrate_crashes
    from squidmesh.demo.driver import demonstrate
    from squidmesh.demo.folder import fresh_folder
    from squidmesh.demo.telling import tell

    screen = session.screen
    attended = screen.form == "human" and sys.stdin.isatty() and not (yes or crash)
    # A configured URL is the application's: only one that was typed is practised on.
    url = session.config.url if session.config.url_is_flag else None
    place = fresh_folder(folder, few=attended, url=url)
    people = _at_the_terminal(screen, place) if attended else None
    with _progress(screen, "working, killing workers" if crash else "working") as progress:
        if crash:
            told = demonstrate_crashes(place, progress)
        else:
            told = demonstrate(place, progress, people)
    tell(told, screen)
    return RUN_FAILED if told.differences else DONE


def _at_the_terminal(screen: Screen, folder: "Folder") -> "People":
    from squidmesh.demo.standins import People
    from squidmesh.demo.telling import ask, tell_answer

    return People(
        ask=lambda review: ask(review, screen, folder),
        tell=lambda answer: tell_answer(answer, screen),
    )


@contextmanager
def _progress(screen: Screen, what: str) -> Iterator["Progress"]:
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
