"""Everything here must check, and every workflow must compile. `assert_type` fixes what the checkers infer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_type

import attrs
from squidmesh import (
    Children,
    Deadline,
    Decision,
    Mesh,
    Retries,
    Run,
    Workflow,
    WorkflowBuilder,
    approval,
    children,
    complete,
    cron,
    is_in,
    is_missing,
    log,
    manual,
    maybe,
    not_,
    pause,
    receive,
    step,
    wait,
)

import billing
from billing import Assessed, Claimant, Ticket
from orders import (
    OrderFulfilment,
    OrderPlaced,
    Payment,
    Reservation,
    ReviewForm,
    Risk,
    Settlement,
)

# --- what the checkers infer from the full example
assert_type(OrderFulfilment.placed.payload, OrderPlaced)
assert_type(OrderFulfilment.reserve.out, Reservation)
assert_type(OrderFulfilment.risk.out, Risk)  # async; Retry, Defer, Fail are stripped
assert_type(OrderFulfilment.charge.out, Payment)
assert_type(OrderFulfilment.slot.out, str)
assert_type(OrderFulfilment.apology.out, None)
assert_type(OrderFulfilment.review.out, Decision[ReviewForm])
assert_type(OrderFulfilment.review.out.form.waive_fee, bool)
assert_type(OrderFulfilment.count.out, Decision[None])
assert_type(OrderFulfilment.settled.out, Settlement)


# --- TypedDict payload, attrs outputs, steps of another module, every option of a step
class Claims(Workflow, name="shop.Claims", queue="claims", priority=5):
    version = "1"

    filed = manual(Claimant)
    case = filed.payload

    assess = (
        step(
            billing.assess,
            action="claims.assess",
            aliases=["claims.old_assess"],
            output="verdict",
            retry=Retries(
                4, backoff="exponential", first=timedelta(seconds=1), cap="1m", jitter=True, on=(TimeoutError, OSError)
            ),
            deadline=Deadline("1h", due_soon="10m", escalate_after="1d", escalate="host_callback"),
            timeout="30s",
            queue="slow",
            priority=1,
        )
        .takes(case["name"], cap=250)
        .undo(billing.withdraw, action="claims.withdraw", retry=2)
    )
    again = step(billing.assess).takes(case["name"]).undo(billing.withdraw_async)  # one function, two nodes
    note = log("assessed", level="warning")
    book = step(billing.book, transaction=True).takes(case["name"], assess.out.cents)
    tell = step(billing.tell, compensatable=False).takes(case["name"], case.get("note"))

    assert_type(assess.out, Assessed)
    assert_type(book.out, Ticket)
    last = assess.then(again).then(note).then(book)
    assert_type(last.out, Ticket)
    book.then(tell, when=not_(is_missing(case.get("note"))) & is_in(case["name"], ["ana", "bo"]) | (assess.out.cents >= 10))
    book.then(complete)


# --- a loop, a form-less approval, a bare boolean, a constant argument
@dataclass(frozen=True)
class Essay:
    name: str
    urgent: bool = False


class Drafting(Workflow):
    asked = manual(Essay)
    essay = asked.payload
    draft = step(billing.draft, max_visits=3).takes(essay.name, hint="short")
    score = step(billing.score).takes(draft.out)
    editor = approval("Good enough?")
    cool = wait(timedelta(minutes=5))

    assert_type(editor.out, Decision[None])
    assert_type(score.out, int)
    draft.then(score)
    score.then(editor, when=essay.urgent)
    score.then(draft, when=score.out < 10)
    score.then(cool)
    cool.then(editor)
    editor.on_reject(draft)


# --- several triggers over one graph
@dataclass(frozen=True)
class ByHand:
    name: str
    asked_by: str


@attrs.frozen
class ByNight:
    name: str = "nightly"


class TwoDoors(Workflow):
    by_hand = manual(ByHand)
    nightly = cron("0 6 * * *", ByNight, tz="Europe/Lisbon", on_duplicate="skip_duplicate")
    tick = cron("*/5 * * * *", ByNight, values=lambda at: ByNight(at.isoformat()))
    assess = step(billing.assess_async).takes(by_hand.payload.name)  # every trigger supplies `name`
    tell = step(billing.tell).takes(nightly.payload.name, maybe(by_hand.payload.asked_by))
    assess.then(tell)


# --- no payload; no `.takes`: matched by name; dependencies; gates and waits among them
@dataclass(frozen=True)
class Named:
    name: str


class ByName(Workflow):
    opened = manual(Named)
    assess_it = step(billing.assess)
    sign = approval("Sign?", after=[assess_it])
    pick = receive(Ticket, deadline=Deadline("3d"), after=[assess_it])
    close = step(billing.close, after=[sign, pick])


class Empty(Workflow):
    go = manual()
    hold = pause("ready?", deadline=Deadline("1d"))


# --- children
@dataclass(frozen=True)
class Batch:
    people: list[Named]


class FanOut(Workflow):
    opened = manual(Batch)
    each = children(ByName.opened, over=opened.payload.people, key="name", join="settled")
    sorry = step(billing.draft).takes("all of you")
    assert_type(each.out, Children)
    each.then(sorry, when=each.out.failed > 0)
    each.then(complete)


# --- a class without triggers and nodes only hands down its keywords
class Shop(Workflow, queue="shop"):
    """Defaults of this shop."""


class Local(Shop):
    go = manual(Named)
    one = step(billing.score).takes(go.payload.name)


# --- inside a function: local contracts, local steps
def define_locally() -> type[Workflow]:
    @dataclass(frozen=True)
    class Here:
        word: str

    @dataclass(frozen=True)
    class There:
        letters: int

    def count(word: str) -> There:
        return There(len(word))

    class Inner(Workflow):
        go = manual(Here)
        count_it = step(count).takes(go.payload.word)
        done = step(billing.draft).takes(go.payload.word)
        count_it.then(done, when=count_it.out.letters > 3)
        count_it.then(complete)

    return Inner


# --- a generated workflow
def build(words: Sequence[str]) -> type[Workflow]:
    b = WorkflowBuilder("generated.words", version="7")
    opened = b.trigger("opened", manual(Named))
    last = b.add("first", step(billing.draft).takes(opened.payload.name))
    for i, word in enumerate(words):
        last = last.then(b.add(f"w{i}", step(billing.draft).takes(last.out, hint=word)))
    assert_type(last.out, str)
    return b.build()


# --- verbs
def verbs(mesh: Mesh, at: datetime) -> None:
    run = mesh.start(OrderFulfilment.placed, OrderPlaced("A-1", "vase", 1, 900, "tok"), key="A-1", tags=["vip"], at=at)
    assert_type(run, Run)
    mesh.start(Empty.go)
    mesh.start(Claims.filed, Claimant(name="ana", email="a@example.org"))
    mesh.start(Claims.filed, Claims.filed.parse({"name": "ana"}))
    done = mesh.inspect(run)
    assert_type(done.out(OrderFulfilment.reserve).warehouse, str)
    assert_type(done.out(OrderFulfilment.risk).band, Literal["low", "medium", "high"])
    assert_type(done.payload(OrderFulfilment.placed), OrderPlaced)
