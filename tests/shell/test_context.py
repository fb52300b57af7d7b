"""What a step may ask while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import attrs
import pytest

from squidmesh import (
    ConfigError,
    Context,
    PayloadError,
    Refused,
    Retries,
    UndoContext,
    Work,
    Workflow,
    approval,
    complete,
    manual,
    pause,
    receive,
    step,
    wait,
)


@dataclass(frozen=True)
class Order:
    sku: str


@dataclass(frozen=True)
class Packed:
    boxes: int


def pack(sku: str) -> Packed:
    return Packed(len(sku))


class Packing(Workflow):
    placed = manual(Order)
    packed = step(pack, output="parcel")
    rest = wait("5s")
    packed.then(rest)


@dataclass(frozen=True)
class Terms:
    discount: int


class Asking(Workflow):
    placed = manual(Order)
    review = approval("Ship it?", form=Terms)
    count = pause("Count the box.")
    paid = receive(Packed)
    review.then(count).then(paid)
    review.on_reject(complete)


class Signals:
    """Signals that a test sets by hand."""

    def __init__(self) -> None:
        self.lost = False
        self.cancelled = False
        self.said: list[object] = []

    def progress(self, done: float, of: float | None, note: str | None) -> None:
        self.said.append((done, of, note))


def context(signals: Signals | None = None, **state: object) -> Context:
    """The context of a first attempt."""
    return Context(
        run_id="r",
        workflow="w",
        node="n",
        attempt=1,
        visit=1,
        attempt_key="r:n:1",
        idempotency_key="k",
        claim_id="c",
        fencing_token=1,
        state=state,
        signals=signals or Signals(),
    )


def test_outputs_come_in_their_own_type() -> None:
    """`ctx.out(node)` reads the output under the node's key."""
    ctx = context(sku="a", parcel={"boxes": 3})

    assert Packed(3) == ctx.out(Packing.packed)


def decided(decision: str, actor: object, form: object) -> dict[str, object]:
    """What the journal holds of an answer."""
    return {
        "decision": decision,
        "actor": actor,
        "decided_at": "2026-01-01T00:00:00.000000Z",
        "comment": None,
        "form": form,
    }


@pytest.mark.parametrize("actor", ["ana", {"id": "ana", "roles": ["lead"]}, None])
@pytest.mark.parametrize(
    ("decision", "form", "read"),
    [
        ("approved", {"discount": 5}, Terms(5)),
        ("rejected", {"discount": 5}, Terms(5)),
        ("rejected", None, None),
    ],
)
def test_a_decision_comes_as_it_was_made(
    actor: object, decision: str, form: object, read: object
) -> None:
    """Whoever decided, however they were named; a no may bring no form."""
    said = context(review=decided(decision, actor, form)).out(Asking.review)

    assert (decision, actor, read) == (said.decision, said.actor, said.form)
    assert datetime(2026, 1, 1, tzinfo=UTC) == said.decided_at


def test_the_outputs_of_pauses_and_messages_come_in_their_own_type_too() -> None:
    """A pause has a decision without a form, a message its contract."""
    ctx = context(count=decided("resumed", "olga", None), paid={"boxes": 3})

    assert ("resumed", None) == (ctx.out(Asking.count).decision, ctx.out(Asking.count).form)
    assert Packed(3) == ctx.out(Asking.paid)


def test_the_context_of_a_callback_is_a_context_and_more() -> None:
    """It adds what the step was given, and why it is undone."""
    added = {field.name for field in attrs.fields(UndoContext)} - {
        field.name for field in attrs.fields(Context)
    }

    assert {"input", "failure"} == added


@pytest.mark.parametrize("node", [Packing.packed, Packing.rest], ids=["not yet", "never"])
def test_an_output_that_is_not_there_is_refused(node: Any) -> None:
    """A bypassed node has put nothing out."""
    with pytest.raises(Refused) as caught:
        context(sku="a").out(node)

    assert "output_not_certain" == caught.value.code


def test_an_output_of_another_type_is_refused() -> None:
    """The run may have another definition than this code; the misfits are listed."""
    with pytest.raises(PayloadError, match="does not fit: boxes is missing") as caught:
        context(parcel={"crates": 3}).out(Packing.packed)

    assert "invalid_payload" == caught.value.code
    assert ("packed", ["boxes"]) == (
        caught.value.details["node"],
        caught.value.details["missing_fields"],
    )


def test_what_is_no_node_has_no_output() -> None:
    """Outputs by name are in `ctx.state`."""
    with pytest.raises(ConfigError, match="expected a node") as caught:
        context(parcel={"boxes": 3}).out(cast("Any", "packed"))

    assert "invalid_option" == caught.value.code


def test_signals_are_seen_as_they_change() -> None:
    """A step that runs long learns what happened since."""
    signals = Signals()
    ctx = context(signals)
    before = (ctx.lost, ctx.cancelled)
    signals.lost = signals.cancelled = True

    assert ((False, False), (True, True)) == (before, (ctx.lost, ctx.cancelled))


def test_progress_is_handed_on() -> None:
    """It rides on the next heartbeat."""
    signals = Signals()
    context(signals).progress(1, of=2, note="label printed")

    assert [(1, 2, "label printed")] == signals.said


def test_a_context_never_holds_the_token() -> None:
    """A step cannot settle behind its worker's back."""
    assert "token" not in {field.name for field in attrs.fields(Context)}


def test_what_cannot_be_done_yet_is_refused() -> None:
    """Children and dynamic work say that nothing became of them."""
    ctx = context()
    work = [Work("sms:1", "notify.sms", {"parcel": "1"}, retry=Retries(3))]

    with pytest.raises(Refused, match="no child run was started") as child:
        ctx.start_child(Packing.placed, Order("a"), key="1")
    with pytest.raises(Refused, match="no work was planned") as plan:
        ctx.plan("sms", work)

    assert ("unsupported_feature",) * 2 == (child.value.code, plan.value.code)
