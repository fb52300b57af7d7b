"""`squidmesh retry-compensation`: undo, in a new run, what an ended one has left."""

from collections.abc import Iterator
from typing import Unpack

import click

from squidmesh.cli.begetting import report
from squidmesh.cli.commanding import Who, ask, command_options, receipted, who_options
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.session import Session, find_run
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.views.words import LEFT


@click.command("retry-compensation")
@click.argument("run")
@who_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def command(session: Session, /, *, run: str, yes: bool, **who: Unpack[Who]) -> int:
    """
    Undo, in a new run, what the ended RUN has left; prints the new id when piped.

    The callbacks get the idempotency keys that RUN gave them.  Asked again, the
    run that is there is found.
    """
    screen = session.screen
    receipted("retry_compensation", who)
    with session.mesh(must_exist=True) as mesh:
        before = mesh.inspect(find_run(mesh, run))
        effects = tuple(_effects(before))
        if effects and not yes:
            ask(screen, before, effects, "retry_compensation")
        begun = mesh.retry_compensation(before, **command_options(who))
        report(mesh, begun, "retry_compensation", screen, key=who["key"])
    return DONE


def _effects(before: Snapshot) -> Iterator[str]:
    """What a new run would undo, and what it cannot; nothing: the command will be refused."""
    recovery = before.compensation.recovery if before.compensation else ()
    known = [left for left in recovery if left.reason != "effect_unknown"]
    for left in reversed(known):
        yield f"{left.step!r} is undone: {LEFT[left.reason]} before"
    if known:
        for left in recovery:
            if left.reason == "effect_unknown":
                yield f"{left.step!r} is left alone: {LEFT[left.reason]}"
