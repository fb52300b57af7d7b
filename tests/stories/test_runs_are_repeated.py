"""Stories of replay and fork: a finished run is done again, and never itself changed."""

from collections import Counter
from dataclasses import dataclass

import pytest

from squidmesh import Fail, Refused, UnsafeReplay, Workflow, approval, complete, manual, step
from support.stage import Stage

#: How often each step was performed.
calls: Counter[str] = Counter()
#: Orders whose carrier is on strike.
strike: set[str] = set()


@dataclass(frozen=True)
class Placed:
    """An order."""

    order_id: str


def price(order_id: str) -> int:
    """Say what it costs."""
    calls["price"] += 1
    return 100 * calls["price"]


def charge(cents: int) -> str:
    """Take the money, for good."""
    calls["charge"] += 1
    return f"charged {cents}"


def ship(order_id: str, paid: str) -> str | Fail:
    """Ship it, unless there is a strike."""
    calls["ship"] += 1
    return Fail("strike") if order_id in strike else f"{order_id}, {paid}"


class Order(Workflow, name="stories.Repeated"):
    """Price, review, charge, ship."""

    placed = manual(Placed)
    order_id = placed.payload.order_id
    priced = step(price).takes(order_id)
    review = approval("Right?")
    paid = step(charge, irreversible=True).takes(priced.out)
    shipped = step(ship).takes(order_id, paid.out)
    priced.then(review).then(paid).then(shipped)
    review.on_reject(complete)


@pytest.fixture(autouse=True)
def outside() -> None:
    """Nothing was done so far, and A-1 meets a strike."""
    calls.clear()
    strike.clear()
    strike.add("A-1")


def test_a_fork_repeats_what_failed_with_the_results_that_stand(stage: Stage) -> None:
    """The strike is over: only the shipping is done again, nobody is asked or charged twice."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-1"))
    mesh.drain()
    mesh.approve(run, by="ida")
    mesh.drain()
    before = list(mesh.journal(run))
    assert "failed" == mesh.inspect(run).status

    strike.clear()
    fork = mesh.replay(run, from_step=Order.shipped, by="olga", key="again")
    again = mesh.replay(run, from_step=Order.shipped, by="olga", key="again")
    stage.mesh(Order).drain()

    ended = mesh.inspect(fork)
    assert ("completed", "A-1, charged 100") == (ended.status, ended.out(Order.shipped))
    assert "ida" == ended.out(Order.review).actor
    assert {"price": 1, "charge": 1, "ship": 2} == calls
    assert (fork.id, True) == (again.id, again.duplicate)
    assert (run.id, "shipped") == (fork.replayed_from, fork.forked_at)
    assert before == list(mesh.journal(run))


def test_a_replay_that_would_charge_twice_must_be_asked_for_by_name(stage: Stage) -> None:
    """The guard names the step; with the word it is done, and the person is asked anew."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-1"))
    mesh.drain()
    mesh.approve(run, by="ida")
    mesh.drain()

    plan = mesh.replay(run, simulate=True)
    with pytest.raises(UnsafeReplay) as caught:
        mesh.replay(run, by="olga")
    replayed = mesh.replay(run, by="olga", allow_irreversible=True)
    mesh.drain()

    assert (("paid",), ()) == (plan.unsafe, plan.reused)
    assert "unsafe_replay" == caught.value.code
    assert ("paused", 1) == (mesh.inspect(replayed).status, calls["charge"])
    assert 200 == mesh.inspect(replayed).out(Order.priced)


def test_only_what_is_over_can_be_replayed(stage: Stage) -> None:
    """A run that goes on is steered, not repeated; cancelled, it can be."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-2"))
    mesh.drain()

    with pytest.raises(Refused) as foretold:
        mesh.replay(run, simulate=True)
    with pytest.raises(Refused) as caught:
        mesh.replay(run, by="olga")
    mesh.cancel(run, by="olga")
    replayed = mesh.replay(run, by="olga")
    mesh.drain()
    mesh.approve(replayed, by="ida")
    mesh.drain()

    assert ["invalid_replay_source"] * 2 == [foretold.value.code, caught.value.code]
    assert "A-2, charged 200" == mesh.inspect(replayed).out(Order.shipped)
