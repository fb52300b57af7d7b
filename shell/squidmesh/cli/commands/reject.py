"""`squidmesh reject`: say no at an approval."""

from typing import Unpack

import click

from squidmesh.cli.commanding import Manner, manner_options
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.payloads import options_for
from squidmesh.cli.reviewing import Form, review
from squidmesh.cli.session import Session


@click.command("reject")
@click.argument("run", type=RUN)
@click.option("--node", help="The approval, where several are open; or its visit key.")
@options_for("form")
@manner_options
@common
def command(
    session: Session,
    /,
    *,
    run: str,
    node: str | None,
    data: str | None,
    pairs: tuple[str, ...],
    **manner: Unpack[Manner],
) -> int:
    """
    Say no at an approval of RUN.

    Who decides must be said with --by.  The run goes where a no leads, or fails
    if it leads nowhere.
    """
    return review(session, run, "rejected", node, Form(data=data, pairs=pairs), **manner)
