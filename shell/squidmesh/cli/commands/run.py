"""`squidmesh run`: start a workflow and drive it to its end in this process."""

from typing import Final

import click

from squidmesh.catalogue import queues_of
from squidmesh.cli.following import follow
from squidmesh.cli.naming import STARTABLE
from squidmesh.cli.options import common
from squidmesh.cli.payloads import payload_options, read_payload
from squidmesh.cli.session import Session
from squidmesh.cli.targets import opened

#: Where a run is kept if no journal is configured.
_NOWHERE: Final = "memory://"
#: Progress rides on heartbeats, which come every third of this: people are watching.
_LEASE: Final = "6s"


@click.command("run")
@click.argument("workflow", type=STARTABLE, metavar="[MODULE:]WORKFLOW[.TRIGGER]")
@payload_options
@click.option("--key", help="The same key again finds the same run.")
@click.option(
    "--concurrency",
    "-c",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Steps at once.",
)
@common
def command(
    session: Session,
    /,
    *,
    workflow: str,
    data: str | None,
    pairs: tuple[str, ...],
    key: str | None,
    concurrency: int,
) -> int:
    """
    Start a workflow and drive it to its end in this process.

    Without MODULE, the name is one that the application registered.

    Without a configured journal the run is kept in memory and ends with the
    process.  With one, other work on the same queues is done in passing.
    """
    with opened(session, workflow, fallback=_NOWHERE) as (mesh, target):
        started = target.start(mesh, read_payload(data, pairs, target.fields), key=key)
        queues = sorted({started.queue, *queues_of(target.spec)})
        with mesh.worker(concurrency=concurrency, queues=queues, lease=_LEASE):
            return follow(session, mesh, started.id)
