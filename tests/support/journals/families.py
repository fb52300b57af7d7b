"""Histories of runs that belong together: keys, schedules, children, replays."""

from typing import Final

from attrs import evolve

from squidmesh_core.definition.spec import Spec, StepNode
from squidmesh_core.ids import AttemptKey, NodeName, RunId, child_run_id, derived_run_id
from squidmesh_core.protocol.entries import Parent, Reused, RunPruned, Schedule
from support.journals.sagas import undoable, undone
from support.journals.writing import Writing
from support.scenario import BOOM, RUN, SECOND
from support.workflows import route, step, workflow

COPY: Final = RunId("0193e2a0-7b3c-7d10-8f00-cba987654321")


def _plain() -> Spec:
    return workflow(step("a"))


def keyed() -> Writing:
    """A start with a key; the key makes the run's id."""
    spec = _plain()
    run = Writing(spec, derived_run_id(spec.workflow, "placed", "order-1"))
    run.page(run.receipt("start", key="order-1"), run.started({}), run.scheduled("a"))
    return run


def on_schedule() -> Writing:
    """A start for a window of a schedule; the window makes the run's id."""
    spec = _plain()
    run = Writing(spec, derived_run_id(spec.workflow, "placed", "window-1"))
    slot = Schedule(cron="@daily", timezone="UTC", window="2026-01-01", signal_id="window-1")
    run.page(run.receipt("start"), run.started({}, schedule=slot), run.scheduled("a"))
    return run


def child() -> Writing:
    """A run that another run's step started; all of that makes its id."""
    spec = _plain()
    parent = Parent(run_id=RUN, step=NodeName("each"), child_key="1")
    run = Writing(spec, child_run_id(RUN, "each", spec.workflow, "placed", "1"))
    run.page(run.receipt("start"), run.started({}, parent=parent), run.scheduled("a"))
    return run


def _final(name: str) -> StepNode:
    return evolve(step(name, output=name), irreversible=True, compensatable=False)


def finished() -> Writing:
    """A run to be made again; its second step cannot be undone."""
    run = Writing(
        workflow(evolve(undoable("a"), output="a"), _final("b"), routes=(route("a", "b"),))
    )
    run.begin(run.scheduled("a"), amount=5)
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1", 1), run.applied("a", to="b"), run.scheduled("b"))
    run.page(run.claimed("b:1"))
    run.page(run.completed("b:1", 2), run.applied("b", to="complete"), run.ended("completed"))
    return run


def replayed() -> Writing:
    """The same once more, from the start; somebody allowed what cannot be undone."""
    run = Writing(finished().spec, COPY)
    run.page(
        run.receipt("replay", allow_irreversible=True),
        run.started({"amount": 5}, replayed_from=RUN),
        run.scheduled("a"),
    )
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1", 1), run.applied("a", to="b"), run.scheduled("b"))
    return run


def forked() -> Writing:
    """The same once more, from the second step; the first one's result is brought along."""
    run = Writing(finished().spec, COPY)
    run.page(
        run.receipt("replay", allow_irreversible=True, from_step="b"),
        run.started({"amount": 5}, replayed_from=RUN, forked_at=NodeName("b")),
        run.applied("a", back=None, to="b", reused=Reused(run_id=RUN, value=1)),
        run.scheduled("b"),
    )
    return run


def undone_again() -> Writing:
    """What could not be undone in `sagas.undone` is tried once more."""
    source = undone()
    run = Writing(source.spec, COPY)
    handed = f"{RUN}:compensate:b:1"
    reused = Reused(run_id=RUN, value=2, input={}, undo_key=handed)
    run.page(
        run.receipt("retry_compensation"),
        run.started({}, replayed_from=RUN),
        run.applied("b", back=None, reused=reused),
        run.undoing("c", BOOM),
        run.undo("b", handed=handed),
    )
    run.page(run.claimed("compensate:b:1"))
    run.page(run.completed("compensate:b:1"), run.undone("b"), run.ended("failed", "c", BOOM))
    return run


def left_of(run: Writing) -> RunPruned:
    """What is left of a run once it is pruned."""
    return RunPruned(
        at=run.now,
        workflow=run.spec.workflow,
        definition=run.spec.fingerprint,
        trigger="placed",
        digest="d" * 64,
        status="completed",
        started_at=run.now - SECOND,
        ended_at=run.now - SECOND,
    )


def pruned() -> Writing:
    """A run that was started with a key, and of which only a tombstone is left."""
    spec = _plain()
    run = Writing(spec, derived_run_id(spec.workflow, "placed", "order-1"))
    run.page(left_of(run))
    return run


def second_child() -> Writing:
    """A child of a step's second visit, which is part of its id."""
    spec = _plain()
    parent = Parent(
        run_id=RUN,
        step=NodeName("each"),
        child_key="1",
        attempt_key=AttemptKey(f"{RUN}:each@2:1"),
    )
    run = Writing(spec, child_run_id(RUN, "each@2", spec.workflow, "placed", "1"))
    run.page(run.receipt("start"), run.started({}, parent=parent), run.scheduled("a"))
    return run


STORIES: Final = (
    keyed,
    on_schedule,
    child,
    second_child,
    finished,
    replayed,
    forked,
    undone_again,
    pruned,
)
