"""`squidmesh completion`: what teaches a shell to complete."""

from collections.abc import Mapping
from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from squidmesh.cli.exits import DONE
from squidmesh.cli.options import common
from squidmesh.cli.session import Session

#: click asks the program through this variable while somebody types.
_VARIABLE: Final = "_SQUIDMESH_COMPLETE"
_SHELLS: Final[Mapping[str, type[ShellComplete]]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@common
def command(session: Session, /, *, shell: str) -> int:
    """
    Print the script with which SHELL completes commands, options, runs, workflows and queues.

    `docs/reference/cli.md` tells where to put it.
    """
    from squidmesh.cli.root import root  # which knows this module by its name alone

    script = _SHELLS[shell](root, {}, "squidmesh", _VARIABLE).source()
    if session.screen.form == "json":
        session.screen.document("completion/1", shell=shell, script=script)
    else:
        click.echo(script, nl=not script.endswith("\n"))
    return DONE
