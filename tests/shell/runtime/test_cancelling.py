"""Running steps learn that nobody wants their result, or that it will be undone."""

import threading

from attrs import evolve

from squidmesh import Context, Fail
from support.stage import Stage, does
from support.workflows import step as node
from support.workflows import workflow

SIDE_BY_SIDE = workflow(
    evolve(node("book", output="book"), compensate="do.unbook"),
    node("pay"),
    node("ship", after=("book", "pay")),
)


def test_a_step_is_told_that_its_run_undoes_and_its_result_still_counts(stage: Stage) -> None:
    """`ctx.cancelled`, not `ctx.lost`: what it finishes is taken in, and undone."""
    seen: list[object] = []
    inside = threading.Event()

    def book(ctx: Context) -> str:
        inside.set()
        while not ctx.cancelled:
            pass
        seen.append((ctx.cancelled, ctx.lost))
        return "seat 7"

    def pay() -> None:
        assert inside.wait(20)
        raise Fail("card declined")

    def unbook(done: str) -> None:
        seen.append(done)

    mesh = stage.mesh()
    actions = does(book=book, pay=pay, unbook=unbook, ship=lambda: None)
    run = mesh.start_spec(SIDE_BY_SIDE, "placed", {}, actions=actions)
    with mesh.worker(concurrency=2, lease="60ms"):
        mesh.wait_for(run, timeout="20s")

    snapshot = mesh.inspect(run)
    assert [(True, False), "seat 7"] == seen
    assert ("failed", "seat 7") == (snapshot.status, snapshot.context["book"])
    assert snapshot.compensation is not None
    assert ["compensated"] == [one.status for one in snapshot.compensation.steps]


def test_a_callback_is_not_told_to_stop(stage: Stage) -> None:
    """It is what the run now wants; its heartbeats say nothing else."""
    seen: list[bool] = []
    beaten = threading.Event()

    def unbook(ctx: Context, done: str) -> None:
        beaten.wait(20)
        seen.append(ctx.cancelled)

    mesh = stage.mesh()
    actions = does(book=lambda: "seat 7", pay=fails, unbook=unbook, ship=lambda: None)
    run = mesh.start_spec(SIDE_BY_SIDE, "placed", {}, actions=actions)
    with mesh.worker(concurrency=1, lease="60ms"):
        while "attempt_heartbeat" not in [entry.type for entry in mesh.journal(run)]:
            pass
        beaten.set()
        mesh.wait_for(run, timeout="20s")

    assert [False] == seen


def fails() -> None:
    raise Fail("card declined")
