"""`squidmesh approve`: say yes at an approval."""

from typing import Unpack

import click

from squidmesh.cli.commanding import Manner, manner_options
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.payloads import options_for
from squidmesh.cli.reviewing import Form, review
from squidmesh.cli.session import Session


@click.command("approve")
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
    Say yes at an approval of RUN.

    Who decides must be said with --by.  The run goes where the answer led when
    the approval was opened.
    """
    return review(session, run, "approved", node, Form(data=data, pairs=pairs), **manner)
