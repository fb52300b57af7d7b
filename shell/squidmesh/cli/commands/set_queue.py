"""`squidmesh set-queue`: limit a queue."""

import click

from squidmesh.cli.exits import DONE
from squidmesh.cli.naming import QUEUE
from squidmesh.cli.options import common
from squidmesh.cli.queueing import limits_text, queue_document, word_options
from squidmesh.cli.session import Session
from squidmesh.queues.limits import QueueLimits


def _number(ctx: click.Context, param: click.Parameter, text: str | None) -> int | str | None:
    """A number of attempts, or `none`."""
    if text is None or text == "none":
        return text
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise click.BadParameter("expected a number from 1, or none", ctx, param)


@click.command("set-queue")
@click.argument("name", type=QUEUE)
@click.option("--concurrency", metavar="N", callback=_number, help="Attempts held at once.")
@click.option("--per-key", metavar="N", callback=_number, help="The same, of each partition key.")
@click.option("--rate", metavar="N/TIME", help="Starts in a time: 5/s, 100/m, 10/15m.")
@click.option("--burst", metavar="N", callback=_number, help="Starts at once after a pause.")
@word_options
@common
def command(
    session: Session,
    /,
    *,
    name: str,
    concurrency: int | str | None,
    per_key: int | str | None,
    rate: str | None,
    burst: int | str | None,
    by: str | None,
    note: str | None,
) -> int:
    """
    Limit the queue NAME; what is left out stays, `none` takes a limit away.

    Workers everywhere go by it within a second; what runs already goes on.
    """
    limits: QueueLimits = {"by": by, "note": note}
    if concurrency is not None:
        limits["concurrency"] = _limit(concurrency)
    if per_key is not None:
        limits["per_key"] = _limit(per_key)
    if rate is not None:
        limits["rate"] = None if rate == "none" else rate
    if burst is not None:
        limits["burst"] = _limit(burst)
    if limits.keys() <= {"by", "note"}:
        raise click.UsageError("say what limits it: --concurrency, --per-key, --rate or --burst")
    screen = session.screen
    with session.mesh() as mesh:
        queue = mesh.set_queue(name, **limits)
    match screen.form:
        case "json":
            screen.document("queue/1", queue=queue_document(queue))
        case "plain":
            screen.fields(queue.name, limits_text(queue))
        case "human":
            screen.line(f"{queue.name}  {limits_text(queue) or 'no limits'}")
    return DONE


def _limit(number: int | str) -> int | None:
    return number if isinstance(number, int) else None
