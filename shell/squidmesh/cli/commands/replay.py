"""`squidmesh replay`: do again, in a new run, what a finished one did."""

from typing import Literal, Unpack

import click

from squidmesh.cli.begetting import report
from squidmesh.cli.commanding import Manner, ask, command_options, manner_options, receipted
from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session, find_run
from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.views.words import quoted


@click.command("replay")
@click.argument("run")
@click.option("--from-step", metavar="NODE", help="Begin here, with the results from before.")
@click.option("--allow-irreversible", is_flag=True, help="Repeat steps that cannot be undone.")
@click.option(
    "--definition",
    type=click.Choice(["source", "current"]),
    default="source",
    show_default=True,
    help="The definition that RUN kept, or the one in --app now.",
)
@manner_options
@common
def command(
    session: Session,
    /,
    *,
    run: str,
    from_step: str | None,
    allow_irreversible: bool,
    definition: Literal["source", "current"],
    **manner: Unpack[Manner],
) -> int:
    """
    Do again, in a new run, what the finished RUN did; prints the new id when piped.

    The new run takes the input of RUN, of which nothing changes.  With
    --from-step it also takes over the results from before that node.
    """
    screen = session.screen
    receipted("replay", manner)
    with session.mesh(must_exist=True) as mesh:
        source = find_run(mesh, run)
        plan = mesh.replay(source, from_step=from_step, definition=definition, simulate=True)
        if manner["dry_run"]:
            _show(plan, screen)
            return DONE
        if not manner["yes"] and (allow_irreversible or not plan.unsafe):
            ask(screen, mesh.inspect(source), _effects(plan), "replay")
        again = mesh.replay(
            source,
            from_step=from_step,
            allow_irreversible=allow_irreversible,
            definition=definition,
            **command_options(manner),
        )
        report(mesh, again, "replay", screen, key=manner["key"])
    return DONE


def _show(plan: ReplayPlan, screen: Screen) -> None:
    match screen.form:
        case "json":
            screen.document(
                "replay-plan/1",
                source=plan.source,
                definition=plan.definition,
                from_step=plan.from_step,
                reused=list(plan.reused),
                again=list(plan.again),
                unsafe=list(plan.unsafe),
            )
        case "plain":
            for kind, names in _parts(plan):
                for name in names:
                    screen.fields(kind, name)
        case "human":
            screen.line(f"{plan.source}  would be replayed in a new run")
            for effect in _effects(plan):
                screen.line(f"  {effect}", "red" if effect.startswith("unsafe") else "dim")


def _effects(plan: ReplayPlan) -> tuple[str, ...]:
    begins = f"begins at {plan.from_step!r}" if plan.from_step else "begins at the beginning"
    parts = {kind: quoted(names) for kind, names in _parts(plan) if names}
    said = {
        "reused": "taken over, not run again",
        "again": "run again, as far as the new run comes to it",
        "unsafe": "unsafe, cannot be undone and would be repeated",
    }
    return (begins, *(f"{said[kind]}: {names}" for kind, names in parts.items()))


def _parts(plan: ReplayPlan) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("reused", plan.reused), ("again", plan.again), ("unsafe", plan.unsafe)
