"""Where inputs come from, and what is said of those that cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict, cast

import pytest
from attrs import frozen

from squidmesh import (
    Context,
    DefinitionError,
    Problem,
    Retries,
    Trigger,
    TxContext,
    UndoContext,
    Workflow,
    WorkflowBuilder,
    manual,
    maybe,
    step,
)
from squidmesh.authoring.steps import Step
from squidmesh_core.definition.spec import StepNode
from squidmesh_core.values import binding_to_json


@dataclass(frozen=True)
class Order:
    order_id: str
    sku: str
    quantity: int
    total_cents: int
    note: str | None = None


@dataclass(frozen=True)
class Reservation:
    reservation_id: str
    shelf: str


class Loose(TypedDict):
    sku: str
    note: NotRequired[str]


def reserve(sku: str, quantity: int) -> Reservation:
    return Reservation(sku, str(quantity))


def charge(ctx: Context, amount_cents: int, currency: str = "EUR") -> str:
    return currency


def whole(order: Order) -> None: ...


def loose(order: Loose) -> None: ...


def weigh(kilos: float) -> float:
    return kilos


def forget(kilos: float) -> None: ...


def unweigh(tx: TxContext, kilos: float) -> None: ...


def tell(sku: str, note: str | None) -> None: ...


def ship(reservation: Reservation) -> None: ...


def count(sku: int) -> None: ...


def anything(**values: object) -> None: ...


Wire = Callable[[Any], "Step[..., Any]"]


def built(wire: Wire, contract: type = Order) -> type[Workflow]:
    """A workflow of one step, wired to its payload."""
    builder = WorkflowBuilder("test.Wired")
    placed: Trigger[Any] = builder.trigger("placed", manual(contract))
    builder.add("act", wire(placed.payload))
    return builder.build()


def inputs(wire: Wire, contract: type = Order) -> object:
    """The input of that step, as JSON."""
    (node,) = built(wire, contract).spec.steps
    assert isinstance(node, StepNode)
    return {name: binding_to_json(b) for name, b in (node.input or {}).items()}


def problem(wire: Wire, contract: type = Order) -> Problem:
    """The one problem of a step that cannot be wired."""
    with pytest.raises(DefinitionError) as caught:
        built(wire, contract)
    (found,) = caught.value.problems
    assert isinstance(found, Problem)
    return found


@frozen
class Good:
    """A way to wire, and the input it compiles to."""

    wire: Wire
    input: object


GOOD = {
    "by position and by name": Good(
        lambda o: step(reserve).takes(o.sku, quantity=o.quantity),
        {"sku": ["sku"], "quantity": ["quantity"]},
    ),
    "a constant": Good(
        lambda o: step(reserve).takes("vase", o.quantity),
        {"sku": {"value": "vase"}, "quantity": ["quantity"]},
    ),
    "a default that is left alone": Good(
        lambda o: step(charge).takes(o.total_cents), {"amount_cents": ["total_cents"]}
    ),
    "a path that may be missing": Good(
        lambda o: step(tell).takes(o.sku, maybe(o.note)),
        {"sku": ["sku"], "note": {"path": ["note"], "default": None}},
    ),
    "a whole payload": Good(
        lambda o: step(whole).takes(o),
        {
            "order": {
                "object": {
                    name: [name] for name in ("order_id", "sku", "quantity", "total_cents", "note")
                }
            }
        },
    ),
    "an int for a float": Good(lambda o: step(weigh).takes(o.quantity), {"kilos": ["quantity"]}),
    "an int constant for a float": Good(lambda _: step(weigh).takes(3), {"kilos": {"value": 3.0}}),
    "names of its own": Good(
        lambda o: step(anything).takes(x=o.sku, y=1), {"x": ["sku"], "y": {"value": 1}}
    ),
    "by the parameters' names": Good(
        lambda _: step(reserve), {"sku": ["sku"], "quantity": ["quantity"]}
    ),
    "by name, with a default": Good(
        lambda _: step(lambda sku, size="big": None, action="x"), {"sku": ["sku"]}
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_inputs_are_bound(name: str) -> None:
    """What `.takes` says, or the parameters' names, becomes the input."""
    case = GOOD[name]

    assert case.input == inputs(case.wire)


@frozen
class Bad:
    """A way to wire, and what is said of it."""

    wire: Wire
    code: str
    words: str
    hint: str = ""


#: `step` without its types: the checkers would refuse most of what follows.
anystep = cast("Any", step)

BAD = {
    "another type": Bad(
        lambda o: anystep(reserve).takes(o.sku, o.order_id),
        "incompatible_wiring",
        "reserve() as 'quantity' takes int, not str",
        "placed.order_id is str",
    ),
    "another type, by name": Bad(
        lambda _: anystep(count),
        "incompatible_wiring",
        "count() as 'sku' takes int, not str",
    ),
    "a constant of another type": Bad(
        lambda o: anystep(reserve).takes(o.sku, "3"), "incompatible_wiring", "is not int"
    ),
    "null for a text": Bad(
        lambda o: anystep(reserve).takes(o.note, o.quantity),
        "incompatible_wiring",
        "takes str, not str | None",
    ),
    "nothing": Bad(
        lambda o: anystep(charge).takes(),
        "missing_input",
        "charge() has no value for 'amount_cents'",
        "wire it:  .takes(..., amount_cents=placed.payload.total_cents)",
    ),
    "nothing of that name": Bad(
        lambda _: anystep(charge), "missing_input", "charge() has no value for 'amount_cents'"
    ),
    "a name that is not there": Bad(
        lambda o: anystep(reserve).takes(o.sku, o.quantity, colour="red"),
        "unknown_input",
        "reserve() has no parameter 'colour'",
    ),
    "too many": Bad(
        lambda o: anystep(reserve).takes(o.sku, o.quantity, 3), "unknown_input", "1 of the values"
    ),
    "two for one": Bad(
        lambda o: anystep(reserve).takes(o.sku, o.quantity, sku="x"),
        "unknown_input",
        "two values for 'sku'",
    ),
    "a condition": Bad(
        lambda o: anystep(weigh).takes(o.quantity < 3), "condition_as_input", "gets a condition"
    ),
    "a path inside a list": Bad(
        lambda o: anystep(anything).takes(x=[o.sku]), "path_as_value", "a path inside a list"
    ),
    "a node instead of its output": Bad(
        lambda o: anystep(anything).takes(x=anystep(weigh)),
        "incompatible_wiring",
        "gets a step itself",
    ),
    "a path of another workflow": Bad(
        lambda o: anystep(weigh).takes(manual(Order).payload.quantity),
        "incompatible_wiring",
        "not of this workflow",
    ),
    "an undo of another output": Bad(
        lambda o: anystep(weigh).takes(1).undo(ship), "incompatible_wiring", "takes Reservation"
    ),
    "an undo that wants more": Bad(
        lambda o: anystep(reserve).takes("a", 1).undo(lambda done, more: None, action="x"),
        "incompatible_wiring",
        "needs more than the output",
    ),
    "an undo with the wrong context": Bad(
        lambda o: anystep(weigh).takes(1).undo(unweigh), "incompatible_wiring", "UndoContext"
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_wired_is_reported(name: str) -> None:
    """Code, words and the text to type."""
    case = BAD[name]

    found = problem(case.wire)

    assert case.code == found.code
    assert case.words in found.message
    assert case.hint in found.hint
    assert (__file__, True) == (found.file, found.line is not None)


def test_a_whole_payload_must_be_certain() -> None:
    """A key that may be absent cannot be promised to a step."""
    found = problem(lambda o: step(loose).takes(o), Loose)

    assert ("payload_not_supplied", "pass its fields one by one") == (found.code, found.hint)


def test_outputs_are_matched_by_name_too() -> None:
    """A parameter named as a node gets its whole output."""

    class Named(Workflow):
        placed = manual(Order)
        reservation = step(reserve)
        shipped = step(ship)
        reservation.then(shipped)

    node = Named.spec.steps[1]
    assert isinstance(node, StepNode)
    assert {"reservation": ["reservation"]} == {
        name: binding_to_json(b) for name, b in (node.input or {}).items()
    }


def in_transaction(tx: TxContext, sku: str) -> None: ...


def with_undo(ctx: UndoContext, sku: str) -> None: ...


@pytest.mark.parametrize(
    ("options", "fn", "code"),
    [
        ({"transaction": True}, tell, "transaction_without_context"),
        ({}, in_transaction, "transaction_without_context"),
        ({}, with_undo, "invalid_contract"),
        ({"retry": "3"}, tell, "invalid_step_retry_opts"),
        ({"retry": 0}, tell, "invalid_step_retry_opts"),
        ({"retry": Retries(3, on=cast("Any", OSError))}, tell, "invalid_step_retry_opts"),
        ({"retry": Retries(3, backoff=cast("Any", []))}, tell, "invalid_step_retry_opts"),
        ({"deadline": "2h"}, tell, "invalid_step_deadline"),
        ({"timeout": "soon"}, tell, "invalid_step_option"),
        ({"priority": "1"}, tell, "invalid_step_option"),
        ({"max_visits": True}, tell, "invalid_step_option"),
        ({"action": "a b"}, tell, "invalid_action_key"),
        ({"aliases": ["old.tell", "a b"]}, tell, "invalid_action_key"),
        ({"aliases": [5]}, tell, "invalid_action_key"),
        ({"output": ""}, tell, "invalid_step_output_mapping"),
    ],
)
def test_a_wrong_option_is_reported(options: dict[str, Any], fn: Any, code: str) -> None:
    """Every option is looked at, and what is wrong with it said at the class."""
    found = problem(lambda o: anystep(fn, **options).takes(o.sku, **_rest(fn)))

    assert code == found.code


def _rest(fn: object) -> dict[str, object]:
    return {"note": None} if fn is tell else {}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "''"),
        ("a b", "'a b'"),
        ("\ud800", r"'\ud800'"),
        ("x" * 256, "a text of 256 characters"),
    ],
    ids=["empty", "blank", "surrogate", "long"],
)
def test_a_key_that_is_none_is_shown_as_it_is(key: str, said: str) -> None:
    """Whatever it holds, the message can be printed; it is not the function that has no name."""
    step_key = problem(lambda _: step(weigh, action=key).takes(1.0))
    undo_key = problem(lambda _: step(weigh).takes(1.0).undo(forget, action=key))

    assert f"{said} is no action key" == step_key.message == undo_key.message


def test_lambdas_need_a_key() -> None:
    """What has no name cannot be stored by name."""
    found = problem(lambda o: step(lambda sku: sku).takes(o.sku))

    assert ("invalid_action_key", True) == (found.code, "action=" in found.hint)


def test_a_function_with_unreadable_annotations_is_reported() -> None:
    """A name that cannot be seen is said, with the function it stands in."""

    def odd(sku: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # the mistake

    found = problem(lambda o: anystep(odd).takes(o.sku))

    assert "invalid_contract" == found.code
    assert "odd() cannot be read" in found.message
