"""A verb of the mesh itself in a transactional step on SQLite, where nobody else can write."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context

import pytest

from squidmesh import Mesh, TxContext, Workflow, manual, step

#: What the steps do.
ACTS: list[Callable[[], object]] = []


def act(tx: TxContext) -> None:
    """Do it."""
    ACTS[0]()


async def act_on_the_loop(tx: TxContext) -> None:
    """Do it on the loop's thread, and in a task."""

    async def do() -> None:
        ACTS[0]()

    await asyncio.create_task(do())


class Blocking(Workflow, name="tests.Blocking"):
    """A sync step."""

    asked = manual()
    acting = step(act, transaction=True)


class OnLoop(Workflow, name="tests.OnLoop"):
    """An async one."""

    asked = manual()
    acting = step(act_on_the_loop, transaction=True)


@pytest.fixture
def mesh(sqlite_url: str) -> Iterator[Mesh]:
    """A mesh that performs them."""
    with Mesh.open(sqlite_url, workflows=[Blocking, OnLoop]) as made:
        yield made


VERBS: dict[str, Callable[[Mesh], object]] = {
    "start": lambda mesh: mesh.start(Blocking.asked),
    "drain": lambda mesh: mesh.drain(),
    "pause_queue": lambda mesh: mesh.pause_queue("default"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("workflow", [Blocking, OnLoop])
def test_what_would_wait_for_the_step_itself_is_told_so(
    mesh: Mesh, workflow: type[Blocking] | type[OnLoop], verb: str
) -> None:
    """At once; nothing was done, and the text names the way."""
    ACTS[:] = [lambda: VERBS[verb](mesh)]
    run = mesh.start(workflow.asked)
    mesh.start(Blocking.asked)
    mesh.drain(limit=1)

    error = mesh.inspect(run).error
    assert error is not None
    assert "StorageError" == error.kind
    assert "mesh.using(tx.connection)" in error.message


def test_what_a_step_leaves_behind_may_write_when_it_has_ended(mesh: Mesh) -> None:
    """The transaction is over then, and in nobody's way."""
    kept: list[Context] = []
    ACTS[:] = [lambda: kept.append(copy_context())]
    mesh.start(Blocking.asked)
    mesh.drain()

    assert "running" == kept[0].run(mesh.start, Blocking.asked).status
