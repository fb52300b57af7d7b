"""Deploys: runs that began before one, and the code that came with it."""

from dataclasses import dataclass

import pytest

from squidmesh import Mesh, PayloadError, Refused, Run, Workflow, approval, manual, receive, step
from squidmesh_core.values import Constant
from support.aio import async_mesh
from support.stage import Stage, begin, does
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
