"""`squidmesh send`: hand a message to a run."""

from typing import Unpack

import click

from squidmesh import checks
from squidmesh.cli.commanding import Sending, dry_option, steer, who_options
from squidmesh.cli.naming import RUN
from squidmesh.cli.options import common
from squidmesh.cli.payloads import options_for, read_payload
from squidmesh.cli.session import Session
from squidmesh.steering.answering import message_of
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.definition.spec import ReceiveNode
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.requests import Operation


@click.command("send")
@click.argument("run", type=RUN)
@click.argument("node")
@options_for("message")
@who_options
@dry_option
@common
def command(
    session: Session,
    /,
    *,
    run: str,
    node: str,
    data: str | None,
    pairs: tuple[str, ...],
    **manner: Unpack[Sending],
) -> int:
    """
    Hand a message to RUN, for its NODE.

    It goes to the visit that has waited longest; if none waits yet, it is kept
    until one does.
    """

    def make(before: Snapshot, said: Receipted) -> Operation:
        checks.text("node", node)
        declared = before.spec.nodes.get(NodeName(node))
        fields = declared.message if isinstance(declared, ReceiveNode) else ()
        message = message_of(node, read_payload(data, pairs, fields, "message"))
        return requests.send(before.id, said, node=node, payload=message)

    return steer(session, run, "send", make, yes=True, **manner)
