"""Histories of steps, waits and joins, each as it should be."""

from typing import Any, Final

from attrs import evolve

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.entries import AttemptFailed, Deadline, Failure
from squidmesh_core.values import Compare, DeadlinePolicy, Exponential, FromPath, RetryPolicy
from support.journals.writing import Writing
from support.scenario import BOOM, LEASE, SECOND
from support.workflows import diamond, log, route, step, wait, workflow

SOON: Final = DeadlinePolicy(within_ms=1_000)
RETRY: Final = RetryPolicy(max_attempts=2, backoff=Exponential(min_ms=1_000, max_ms=60_000))


def _chain() -> Spec:
    return workflow(
        step("a", output="a"), step("b", retry=RETRY, output="b"), routes=(route("a", "b"),)
    )


def chained() -> Writing:
    """Two steps, the second at its second attempt; a heartbeat on the way."""
    run = Writing(_chain())
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"), after=SECOND)
    run.page(run.heartbeat("a:1"), after=SECOND)
    run.page(
        run.completed("a:1", 1), run.applied("a", to="b"), run.scheduled("b"), run.claimed("b:1")
    )
    run.page(run.failed("b:1", retry=SECOND), after=SECOND)
    run.page(run.claimed("b:2"))
    run.page(run.completed("b:2", 2), run.applied("b", to="complete"), run.ended("completed"))
    return run


def on_lanes() -> Writing:
    """A start names a lane; a step may have one of its own."""
    lane: dict[str, Any] = {"queue": "bulk", "priority": 3}
    own: dict[str, Any] = {"queue": "mail", "priority": -1}
    run = Writing(workflow(step("a"), step("b", **own), routes=(route("a", "b"),)))
    run.page(run.receipt("start"), run.started({}, **lane), evolve(run.scheduled("a"), **lane))
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1"), run.applied("a", to="b"), evolve(run.scheduled("b"), **own))
    return run


def taken_over() -> Writing:
    """A lease ends, somebody else claims, and completes."""
    run = Writing(workflow(step("a")))
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"), after=LEASE)
    run.page(run.claimed("a:1"), after=SECOND)
    run.page(run.completed("a:1"), run.applied("a", to="complete"), run.ended("completed"))
    return run


def lost() -> Writing:
    """An attempt is delivered as often as allowed; its error route leads on."""
    spec = workflow(step("a", max_deliveries=1), step("b"), routes=(route("a", "b", on="error"),))
    run = Writing(spec)
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"), after=LEASE)
    run.page(run.lost("a:1"), run.applied("a", back=None, to="b", on="error"), run.scheduled("b"))
    run.page(run.claimed("b:1"))
    run.page(run.failed("b:1"), run.ended("failed", "b", BOOM))
    return run


def held_back() -> Writing:
    """A step says: same work, later."""
    run = Writing(workflow(step("a")))
    first = run.scheduled("a")
    run.begin(first)
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1", deferred=True), run.continued("a:1", first, SECOND), after=SECOND)
    run.page(run.claimed("a:1:deferred"))
    run.page(run.completed("a:1:deferred"), run.applied("a", to="complete"), run.ended("completed"))
    return run


def joined() -> Writing:
    """`pick`, then `pack` and `bill` side by side, then `ship`."""
    run = Writing(diamond())
    run.begin(run.scheduled("pick"))
    run.page(run.claimed("pick:1"))
    run.page(
        run.completed("pick:1", 1),
        run.applied("pick"),
        run.scheduled("pack"),
        run.scheduled("bill"),
    )
    run.page(run.claimed("pack:1"), run.claimed("bill:1"))
    run.page(run.completed("pack:1", 2), run.applied("pack"))
    run.page(run.completed("bill:1", 3), run.applied("bill"), run.scheduled("ship"))
    run.page(run.claimed("ship:1"))
    run.page(run.completed("ship:1", 4), run.applied("ship"), run.ended("completed"))
    return run


def decided() -> Writing:
    """A condition leads round a loop once, then by a wait and a log to the end."""
    small = Compare(path=("a",), operator="less_than", operand=2)
    spec = workflow(
        step("a", output="a", max_visits=2),
        wait("rest", 5_000),
        log("tell"),
        routes=(route("a", "a", when=small), route("a", "rest"), route("rest", "tell")),
    )
    run = Writing(spec)
    again: dict[str, Any] = {"condition": {"path": ["a"], "less_than": 2}}
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(
        run.completed("a:1", 1),
        run.applied("a", to="a", values={"a": 1}, **again),
        run.scheduled("a", "a@2"),
    )
    run.page(run.claimed("a@2:1"))
    run.page(
        run.completed("a@2:1", 2),
        run.applied("a", "a@2", to="rest", values={"a": 2}),
        run.scheduled("rest"),
        after=5 * SECOND,
    )
    run.page(
        run.claimed("rest:1"),
        run.completed("rest:1"),
        run.applied("rest", to="tell"),
        run.scheduled("tell"),
        run.claimed("tell:1"),
        run.completed("tell:1"),
        run.applied("tell", to="complete"),
        run.ended("completed"),
    )
    return run


def exhausted() -> Writing:
    """A loop asks for one visit more than allowed."""
    spec = workflow(step("a", max_visits=1), routes=(route("a", "a"),))
    run = Writing(spec)
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    failure = Failure(kind="visits_exhausted")
    run.page(run.completed("a:1"), run.applied("a", to="a"), run.ended("failed", "a", failure))
    return run


def unprovided() -> Writing:
    """A mapping names what is not there: one step has an error route, the other none."""
    wants = {"x": FromPath(path=("nothing",))}
    spec = workflow(
        step("a"),
        step("b", input=wants),
        step("c", input=wants),
        routes=(route("a", "b"), route("b", "c", on="error")),
    )
    run = Writing(spec)
    missing = Failure(kind="missing_input_path")
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(
        run.completed("a:1"),
        run.applied("a", to="b"),
        run.applied("b", back=None, to="c", on="error", error=missing),
        run.ended("failed", "c", missing),
    )
    return run


def cut_short() -> Writing:
    """The run's own time is over, while its step is held."""
    run = Writing(evolve(workflow(step("a")), timeout_ms=5_000))
    run.begin(run.timer("", 5_000), run.scheduled("a"))
    run.page(run.claimed("a:1"), after=5 * SECOND)
    failure = Failure(kind="run_timed_out")
    run.page(run.claimed("timeout"), run.completed("timeout"), run.ended("failed", "", failure))
    return run


def stranded() -> Writing:
    """No condition holds, and there is no other way on."""
    never = Compare(path=("a", "deep"), operator="equals", operand=7)
    spec = workflow(step("a", output="a"), step("b"), routes=(route("a", "b", when=never),))
    run = Writing(spec)
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    failure = Failure(kind="no_matching_transition")
    run.page(run.completed("a:1", 1), run.applied("a"), run.ended("failed", "a", failure))
    return run


def hurried() -> Writing:
    """A step with a deadline fails and is tried again, with a deadline of its own."""
    run = Writing(workflow(step("a", retry=RetryPolicy(max_attempts=2), deadline=SOON)))
    due = Deadline(policy=SOON, started_at=run.now)
    run.begin(evolve(run.scheduled("a"), deadline=due))
    run.page(run.claimed("a:1"))
    failed = run.failed("a:1", retry=SECOND)
    assert isinstance(failed, AttemptFailed)
    assert failed.retry is not None
    later = Deadline(policy=SOON, started_at=failed.retry.visible_at)
    run.page(evolve(failed, retry=evolve(failed.retry, deadline=later)))
    return run


def met() -> Writing:
    """Two strands reach one node at the same moment, which makes two visits."""
    spec = workflow(log("a"), log("b"), log("c"), routes=(route("a", "c"), route("b", "c")))
    run = Writing(evolve(spec, entry_steps=(NodeName("a"), NodeName("b"))))
    run.begin(run.scheduled("a"), run.scheduled("b"))
    run.page(
        *(run.claimed("a:1"), run.completed("a:1"), run.applied("a", to="c")),
        *(run.claimed("b:1"), run.completed("b:1"), run.applied("b", to="c")),
        run.scheduled("c"),
        run.scheduled("c", "c@2"),
    )
    return run


STORIES: Final = (
    chained,
    on_lanes,
    taken_over,
    lost,
    held_back,
    joined,
    decided,
    exhausted,
    unprovided,
    cut_short,
    stranded,
    hurried,
    met,
)
