"""Deploys: runs that began before one, and the code that came with it."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

import pytest

from squidmesh import (
    ActionRegistry,
    Fail,
    IdempotencyConflict,
    Mesh,
    Now,
    PayloadError,
    Refused,
    Run,
    Today,
    Workflow,
    approval,
    manual,
    receive,
    step,
)
from squidmesh_core.values import Constant
from support.aio import async_mesh
from support.stage import EPOCH, Stage, begin, does
from support.workflows import chain
from support.workflows import step as node

NAME = "tests.Deployed"


@dataclass(frozen=True)
class Paid:
    """The bank's word, as it was said first."""

    cents: int


@dataclass(frozen=True)
class PaidIn:
    """The bank's word since the deploy."""

    cents: int
    currency: str = "EUR"


@dataclass(frozen=True)
class Form:
    """What a reviewer fills in, as it was first."""

    waive_fee: bool = False


@dataclass(frozen=True)
class LongForm:
    """What a reviewer fills in since the deploy."""

    waive_fee: bool = False
    reason: str = ""


def book(cents: int) -> str:
    """Book what was paid."""
    return f"{cents} cents"


class Before(Workflow, name=NAME):
    """The code before the deploy."""

    go = manual()
    paid = receive(Paid)
    review = approval("Ship it?", form=Form)
    booked = step(book).takes(paid.out.cents)
    paid.then(review)
    review.then(booked)
    review.on_reject(booked)


class After(Workflow, name=NAME):
    """The code after it: a message and a form have one field more, with a default."""

    go = manual()
    paid = receive(PaidIn)
    review = approval("Ship it?", form=LongForm)
    booked = step(book).takes(paid.out.cents)
    paid.then(review)
    review.then(booked)
    review.on_reject(booked)


def deployed(stage: Stage) -> tuple[Mesh, Run]:
    """A run of the code before, in the hands of the code after."""
    return stage.mesh(After), stage.mesh(Before).start(Before.go)


def test_a_field_that_a_deploy_adds_with_a_default_reaches_older_runs_by_it(stage: Stage) -> None:
    """Whoever sends or answers need not know which code a run began with."""
    mesh, run = deployed(stage)

    mesh.send(run, After.paid, PaidIn(cents=500))
    mesh.approve(run, by="ana", node=After.review, form=LongForm(waive_fee=True))
    mesh.drain()

    ended = mesh.inspect(run)
    assert ("completed", PaidIn(500, "EUR")) == (ended.status, ended.out(After.paid))
    assert LongForm(waive_fee=True) == ended.out(After.review).form


def test_a_field_that_an_older_run_does_not_know_is_never_lost(stage: Stage) -> None:
    """It has no place for another value than the default; its sender hears so."""
    mesh, run = deployed(stage)

    with pytest.raises(PayloadError, match="takes the field only with its default") as caught:
        mesh.send(run, After.paid, PaidIn(cents=500, currency="USD"))
    mesh.send(run, After.paid, PaidIn(cents=500))
    with pytest.raises(PayloadError, match="takes the field only with its default") as answered:
        mesh.approve(run, by="ana", node=After.review, form=LongForm(reason="a friend"))

    assert ["currency"] == caught.value.details["unknown_fields"]
    assert ["reason"] == answered.value.details["unknown_fields"]
    assert "paused" == mesh.inspect(run).status


@pytest.mark.parametrize("began", [Before, After])
@pytest.mark.parametrize("newer_first", [False, True])
def test_a_repeated_message_is_the_same_by_whichever_code(
    stage: Stage, began: type[Before | After], newer_first: bool
) -> None:
    """A field at its default makes no other message; another value does."""
    old, new = stage.mesh(Before), stage.mesh(After)
    run = stage.mesh(began).start(began.go)

    def by_old(cents: int) -> Run:
        return old.send(run, Before.paid, Paid(cents), key="bank-17")

    def by_new(cents: int) -> Run:
        return new.send(run, After.paid, PaidIn(cents), key="bank-17")

    first, again = (by_new, by_old) if newer_first else (by_old, by_new)
    assert (False, True, True) == (first(5).duplicate, first(5).duplicate, again(5).duplicate)
    with pytest.raises(IdempotencyConflict):
        again(6)
    with pytest.raises(IdempotencyConflict):
        new.send(run, After.paid, PaidIn(5, currency="USD"), key="bank-17")


@pytest.mark.parametrize("began", [Before, After])
@pytest.mark.parametrize("newer_first", [False, True])
def test_a_repeated_answer_is_the_same_by_whichever_code(
    stage: Stage, began: type[Before | After], newer_first: bool
) -> None:
    """The same of forms."""
    old, new = stage.mesh(Before), stage.mesh(After)
    run = stage.mesh(began).start(began.go)
    old.send(run, Before.paid, Paid(5))

    def by_old(waive: bool) -> Run:
        return old.approve(run, by="ana", node=Before.review, form=Form(waive), key="k")

    def by_new(waive: bool) -> Run:
        return new.approve(run, by="ana", node=After.review, form=LongForm(waive), key="k")

    first, again = (by_new, by_old) if newer_first else (by_old, by_new)
    assert (False, True, True) == (
        first(False).duplicate,
        first(False).duplicate,
        again(False).duplicate,
    )
    with pytest.raises(IdempotencyConflict):
        again(True)


@dataclass(frozen=True)
class PaidAt:
    """The bank's word with its instant, which the runtime fills in."""

    cents: int
    at: Now[datetime | None] = None


@dataclass(frozen=True)
class DatedForm:
    """A form with its day, likewise."""

    waive_fee: bool = False
    day: Today[date | None] = None


class Dated(Workflow, name=NAME):
    """The code since another deploy: what is handed in has its time."""

    go = manual()
    paid = receive(PaidAt)
    review = approval("Ship it?", form=DatedForm)
    booked = step(book).takes(paid.out.cents)
    paid.then(review)
    review.then(booked)
    review.on_reject(booked)


def test_what_the_instant_fills_in_is_left_to_the_runtime(stage: Stage) -> None:
    """Of messages and forms as of starts; an older run has no place for it, and needs none."""
    mesh = stage.mesh(Dated)
    run, old = mesh.start(Dated.go), stage.mesh(Before).start(Before.go)
    for one in (run, old):
        mesh.send(one, Dated.paid, PaidAt(5))
    mesh.approve(run, by="ana", form=DatedForm())
    mesh.approve(old, by="ana", node=Dated.review, form=DatedForm(True))

    seen = mesh.inspect(run)
    assert PaidAt(5, EPOCH) == seen.out(Dated.paid)
    assert DatedForm(day=EPOCH.date()) == seen.out(Dated.review).form
    assert PaidAt(5) == mesh.inspect(old).out(Dated.paid)
    assert DatedForm(True) == mesh.inspect(old).out(Dated.review).form


class Unasked(Workflow, name=NAME):
    """The code before the first deploy: the approval had no form."""

    go = manual()
    paid = receive(Paid)
    review = approval("Ship it?")
    booked = step(book).takes(paid.out.cents)
    paid.then(review)
    review.then(booked)
    review.on_reject(booked)


def test_a_form_that_a_deploy_adds_reaches_older_runs_by_its_defaults(stage: Stage) -> None:
    """They have no place for anything else; whoever answers hears so."""
    mesh, run = stage.mesh(Before), stage.mesh(Unasked).start(Unasked.go)
    mesh.send(run, Before.paid, Paid(5))

    with pytest.raises(PayloadError, match="keeps the definition it started with"):
        mesh.approve(run, by="ana", node=Before.review, form=Form(waive_fee=True))
    mesh.approve(run, by="ana", node=Before.review, form=Form())

    assert stage.mesh(Unasked).inspect(run).out(Unasked.review).form is None


def test_a_node_that_an_older_run_does_not_have_is_told_why(stage: Stage) -> None:
    """The class at hand has one of this name."""

    class Renamed(Workflow, name=NAME):
        go = manual()
        money = receive(Paid)
        asked = approval("Ship it?", form=Form)
        booked = step(book).takes(money.out.cents)
        money.then(asked)
        asked.then(booked)
        asked.on_reject(booked)

    mesh, run = stage.mesh(Renamed), stage.mesh(Before).start(Before.go)

    with pytest.raises(Refused, match="'money' is no node of the definition that it started with"):
        mesh.send(run, Renamed.money, Paid(5))
    with pytest.raises(Refused, match="'asked' is no node of the definition that it started with"):
        mesh.approve(run, by="ana", node=Renamed.asked)


def test_a_run_of_the_newer_code_takes_the_new_field(stage: Stage) -> None:
    """Its definition knows it."""
    mesh = stage.mesh(After)
    run = mesh.start(After.go)

    mesh.send(run, After.paid, PaidIn(cents=500, currency="USD"))

    assert PaidIn(500, "USD") == mesh.inspect(run).out(After.paid)


@dataclass(frozen=True)
class Order:
    """What is started with, as it was first."""

    sku: str
    colour: str


@dataclass(frozen=True)
class PlainOrder:
    """The same since the deploy, with a field less and one more."""

    sku: str
    pieces: int = 1


@dataclass(frozen=True)
class Crate:
    """Another one, that has what no order has."""

    weight: int


def test_the_payload_of_an_older_run_is_read_by_the_present_contract(stage: Stage) -> None:
    """As outputs are: what went is ignored, what came has its default."""

    class First(Workflow, name="tests.Ordered"):
        placed = manual(Order)
        booked = step(book).takes(500)

    class Second(Workflow, name="tests.Ordered"):
        placed = manual(PlainOrder)
        crated = manual(Crate)
        empty = manual()
        booked = step(book).takes(500)

    run = stage.mesh(First).start(First.placed, Order("A", "red"))
    seen = stage.mesh(Second).inspect(run)

    assert PlainOrder("A", 1) == seen.payload(Second.placed)
    assert seen.payload(Second.empty) is None
    with pytest.raises(PayloadError, match="weight is missing") as caught:
        seen.payload(Second.crated)
    assert run.id == caught.value.details["run_id"]


@dataclass(frozen=True)
class Sale:
    """What both versions of a function book."""

    cents: int = 500
    currency: str = "EUR"


def book_plainly(cents: int) -> str:
    """The function before the deploy."""
    return f"{cents}"


def book_in(cents: int, currency: str) -> str:
    """The function since the deploy, under the same key."""
    return f"{cents} {currency}"


class Plain(Workflow, name="tests.Books"):
    """The definition before the deploy."""

    sold = manual(Sale)
    booked = step(book_plainly, action="books.book").takes(sold.payload.cents)


class WithCurrency(Workflow, name="tests.Books"):
    """The definition since the deploy."""

    sold = manual(Sale)
    booked = step(book_in, action="books.book").takes(sold.payload.cents, sold.payload.currency)


@pytest.mark.parametrize(
    ("began", "other", "output"),
    [(WithCurrency, Plain, "500 EUR"), (Plain, WithCurrency, "500")],
    ids=["an older worker", "a newer worker"],
)
def test_nothing_fails_because_a_deploy_is_in_progress(
    stage: Stage, began: type[Plain | WithCurrency], other: type[Workflow], output: str
) -> None:
    """A worker with another version of the function leaves the step to one that has it."""
    run = stage.mesh(began).start(began.sold, Sale())

    waits = []
    for _ in range(3):
        assert 1 == stage.mesh(other).drain()
        (attempt,) = (
            one for one in stage.mesh().inspect(run).attempts if one.status != "completed"
        )
        waits.append((attempt.visible_at - stage.clock.now).total_seconds())
        assert "(meant for other code: book" in stage.mesh().explain(run).summary
        stage.clock.advance(waits[-1])

    assert [1, 2, 4] == waits
    assert 1 == stage.mesh(began).drain()
    ended = stage.mesh(began).inspect(run)
    assert ("completed", output) == (ended.status, ended.out(began.booked))


async def book_meanwhile(cents: int) -> str:
    """The older function, for an event loop."""
    return f"{cents}"


class OnTheLoop(Workflow, name="tests.Books"):
    """The older definition, performed on an event loop."""

    sold = manual(Sale)
    booked = step(book_meanwhile, action="books.book").takes(sold.payload.cents)


@pytest.mark.asyncio
@pytest.mark.parametrize("other", [Plain, OnTheLoop])
async def test_nor_on_an_event_loop(stage: Stage, other: type[Workflow]) -> None:
    """Whether the function is async or not."""
    run = stage.mesh(WithCurrency).start(WithCurrency.sold, Sale())

    async with async_mesh(stage, other) as mesh:
        assert 1 == await mesh.drain()
        assert "deferred_continuation" == (await mesh.explain(run)).reason


class Method(Enum):
    """How something may be paid, as it was first."""

    CARD = "card"


class AnyMethod(Enum):
    """How something may be paid since the deploy."""

    CARD = "card"
    CASH = "cash"


@dataclass(frozen=True)
class Payment:
    """What the older definition begins with."""

    method: Method


@dataclass(frozen=True)
class AnyPayment:
    """What the newer one begins with."""

    method: AnyMethod


def pay(method: Method) -> Method:
    """The function before the deploy."""
    return method


def pay_anyhow(method: AnyMethod) -> AnyMethod:
    """The function since the deploy."""
    return method


def refund(method: Method) -> None:
    """What undoes it."""


def no_goods() -> str | Fail:
    """It begins the undoing."""
    return Fail("nothing is left")


class Till(Workflow, name="tests.Tills"):
    """The definition before the deploy."""

    paid = manual(Payment)
    money = step(pay, action="tills.pay").takes(paid.payload.method)
    money.undo(refund, action="tills.refund")
    goods = step(no_goods, action="tills.goods").takes()
    money.then(goods)


class AnyTill(Workflow, name="tests.Tills"):
    """The definition since the deploy."""

    paid = manual(AnyPayment)
    money = step(pay_anyhow, action="tills.pay").takes(paid.payload.method)


def test_a_value_that_older_code_does_not_know_waits_for_other_code(stage: Stage) -> None:
    """A worker that was rolled back leaves it to one that was not."""
    old, new = stage.mesh(Till), stage.mesh(AnyTill)
    run = new.start(AnyTill.paid, AnyPayment(AnyMethod.CASH))

    assert 1 == old.drain()
    assert "(meant for other code: pay(): method is not" in old.explain(run).summary
    stage.clock.advance(1)
    assert 1 == new.drain()
    assert AnyMethod.CASH == new.inspect(run).out(AnyTill.money)


def test_replaying_a_run_is_not_having_its_code(stage: Stage) -> None:
    """A mesh that replays by a definition of others leaves to them what it cannot read."""
    old, new = stage.mesh(Till), stage.mesh(AnyTill)
    done = new.start(AnyTill.paid, AnyPayment(AnyMethod.CASH))
    new.drain()

    again = old.replay(done, by="ana")
    assert 1 == old.drain()
    assert "deferred_continuation" == old.explain(again).reason
    stage.clock.advance(1)
    new.drain()
    assert [one.status for one in new.inspect(done).steps] == [
        one.status for one in new.inspect(again).steps
    ]


def test_a_callback_that_was_renamed_answers_to_its_old_key_by_a_registry(stage: Stage) -> None:
    """It has no aliases; until then the undoing waits."""

    class Renamed(Workflow, name="tests.Tills"):
        paid = manual(Payment)
        money = step(pay, action="tills.pay").takes(paid.payload.method)
        money.undo(refund, action="tills.refund_it")
        goods = step(no_goods, action="tills.goods").takes()
        money.then(goods)

    run = stage.mesh(Till).start(Till.paid, Payment(Method.CARD))
    renamed = stage.mesh(Renamed)
    renamed.drain()
    wishes = renamed.explain(run).next_actions
    both = ActionRegistry()
    both.add("tills.refund", refund)

    assert "compensating" == renamed.inspect(run).status
    assert "a worker that knows 'tills.refund'" in [one.effect for one in wishes]
    assert 1 == stage.mesh(Renamed, actions=both).drain()
    assert "failed" == renamed.inspect(run).status


def test_a_value_that_does_not_fit_its_own_definition_fails(stage: Stage) -> None:
    """Its code is here, so no other worker will do better."""

    def pay_in_cash(method: int) -> None:
        """A parameter that was annotated wrongly."""

    spec = chain(node("pay", input={"method": Constant(value="card")}))
    mesh = stage.mesh(spec, actions=does(pay=pay_in_cash))
    run = begin(mesh, spec, pay=pay_in_cash)

    assert 1 == mesh.drain()
    assert "failed" == mesh.inspect(run).status


#: The function has no such parameter, and the definition was never any other.
MISTAKEN = chain(node("book", input={"pence": Constant(value=5)}))


@pytest.mark.asyncio
async def test_an_event_loop_knows_its_own_definitions(stage: Stage) -> None:
    """Those that its mesh was opened with, though another has started the run."""
    run = begin(stage.mesh(), MISTAKEN, book=book_plainly)

    async with async_mesh(stage, MISTAKEN, book=book_meanwhile) as mesh:
        assert 1 == await mesh.drain()
        assert "failed" == (await mesh.inspect(run)).status


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_does_not_fit_its_own_definition_fails(stage: Stage, elsewhere: bool) -> None:
    """That is a mistake, and no worker will do better, wherever the run was started."""
    mesh = stage.mesh(MISTAKEN, actions=does(book=book_plainly))
    run = begin(stage.mesh() if elsewhere else mesh, MISTAKEN, book=book_plainly)

    assert 1 == mesh.drain()
    error = mesh.inspect(run).error
    assert error is not None
    assert "invalid_input" == error.kind
