"""`squidmesh replay`: do again, in a new run, what a finished one did."""

from functools import partial
from typing import Literal, Unpack

import click
from attrs import field, frozen

from squidmesh.cli.begun import report
from squidmesh.cli.bulking import Many, Page, limit_option, steer_many
from squidmesh.cli.commanding import (
    Manner,
    ask,
    command_options,
    manner_of,
    manner_options,
    receipted,
)
from squidmesh.cli.exits import DONE
from squidmesh.cli.filtering import filter_options, filters_of, resolved
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.screen import Screen
from squidmesh.cli.session import Session, find_run
from squidmesh.mesh import Mesh
from squidmesh.steering import asking, replaying
from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.ids import RunId
from squidmesh_core.views.bulk import Bulk
from squidmesh_core.views.effects import replay_effects
from squidmesh_core.views.inspection import Run


@click.command("replay")
@click.argument("run", type=RUN, required=False)
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
@filter_options
@limit_option
@common
def command(
    session: Session,
    /,
    *,
    run: str | None,
    from_step: str | None,
    allow_irreversible: bool,
    definition: Literal["source", "current"],
    **many: Unpack[Many],
) -> int:
    """
    Do again, in a new run, what the finished RUN did; or all that the filters let through.

    The new run takes the input of RUN, of which nothing changes.  With
    --from-step it also takes over the results from before that node.  Piped, its id
    is printed.

    With filters, as those of `squidmesh runs`, every run is shown with what would
    follow before anything is done; unless --status asks for them, runs that are not
    over are left out.  The same --key replays nothing twice.  Exit code 4 if one of
    them was refused.
    """
    filters = filters_of(run, many)
    receipted("replay", many)
    with session.mesh(must_exist=True) as mesh:
        how = _How(mesh, from_step, definition, allow_irreversible=allow_irreversible)
        if run is not None:
            return _one(session, how, find_run(mesh, run), manner_of(many))
        found, told = resolved(mesh, filters), ""
        if many["key"] is None:
            many["key"] = f"replay-{mesh.door.ports.random_bytes(4).hex()}"
            told = f"--key {many['key']} goes on with these replays, should they be cut off"
        steer = partial(how.many, many)
        return steer_many(session, mesh, "replay", steer, filters=found, many=many, before=told)


@frozen
class _How:
    """How runs are to be replayed."""

    mesh: Mesh
    from_step: str | None
    definition: Literal["source", "current"]
    allow_irreversible: bool = field(kw_only=True)

    def begun(self, source: RunId, manner: Manner) -> bool:
        """Whether the key of a replay began one before: then nothing is done, and nobody asked."""
        request = asking.replay(
            source,
            command_options(manner),
            from_step=self.from_step,
            allow_irreversible=self.allow_irreversible,
            definition=self.definition,
        )
        return replaying.begun(self.mesh.door, request) is not None

    def planned(self, source: RunId) -> ReplayPlan:
        """What a replay would do."""
        return self.mesh.replay(
            source, from_step=self.from_step, definition=self.definition, simulate=True
        )

    def one(self, source: RunId, manner: Manner) -> Run:
        """Replay one run."""
        return self.mesh.replay(
            source,
            from_step=self.from_step,
            allow_irreversible=self.allow_irreversible,
            definition=self.definition,
            **command_options(manner),
        )

    def many(self, manner: Manner, page: Page) -> Bulk:
        """Replay a page of runs."""
        return self.mesh.replay_all(
            page.which,
            key=str(manner["key"]),
            from_step=self.from_step,
            allow_irreversible=self.allow_irreversible,
            definition=self.definition,
            plan=page.plan,
            cursor=page.cursor,
            limit=page.limit,
            by=manner["by"],
            note=manner["note"],
        )


def _one(session: Session, how: _How, source: RunId, manner: Manner) -> int:
    screen = session.screen
    if not how.begun(source, manner):
        plan = how.planned(source)
        if manner["dry_run"]:
            _show(plan, screen)
            return DONE
        if not manner["yes"] and (how.allow_irreversible or not plan.unsafe):
            ask(screen, how.mesh.inspect(source), replay_effects(plan), "replay")
    again = how.one(source, manner)
    report(how.mesh, again, "replay", screen, key=manner["key"])
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
            for effect in replay_effects(plan):
                screen.line(f"  {effect}", "red" if effect.startswith("unsafe") else "dim")


def _parts(plan: ReplayPlan) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("reused", plan.reused), ("again", plan.again), ("unsafe", plan.unsafe)
