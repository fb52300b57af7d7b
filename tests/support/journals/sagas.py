"""Histories of runs that are undone, each as it should be."""

from typing import Final

from attrs import evolve

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.values import RetryPolicy
from support.journals.writing import Writing
from support.scenario import BOOM, LEASE, SECOND
from support.workflows import route, step, workflow

ONCE: Final = RetryPolicy(max_attempts=1)
STUCK: Final = Failure(kind="Stuck")


def undoable(name: str, *after: str) -> StepNode:
    """A step with a callback that is tried once."""
    return StepNode(
        name=NodeName(name),
        action=f"do.{name}",
        after=tuple(map(NodeName, after)),
        compensate=f"undo.{name}",
        compensate_retry=ONCE,
    )


def _three() -> Spec:
    return workflow(
        undoable("a"), undoable("b"), step("c"), routes=(route("a", "b"), route("b", "c"))
    )


def _two_done(run: Writing) -> None:
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1", 1), run.applied("a", to="b"), run.scheduled("b"))
    run.page(run.claimed("b:1"))
    run.page(
        run.completed("b:1", 2), run.applied("b", to="c"), run.scheduled("c"), run.claimed("c:1")
    )


def undone() -> Writing:
    """The third step fails; undoing the second fails too, undoing the first does not."""
    run = Writing(_three())
    _two_done(run)
    run.page(run.failed("c:1"), run.undoing("c", BOOM), run.undo("b"))
    run.page(run.claimed("compensate:b:1"))
    run.page(run.failed("compensate:b:1", STUCK), run.undo("a"))
    run.page(run.claimed("compensate:a:1"))
    run.page(
        run.completed("compensate:a:1"),
        run.undone("a"),
        run.ended("failed", "c", BOOM, b="compensation_failed"),
    )
    return run


def given_up() -> Writing:
    """A person ends the undoing half-way."""
    run = Writing(_three())
    _two_done(run)
    run.page(run.failed("c:1"), run.undoing("c", BOOM), run.undo("b"))
    run.page(
        run.receipt("cancel", abandon=True), run.ended("cancelled", a="abandoned", b="abandoned")
    )
    return run


def called_off() -> Writing:
    """A person cancels and wants everything undone; the step that is held finishes first."""
    run = Writing(_three())
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(run.receipt("cancel", compensate=True), run.undoing())
    run.page(run.completed("a:1", 1), run.applied("a"), run.undo("a"))
    run.page(run.claimed("compensate:a:1"))
    run.page(run.completed("compensate:a:1"), run.undone("a"), run.ended("cancelled"))
    return run


def with_siblings() -> Writing:
    """One branch fails while two others are held: one finishes and is undone, one is lost."""
    run = Writing(workflow(undoable("a"), undoable("b"), undoable("c"), step("d", after=("a",))))
    run.begin(*(run.scheduled(name) for name in "abc"))
    run.page(*(run.claimed(f"{name}:1") for name in "abc"))
    run.page(run.failed("a:1"), run.undoing("a", BOOM))
    run.page(run.completed("b:1"), run.applied("b"), after=LEASE)
    run.page(run.lost("c:1"), run.undo("b"))
    run.page(run.claimed("compensate:b:1"))
    run.page(
        run.completed("compensate:b:1"),
        run.undone("b"),
        run.ended("failed", "a", BOOM, c="effect_unknown"),
    )
    return run


def partly() -> Writing:
    """Only the first of two finished steps has a callback."""
    spec = workflow(undoable("a"), step("b"), step("c"), routes=(route("a", "b"), route("b", "c")))
    run = Writing(spec)
    _two_done(run)
    run.page(run.failed("c:1"), run.undoing("c", BOOM), run.undo("a"))
    return run


def put_off() -> Writing:
    """While one step fails, another one defers: nobody knows what it did."""
    run = Writing(workflow(undoable("a"), undoable("b"), step("d", after=("a",))))
    run.begin(run.scheduled("a"), run.scheduled("b"))
    run.page(run.claimed("a:1"), run.claimed("b:1"))
    run.page(run.failed("a:1"), run.undoing("a", BOOM))
    run.page(
        run.completed("b:1", deferred=True), run.ended("failed", "a", BOOM, b="effect_unknown")
    )
    return run


def insisted() -> Writing:
    """A callback fails and is tried again; the failed branch goes on waiting for it."""
    node = evolve(undoable("a"), compensate_retry=None)
    run = Writing(workflow(node, step("b"), routes=(route("a", "b"),)))
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1", 1), run.applied("a", to="b"), run.scheduled("b"))
    run.page(run.claimed("b:1"))
    run.page(run.failed("b:1"), run.undoing("b", BOOM), run.undo("a"))
    run.page(run.claimed("compensate:a:1"))
    run.page(run.failed("compensate:a:1", STUCK, retry=SECOND), after=SECOND)
    run.page(run.claimed("compensate:a:2"))
    run.page(run.completed("compensate:a:2"), run.undone("a"), run.ended("failed", "b", BOOM))
    return run


STORIES: Final = (insisted, undone, given_up, called_off, with_siblings, partly, put_off)
