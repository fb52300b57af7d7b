"""Histories of gates, holds, messages and time-outs, each as it should be."""

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from squidmesh_core.definition.spec import (
    ApprovalNode,
    Node,
    PauseNode,
    ReceiveNode,
    Spec,
    Transition,
)
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.entries import Deadline, Failure
from squidmesh_core.values import FromPath
from support.journals.plain import SOON
from support.journals.writing import Writing
from support.scenario import SECOND
from support.workflows import route, step, workflow

TIMED_OUT: Final = Failure(kind="timed_out")


def approval(name: str = "review", **more: object) -> ApprovalNode:
    """An approval whose decision is visible under its name."""
    return ApprovalNode(name=NodeName(name), question="Go on?", output=name, **more)  # type: ignore[arg-type]  # members of the node, whichever a test wants


def pause(name: str = "check", **more: object) -> PauseNode:
    """A pause without an output."""
    return PauseNode(name=NodeName(name), question="Ready?", **more)  # type: ignore[arg-type]  # as above


def receive(name: str = "paid", **more: object) -> ReceiveNode:
    """A message that is visible under its node's name."""
    return ReceiveNode(name=NodeName(name), message=(), output=name, **more)  # type: ignore[arg-type]  # as above


def _reviewed(*nodes: Node, routes: Sequence[Transition] = ()) -> Spec:
    return workflow(
        *(nodes or (approval(),)),
        step("yes"),
        step("no"),
        routes=(*routes, route("review", "yes"), route("review", "no", on="error")),
    )


def approved() -> Writing:
    """A person approves, before the time-out; the run goes on to its end."""
    run = Writing(_reviewed(approval(timeout_ms=9_000)))
    run.begin(
        run.paused("review", "approval", ok="yes", error="no"),
        run.timer("review", 9_000),
        after=SECOND,
    )
    run.page(
        run.receipt("approve"),
        run.resolved("review", "approved"),
        run.applied("review", to="yes"),
        run.scheduled("yes"),
    )
    run.page(run.claimed("yes:1"))
    run.page(run.completed("yes:1"), run.applied("yes", to="complete"), run.ended("completed"))
    return run


def rejected() -> Writing:
    """A person says no where nothing follows a no."""
    run = Writing(workflow(step("a"), approval(after=("a",))))
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1"), run.applied("a"), run.paused("review", "approval"))
    run.page(
        run.receipt("reject"),
        run.resolved("review", "rejected"),
        run.applied("review"),
        run.ended("failed", "review", Failure(kind="rejected")),
    )
    return run


def turned_down() -> Writing:
    """A person says no, and that leads on."""
    run = Writing(_reviewed())
    run.begin(run.paused("review", "approval", ok="yes", error="no"))
    run.page(
        run.receipt("reject"),
        run.resolved("review", "rejected"),
        run.applied("review", to="no", on="error"),
        run.scheduled("no"),
    )
    return run


def held() -> Writing:
    """An operator holds a run whose step is claimed, and releases it; then it ends."""
    run = Writing(workflow(step("a"), step("b"), routes=(route("a", "b"),)))
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(run.receipt("pause"), run.held())
    run.page(run.completed("a:1"), run.applied("a", to="b"), run.scheduled("b"))
    run.page(run.receipt("resume"), run.released())
    run.page(run.claimed("b:1"))
    run.page(run.receipt("pause"), run.held())
    run.page(run.completed("b:1"), run.applied("b", to="complete"), run.ended("completed"))
    return run


def paused() -> Writing:
    """Two gates open side by side, one is answered."""
    run = Writing(workflow(pause("left"), pause("right"), step("last", after=("left", "right"))))
    run.begin(run.paused("left", "pause"), run.paused("right", "pause"))
    run.page(run.receipt("resume"), run.resolved("right", "resumed"), run.applied("right"))
    return run


def waved_through() -> Writing:
    """A pause at the end of a strand leads to the end, be that written or not; so does a message."""
    spec = workflow(
        pause("left"),
        pause("right"),
        receive(),
        routes=(route("left", "right"), route("right", "paid")),
    )
    run = Writing(spec)
    run.begin(run.paused("left", "pause", ok="right"))
    run.page(
        run.receipt("resume"),
        run.resolved("left", "resumed"),
        run.applied("left", to="right"),
        run.paused("right", "pause", ok="paid"),
    )
    run.page(
        run.receipt("resume"),
        run.resolved("right", "resumed"),
        run.applied("right", to="paid"),
        run.awaited("paid"),
    )
    run.page(
        run.receipt("send", node="paid"),
        run.message("paid", 1),
        run.applied("paid", to="complete"),
        run.ended("completed"),
    )
    return run


def shown_out() -> Writing:
    """A pause that nothing follows, as its gate need not say."""
    run = Writing(workflow(step("a"), pause(), routes=(route("a", "check"),)))
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    run.page(run.completed("a:1"), run.applied("a", to="check"), run.paused("check", "pause"))
    run.page(
        run.receipt("resume"),
        run.resolved("check", "resumed"),
        run.applied("check", to="complete"),
        run.ended("completed"),
    )
    return run


def timed_out() -> Writing:
    """Nobody answers in time; the run takes the way that is for it."""
    spec = _reviewed(approval(timeout_ms=9_000), routes=(route("review", "no", on="timeout"),))
    run = Writing(spec)
    run.begin(
        run.paused("review", "approval", ok="yes", error="no", timeout="no"),
        run.timer("review", 9_000),
        after=9 * SECOND,
    )
    run.page(
        run.claimed("review:timeout"),
        run.completed("review:timeout"),
        run.applied("review", back=None, to="no", on="timeout", error=TIMED_OUT),
        run.scheduled("no"),
    )
    return run


def given_up() -> Writing:
    """No message comes in time, and nothing follows that."""
    run = Writing(workflow(receive(timeout_ms=9_000)))
    run.begin(run.awaited("paid"), run.timer("paid", 9_000), after=9 * SECOND)
    run.page(
        run.claimed("paid:timeout"),
        run.completed("paid:timeout"),
        run.ended("failed", "paid", TIMED_OUT),
    )
    return run


def delivered() -> Writing:
    """Two visits of a node get a message each: the first waits, the second comes late."""
    spec = workflow(
        receive(max_visits=2),
        step("a", max_visits=2),
        routes=(route("paid", "a"), route("a", "paid")),
    )
    run = Writing(spec)
    run.begin(run.awaited("paid"))
    run.page(
        run.receipt("send", node="paid"),
        run.message("paid", {"amount": 1}),
        run.applied("paid", to="a"),
        run.scheduled("a"),
    )
    run.page(run.receipt("send", node="paid"), run.message("paid", {"amount": 2}))
    run.page(run.claimed("a:1"))
    run.page(
        run.completed("a:1"),
        run.applied("a", to="paid"),
        run.awaited("paid", "paid@2"),
        run.applied("paid", "paid@2", back=5, to="a"),
        run.scheduled("a", "a@2"),
    )
    return run


def queued() -> Writing:
    """Two messages come before anybody waits; the older one is taken first."""
    spec = workflow(
        step("a", max_visits=2),
        receive(max_visits=2),
        routes=(route("a", "paid"), route("paid", "a")),
    )
    run = Writing(spec)
    run.begin(run.scheduled("a"))
    run.page(run.claimed("a:1"))
    for amount in (1, 2):
        run.page(run.receipt("send", node="paid"), run.message("paid", amount))
    run.page(
        run.completed("a:1"),
        run.applied("a", to="paid"),
        run.awaited("paid"),
        run.applied("paid", back=6, to="a"),
        run.scheduled("a", "a@2"),
    )
    return run


def found() -> Writing:
    """A message is waited for under the number of an order, and should come soon."""
    order = FromPath(path=("order",))
    run = Writing(workflow(receive(correlation=order, deadline=SOON)))
    due = Deadline(policy=SOON, started_at=run.now)
    run.begin(evolve(run.awaited("paid"), correlation="7", deadline=due), order=7)
    return run


def not_to_be_found() -> Writing:
    """What a message would be found by is no text and no number."""
    run = Writing(workflow(receive(correlation=FromPath(path=("order",)))))
    run.begin(run.ended("failed", "paid", Failure(kind="invalid_input")), order=[])
    return run


STORIES: Final = (
    approved,
    rejected,
    turned_down,
    held,
    paused,
    waved_through,
    shown_out,
    timed_out,
    given_up,
    delivered,
    queued,
    found,
    not_to_be_found,
)
