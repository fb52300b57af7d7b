"""Histories of steps, waits and joins, each as it should be."""

from typing import Final

from attrs import evolve

from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.values import Compare, Exponential, FromPath, RetryPolicy
from support.journals.writing import Writing
from support.scenario import BOOM, LEASE, SECOND
from support.workflows import diamond, log, route, step, wait, workflow

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
    again = {"condition": {"path": ["a"], "less_than": 2}}
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
