"""Stories of people: they are asked, they answer once, and what they said is done."""

from dataclasses import dataclass
from datetime import UTC, timedelta

import pytest

from squidmesh import (
    Deadline,
    PayloadError,
    Refused,
    Workflow,
    approval,
    manual,
    maybe,
    pause,
    step,
)
from support.stage import EPOCH, Stage


@dataclass(frozen=True)
class Placed:
    """An order."""

    order_id: str


@dataclass(frozen=True)
class Terms:
    """What a reviewer fills in."""

    discount: int
    reason: str = "none"


def ship(order_id: str, terms: Terms | None) -> str:
    """Ship, for less if somebody said so."""
    return f"{order_id}, {terms.discount if terms else 0} % off"


def apologise(order_id: str) -> str:
    """Tell the customer."""
    return f"sorry about {order_id}"


def sign() -> str:
    """Sign what both have approved."""
    return "signed"


class Order(Workflow, name="stories.Reviewed"):
    """Review, count, ship; or apologise."""

    placed = manual(Placed)
    order_id = placed.payload.order_id
    review = approval("Ship it?", form=Terms, timeout="2h", deadline=Deadline("1h", due_soon="30m"))
    count = pause("Count the box.")
    shipped = step(ship).takes(order_id, maybe(review.out.form))
    apology = step(apologise).takes(order_id)
    review.then(count).then(shipped)
    review.on_reject(apology)


class Contract(Workflow, name="stories.Contract"):
    """Two people must say yes, in any order."""

    drawn_up = manual()
    price = approval("Is the price right?")
    terms = approval("Are the terms right?")
    signed = step(sign, after=[price, terms])


def test_an_approved_order_is_shipped_with_what_the_form_granted(stage: Stage) -> None:
    """The form reaches the step; the pause is answered by somebody else, in another process."""
    shop, office, hall = (stage.mesh(Order) for _ in range(3))
    run = shop.start(Order.placed, Placed("A-1"))
    asked = office.approvals().items[0]
    assert ("review", "Ship it?", ("discount", "reason")) == (
        asked.gate.node,
        asked.gate.question,
        asked.gate.form,
    )

    office.approve(run, by="ida", form=Terms(20, "old customer"), note="gladly")
    assert ("paused", 0) == (shop.inspect(run).status, shop.drain())
    hall.resume(run, by="olga", key="slip-7")
    shop.drain()

    ended = shop.inspect(run)
    decision = ended.out(Order.review)
    assert "A-1, 20 % off" == ended.out(Order.shipped)
    assert ("approved", "ida", "gladly") == (decision.decision, decision.actor, decision.comment)
    assert ("resumed", "olga") == (ended.out(Order.count).decision, ended.out(Order.count).actor)
    assert Terms(20, "old customer") == decision.form
    assert EPOCH == decision.decided_at.astimezone(UTC)
    assert () == shop.approvals().items


def test_a_rejected_order_ends_with_an_apology_and_no_form(stage: Stage) -> None:
    """A no is an answer like a yes: it has an author, a reason, and a way on."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-2"))

    mesh.reject(run, by="ida", note="twice this week")
    mesh.drain()

    ended = mesh.inspect(run)
    decision = ended.out(Order.review)
    assert ("completed", "sorry about A-2") == (ended.status, ended.out(Order.apology))
    form: object = decision.form
    assert ("rejected", "twice this week") == (decision.decision, decision.comment)
    assert form is None


def test_the_second_answer_is_told_who_was_first(stage: Stage) -> None:
    """Two people answer at once; one decides, the other learns who did, and nothing is lost."""
    ida, sam = stage.mesh(Order), stage.mesh(Order)
    run = ida.start(Order.placed, Placed("A-3"))
    sam.inspect(run)  # sam still sees the gate open

    ida.reject(run, by="ida", key="click-1")
    with pytest.raises(Refused) as caught:
        sam.approve(run, by="sam", form=Terms(10))
    again = ida.reject(run, by="ida", key="click-1")
    ida.drain()

    assert ("invalid_transition", "ida") == (caught.value.code, caught.value.details["actor"])
    assert again.duplicate
    assert ["reject"] == [one.command for one in ida.inspect(run).command_history[1:]]


def test_a_form_that_does_not_fit_decides_nothing(stage: Stage) -> None:
    """The gate stays open, and the next answer counts."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-4"))

    with pytest.raises(PayloadError) as caught:
        mesh.approve(run, by="ida", form={"discount": "ten"})
    mesh.approve(run, by="ida", form={"discount": 10})
    mesh.resume(run)
    mesh.drain()

    assert "invalid_form" == caught.value.code
    assert "A-4, 10 % off" == mesh.inspect(run).out(Order.shipped)


def test_nobody_answers_and_the_order_takes_the_error_route(stage: Stage) -> None:
    """The deadline only warns; the time-out acts, and a late answer is refused."""
    mesh = stage.mesh(Order)
    run = mesh.start(Order.placed, Placed("A-5"))

    stage.clock.advance(timedelta(hours=1))
    due = mesh.approvals().items[0].gate.deadline
    assert due is not None
    assert ("overdue", 0) == (due.status, mesh.drain())
    stage.clock.advance(timedelta(hours=1))
    mesh.drain()

    assert "sorry about A-5" == mesh.inspect(run).out(Order.apology)
    with pytest.raises(Refused):
        mesh.approve(run, by="ida", form=Terms(5))


def test_two_signatures_come_in_any_order(stage: Stage) -> None:
    """Several gates are open at once; each answer names its own, the join waits for both."""
    legal, sales = stage.mesh(Contract), stage.mesh(Contract)
    run = legal.start(Contract.drawn_up)

    with pytest.raises(Refused) as caught:
        legal.approve(run, by="lea")
    legal.approve(run, by="lea", node=Contract.terms)
    assert (0, "paused") == (legal.drain(), legal.inspect(run).status)
    sales.approve(run, by="sam", node=Contract.price)
    sales.drain()

    ended = legal.inspect(run)
    assert "ambiguous_gate" == caught.value.code
    assert ("completed", "signed") == (ended.status, ended.out(Contract.signed))
    assert ["lea", "sam"] == [ended.out(Contract.terms).actor, ended.out(Contract.price).actor]


def test_an_answer_means_what_it_meant_when_it_was_asked_for(stage: Stage) -> None:
    """A deploy between question and answer changes new runs only."""
    old = stage.mesh(Order)
    run = old.start(Order.placed, Placed("A-6"))
    new = stage.mesh(_with_other_routes())

    new.reject(run, by="ida")
    old.drain()

    assert ("review", "apology") == old.inspect(run).applied


def _with_other_routes() -> type[Workflow]:
    class Changed(Workflow, name="stories.Reviewed"):
        placed = manual(Placed)
        order_id = placed.payload.order_id
        review = approval("Ship it?", form=Terms)
        shipped = step(ship).takes(order_id, maybe(review.out.form))
        review.then(shipped)
        review.on_reject(shipped)

    return Changed
