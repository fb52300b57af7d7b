"""`squidmesh prune`: remove finished runs for good."""

import sys
from collections.abc import Iterator
from typing import Final

import click

from squidmesh.cli.confirming import confirm
from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session, find_run
from squidmesh.cli.text import counted, short_ids
from squidmesh.upkeep.pruned import Pruned
from squidmesh_core.plan.retention import Kept

#: Why a run stayed.
_KEPT: Final[dict[Kept, str]] = {
    "active": "not over, whatever the index says; `squidmesh verify` tells more",
    "recent": "ended later than the index says; `squidmesh verify` tells more",
    "unrecovered": "left something that was not undone; "
    "`squidmesh retry-compensation` takes it up, --run removes it all the same",
    "unreadable": "cannot be read; `squidmesh verify` tells more",
    "elsewhere": "removed by somebody else meanwhile",
}


@click.command("prune")
@click.option("--older-than", metavar="DURATION", help="What ended so long ago, such as 90d.")
@click.option("--run", type=RUN, metavar="RUN", help="This finished run, whatever its age.")
@click.option(
    "--plan", "--dry-run", "plan", is_flag=True, help="Say what would be removed, and do nothing."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def command(
    session: Session, /, *, older_than: str | None, run: str | None, plan: bool, yes: bool
) -> int:
    """
    Remove finished runs for good, by age or by name.

    Active runs are never touched.  A run that was started under a key leaves its
    identity and its end: the same start finds it, no other run takes its place.
    By age, a run whose end lists something that was not undone stays.
    """
    if (older_than is None) is (run is None):
        raise click.UsageError("say either --older-than DURATION or --run RUN")
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        named = None if run is None else find_run(mesh, run)
        if plan or not yes:
            planned = mesh.prune(older_than, run=named, plan=True)
            if plan or not planned.runs:
                _tell(planned, screen)
                return DONE
            _ask(planned, screen)
        _tell(mesh.prune(older_than, run=named), screen)
    return DONE


def _ask(planned: Pruned, screen: Screen) -> None:
    """
    Show what would be removed, and ask.

    Raises:
        click.UsageError: Nobody can be asked.
        click.Abort: The answer is no.
    """
    if screen.form != "human" or not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; say --yes to prune")
    _tell(planned, screen)
    confirm("Remove for good?")


def _tell(pruned: Pruned, screen: Screen) -> None:
    match screen.form:
        case "json":
            screen.document(
                "pruning/1",
                planned=pruned.planned,
                before=pruned.before,
                runs=pruned.runs,
                entries=pruned.entries,
                tombstones=pruned.tombstones,
                workflows=dict(pruned.workflows),
                statuses=dict(pruned.statuses),
                oldest=pruned.oldest,
                newest=pruned.newest,
                kept=dict(pruned.kept),
                kept_runs=dict(pruned.kept_runs),
            )
        case "plain":
            word = "would be pruned" if pruned.planned else "pruned"
            screen.fields(word, str(pruned.runs), str(pruned.entries), str(pruned.tombstones))
            for workflow, count in pruned.workflows.items():
                screen.fields("workflow", workflow, str(count))
            for run_id, why in pruned.kept_runs.items():
                screen.fields("kept", run_id, why)
        case "human":
            _print(pruned, screen)


def _print(pruned: Pruned, screen: Screen) -> None:
    if not pruned.runs:
        screen.line("nothing to prune")
    else:
        would = "would be pruned" if pruned.planned else "pruned"
        screen.line(f"{counted(pruned.runs, 'run')} {would}, {counted(pruned.entries, 'entry')}")
        for line in _details(pruned, screen):
            screen.line(f"  {line}", "dim")
    short = short_ids(pruned.kept_runs)
    for why, count in pruned.kept.items():
        named = [short[run_id] for run_id, reason in pruned.kept_runs.items() if reason == why]
        if count > len(named):
            named.append("and more")
        screen.line(f"kept: {counted(count, 'run')} {_KEPT[why]}", "yellow")
        screen.line(f"  {', '.join(named)}", "dim")


def _details(pruned: Pruned, screen: Screen) -> Iterator[str]:
    for workflow, count in pruned.workflows.items():
        yield f"{workflow}: {count}"
    yield ", ".join(f"{status}: {count}" for status, count in pruned.statuses.items())
    if pruned.oldest is not None and pruned.newest is not None:
        first, last = screen.when(pruned.oldest).human, screen.when(pruned.newest).human
        yield f"ended {first}" if first == last else f"ended {first} to {last}"
    if pruned.tombstones:
        left = "would leave" if pruned.planned else "left"
        yield f"{pruned.tombstones} {left} a tombstone: the same start finds what became of it"
