"""`squidmesh retry-compensation`: undo, in a new run, what an ended one has left."""

from collections.abc import Iterator, Sequence
from typing import Unpack

import click

from squidmesh.cli.begun import report
from squidmesh.cli.commanding import Manner, ask, command_options, manner_options, receipted
from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session, find_run
from squidmesh.door.outcomes import answered
from squidmesh.steering import asking, replaying
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.views.inspection import Run
from squidmesh_core.views.words import LEFT


@click.command("retry-compensation")
@click.argument("run", type=RUN)
@manner_options
@common
def command(session: Session, /, *, run: str, **manner: Unpack[Manner]) -> int:
    """
    Undo, in a new run, what the ended RUN has left; prints the new id when piped.

    The callbacks get the idempotency keys that RUN gave them.  Asked again, the
    run that is there is found.
    """
    screen, options = session.screen, command_options(manner)
    receipted("retry_compensation", manner)
    with session.mesh(must_exist=True) as mesh:
        before = mesh.inspect(find_run(mesh, run))
        request = asking.retry_compensation(before, options)
        foreseen = answered(replaying.taken_up(mesh.door, request, None))
        if not foreseen.duplicate:
            effects = tuple(_effects(before))
            if manner["dry_run"]:
                _show(foreseen, effects, screen)
                return DONE
            if not manner["yes"]:
                ask(screen, before, effects, "retry_compensation")
        begun = mesh.retry_compensation(before, **options)
        report(mesh, begun, "retry_compensation", screen, key=manner["key"])
    return DONE


def _show(foreseen: Run, effects: Sequence[str], screen: Screen) -> None:
    """What would be begun, and what that would undo."""
    source = foreseen.replayed_from
    match screen.form:
        case "json":
            screen.document("retry-plan/1", source=source, run=foreseen.id, effects=list(effects))
        case "plain":
            for effect in effects:
                screen.fields(foreseen.id, effect)
        case "human":
            screen.line(f"{source}  would be taken up in a new run: {foreseen.id}")
            for effect in effects:
                screen.line(f"  {effect}", "dim")


def _effects(before: Snapshot) -> Iterator[str]:
    """What a new run would undo, and what it cannot."""
    recovery = before.compensation.recovery if before.compensation else ()
    for left in reversed(recovery):
        if left.reason != "effect_unknown":
            yield f"{left.step!r} is undone: {LEFT[left.reason]} before"
    for left in recovery:
        if left.reason == "effect_unknown":
            yield f"{left.step!r} is left alone: {LEFT[left.reason]}"
