"""
A shop whose journal was kept by every release: `tests/upgrades/stored` has what they wrote.

    python -m support.kept URL FILE    fill an empty journal, and write its tables down as SQL

The public surface that this uses has not changed since the first journals, so that an
earlier squidmesh on the path writes what it wrote then.
"""

import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from squidmesh import (
    Deadline,
    Fail,
    Mesh,
    Retries,
    Run,
    Workflow,
    approval,
    manual,
    receive,
    step,
)

#: Nothing in a stored journal is later.
LATER = datetime(2026, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOW = Retries(3, backoff="exponential", first="1h", cap="2h")


@dataclass(frozen=True)
class Order:
    """What is ordered, and how its payment goes."""

    order_id: str
    card: str = "good"


@dataclass(frozen=True)
class Review:
    """What is asked of a person."""

    waive_fee: bool = False


@dataclass(frozen=True)
class Settlement:
    """The bank's word."""

    cents: int
    currency: str = "EUR"


def pick(order_id: str) -> str:
    """A step that can be undone."""
    return f"box of {order_id}"


def unpick(done: str) -> None:
    """It fails at first, where the order is stuck."""
    if done.endswith("stuck"):
        raise ConnectionError("the shelf is locked")


def charge(order_id: str, card: str) -> str | Fail:
    """It fails for good, or for a while."""
    if card == "stolen":
        return Fail("the card was stolen", code="stolen")
    if card == "busy":
        raise ConnectionError("no answer")
    return f"payment of {order_id}"


def ship(order_id: str, waive_fee: bool) -> str:
    """The last step."""
    return f"{order_id} shipped{' for nothing' if waive_fee else ''}"


def apologise(order_id: str) -> str:
    """What follows a no."""
    return f"sorry about {order_id}"


class Orders(Workflow, name="kept.Orders"):
    """Steps, a callback, an approval with form and deadline, a message with a correlation."""

    placed = manual(Order)
    order = placed.payload
    box = step(pick, action="pick").takes(order.order_id).undo(unpick, action="unpick", retry=SLOW)
    paid = step(charge, action="charge", retry=SLOW).takes(order.order_id, order.card)
    review = approval("Ship it?", form=Review, deadline=Deadline("2h", due_soon="30m"))
    settled = receive(Settlement, correlation=paid.out)
    parcel = step(ship, action="ship").takes(order.order_id, review.out.form.waive_fee)
    apology = step(apologise, action="apologise").takes(order.order_id)

    box.then(paid).then(review).then(settled).then(parcel)
    review.on_reject(apology)


#: Key of a run → how it stands in a stored journal.
STANDS = {
    "fresh": "running",
    "asked": "paused",
    "told": "idle",
    "early": "running",
    "busy": "running",
    "held": "paused",
    "lost": "running",
    "stuck": "compensating",
    "done": "completed",
}


def begin(mesh: Mesh, key: str) -> Run:
    """Start an order, or find it."""
    card = {"busy": "busy", "stuck": "stolen"}.get(key, "good")
    return mesh.start(Orders.placed, Order(key, card), key=key, queue=key, tags=("kept",))


def approve(mesh: Mesh, run: Run) -> Run:
    """Say yes, or have said it."""
    return mesh.approve(run, by="ana", form=Review(waive_fee=True), key="yes")


def send(mesh: Mesh, run: Run) -> Run:
    """Hand the bank's word on, or have done so."""
    return mesh.send(run, Orders.settled, Settlement(4990), key="settled", by="bank")


def hold(mesh: Mesh, run: Run) -> Run:
    """Stop a run, or have stopped it."""
    return mesh.pause(run, by="olga", note="stock-taking", key="hold")


def fill(mesh: Mesh) -> None:
    """Bring one order to each stand; another was pruned, where there is pruning."""
    runs = {key: begin(mesh, key) for key in (*STANDS, "gone")}
    for key in ("asked", "told", "busy", "held", "stuck", "done", "gone"):
        while mesh.execute_next(queue=key, owner="worker"):
            pass
    send(mesh, runs["early"])
    hold(mesh, runs["held"])
    assert mesh.claim(queue="lost", owner="who never came back", lease="1s") is not None
    for key in ("told", "done", "gone"):
        approve(mesh, runs[key])
    for key in ("done", "gone"):
        send(mesh, runs[key])
        mesh.execute_next(queue=key, owner="worker")
    if hasattr(mesh, "prune"):
        mesh.prune(run=runs["gone"])


def dump(url: str, ddl: str) -> str:
    """The tables of a journal, as SQL."""
    scheme, _, place = url.partition("://")
    if scheme == "sqlite":
        with closing(sqlite3.connect(place[1:])) as file:
            return "\n".join(file.iterdump()) + "\n"
    import psycopg
    from psycopg import sql

    lines = [ddl]
    with psycopg.connect(url) as server:
        tables = server.execute(
            "select relname from pg_class where relnamespace = 'squidmesh'::regnamespace"
            " and relkind = 'r' and relname not in ('schema', 'idle') order by relname"
        ).fetchall()
        for (name,) in tables:
            table = sql.Identifier("squidmesh", name)
            rows = server.execute(sql.SQL("select * from {}").format(table))
            columns = sql.SQL(", ").join(sql.Identifier(one.name) for one in rows.description or ())
            for row in rows.fetchall():
                values = sql.SQL(", ").join(map(sql.Literal, row))
                insert = sql.SQL("insert into {} ({}) values ({});").format(table, columns, values)
                lines.append(insert.as_string(server))
    return "\n".join(lines) + "\n"


def main(url: str, file: str) -> None:
    """Fill an empty journal, and write it down."""
    ddl = ""
    if url.startswith("postgres"):
        from squidmesh.opening import migration_sql

        ddl = migration_sql(url)
    mesh = Mesh.open(url, workflows=[Orders])
    fill(mesh)
    mesh.close()
    Path(file).write_text(dump(url, ddl), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
