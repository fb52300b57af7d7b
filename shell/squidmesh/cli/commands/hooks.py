"""`squidmesh hooks`: who is told of what, and which telling fails."""

from typing import Final

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.roles import seen_as, shown
from squidmesh.cli.screen import Cell, Screen
from squidmesh.cli.session import Session
from squidmesh_core.views.hooks import Hook

_HEADINGS: Final = ("hook", "event", "since", "seen", "waiting", "failing", "next call", "problem")
_NOBODY: Final = "nobody is told of anything; `mesh.on(event, function)` begins"


@click.command("hooks")
@click.option("--forget", metavar="NAME", help="Forget this hook, with all that waits for it.")
@common
@seen_as
def command(session: Session, /, *, forget: str | None) -> int:
    """
    List the hooks: functions that workers call when something happened to a run.

    One that fails is called again, after 1 second and up to every 5 minutes.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        hooks = mesh.hooks() if forget is None else mesh.forget_hook(forget)
    if forget is not None and not hooks:
        raise click.UsageError(f"there is no hook called {forget}")
    hooks = shown(session, hooks)
    if screen.form == "json":
        documents = [hook.to_dict() for hook in hooks]
        screen.listing("hooks/1", "hooks", documents, line="hook/1")
    elif forget is None:
        screen.listed(_HEADINGS, [_row(hook, screen) for hook in hooks], _NOBODY)
    else:
        _say_forgotten(hooks, screen)
    return DONE


def _say_forgotten(hooks: tuple[Hook, ...], screen: Screen) -> None:
    for hook in hooks:
        if screen.form == "plain":
            screen.fields(hook.name, hook.event, "forgotten")
        else:
            screen.line(f"{hook.name}  forgotten for {hook.event}")
            if hook.pending:
                screen.line(f"  never told of: {_waiting(hook)}", "dim")


def _row(hook: Hook, screen: Screen) -> tuple[Cell, ...]:
    failing = hook.failing
    return (
        Cell.of(hook.name, "bold"),
        Cell.of(hook.event),
        screen.when(hook.since),
        screen.when(hook.seen_at),
        Cell.of(_waiting(hook)),
        Cell(human=str(len(failing) or ""), plain=str(len(failing)), style="red"),
        screen.when(min((one.next_at for one in failing if one.next_at), default=None)),
        Cell.of(failing[0].problem if failing else "", "red"),
    )


def _waiting(hook: Hook) -> str:
    return f"{hook.pending}{'+' if hook.more else ''}"
