"""
Workflows whose steps write a line of the host's, then do what the test wants.

    ACTS["explode"] = explode          what a step does once it has written
    posted(mesh, "explode")            a run whose step did so
"""

from collections.abc import Callable
from typing import Final, cast

from attrs import frozen

from squidmesh import Defer, Fail, Mesh, Retries, Retry, Run, TxContext, Workflow, manual, step

#: What a step does once it has written, by the name in its payload.
ACTS: Final[dict[str, Callable[[TxContext], object]]] = {}


@frozen
class Posting:
    """The payload of a run."""

    line: str
    #: What the step does once it has written.
    then: str = "return"


def post(tx: TxContext, line: str, then: str) -> str | Retry | Defer | Fail:
    """Write a line, then do as the test wants."""
    tx.connection.execute(f"insert into ledger values ('{line}')")
    answer = ACTS[then](tx)
    return cast("str | Retry | Defer | Fail", answer)


async def post_async(tx: TxContext, line: str) -> str:
    """The same, as a coroutine."""
    tx.connection.execute(f"insert into ledger values ('{line}')")
    return line


def render(entry: str) -> str:
    """What follows the commit."""
    return f"{entry}.pdf"


class Ledger(Workflow):
    """A transactional step and what follows it."""

    due = manual(Posting)
    post = step(post, transaction=True).takes(due.payload.line, due.payload.then)
    pdf = step(render).takes(post.out)
    post.then(pdf)


class Patient(Workflow):
    """One with a retry policy."""

    due = manual(Posting)
    post = step(post, transaction=True, retry=Retries(3)).takes(due.payload.line, due.payload.then)


class Hasty(Workflow):
    """One with a time limit."""

    due = manual(Posting)
    post = step(post, transaction=True, timeout="50ms").takes(due.payload.line, due.payload.then)


class Async(Workflow):
    """An async step."""

    due = manual(Posting)
    post = step(post_async, transaction=True).takes(due.payload.line)


def posted(mesh: Mesh, then: str = "return", *, by: type[Ledger | Patient | Hasty] = Ledger) -> Run:
    """A run whose step was performed, as often as it may be."""
    run = mesh.start(by.due, Posting("A-1", then))
    mesh.drain()
    return run


def give(answer: object) -> Callable[[TxContext], object]:
    """A step that returns this."""
    return lambda _tx: answer


def explode(_tx: TxContext) -> object:
    """A step that raises."""
    raise ZeroDivisionError("oops")
