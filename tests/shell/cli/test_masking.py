"""What is sensitive is in no output."""

import json
from dataclasses import dataclass

import pytest

from squidmesh import Mesh, Sensitive, Workflow, WorkflowBuilder, manual, step
from squidmesh.cli.lines import masked, node_of
from squidmesh.files.masking import MASK, Mask
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import NodeName

SPEC = Spec.from_dict(
    {
        "workflow": "shop",
        "triggers": [
            {
                "name": "placed",
                "type": "manual",
                "payload": [
                    {"name": "card", "type": "map", "required": True},
                    {"name": "pin", "type": "integer", "required": True},
                    {"name": "sku", "type": "string", "required": True},
                ],
            }
        ],
        "steps": [
            {
                "name": "pay",
                "kind": "step",
                "action": "pay",
                "input": {
                    "token": ["card", "token"],
                    "card": ["card"],
                    "pin": ["pin"],
                    "both": {"object": {"pin": ["pin"], "sku": ["sku"]}},
                    "note": {"value": "tok_1234"},
                },
                "output": "payment",
            },
            {
                "name": "settled",
                "kind": "receive",
                "after": ["pay"],
                "message": [{"name": "cents", "type": "integer", "required": True}],
                "correlation": ["card", "token"],
                "output": "settled",
            },
        ],
        "sensitive": [["card", "token"], ["pin"], ["payment", "secret"]],
    }
)
CONTEXT = {
    "card": {"token": "tok_1234", "brand": "visa"},
    "pin": 4711,
    "sku": "MUG",
    "payment": {"id": "pay-1", "secret": ["hush-hush", 7]},
}
PAY = NodeName("pay")
mask = Mask(SPEC, CONTEXT)


def test_a_sensitive_field_is_masked_where_it_stands() -> None:
    """Whatever its type, and nothing beside it."""
    assert {
        "card": {"token": MASK, "brand": "visa"},
        "pin": MASK,
        "sku": "MUG",
        "payment": {"id": "pay-1", "secret": MASK},
    } == mask.context(CONTEXT)


def test_a_secret_text_is_masked_wherever_it_turns_up() -> None:
    """Error messages and details quote what a step was given."""
    assert f"declined {MASK}: visa" == mask.text("declined tok_1234: visa")
    assert {"log": [f"sent {MASK}"], MASK: 1} == mask.value(
        {"log": ["sent tok_1234"], "tok_1234": 1}
    )


def test_an_input_is_as_sensitive_as_the_path_it_is_wired_from() -> None:
    """Parameters have names of their own; numbers have no text to look for."""
    taken = {
        "token": "tok_1234",
        "card": CONTEXT["card"],
        "pin": 4711,
        "both": {"pin": 4711, "sku": "MUG"},
        "note": "tok_1234",
    }

    assert {
        "token": MASK,
        "card": {"token": MASK, "brand": "visa"},
        "pin": MASK,
        "both": {"pin": MASK, "sku": "MUG"},
        "note": MASK,
    } == mask.input(PAY, taken)


def test_an_output_is_masked_by_its_place_in_the_context() -> None:
    """A node's output key may differ from its name."""
    assert {"id": "pay-1", "secret": MASK} == mask.output(PAY, CONTEXT["payment"])


def test_what_a_callback_takes_in_is_as_sensitive_as_what_its_step_did() -> None:
    """It is given the step's input and output again, and the failure that called it."""
    taken = {
        "input": {"pin": 4711, "note": "plain"},
        "output": {"id": "pay-1", "secret": 7},
        "failure": {"kind": "Boom", "message": "tok_1234 declined"},
    }

    assert {
        "input": {"pin": MASK, "note": "plain"},
        "output": {"id": "pay-1", "secret": MASK},
        "failure": {"kind": "Boom", "message": f"{MASK} declined"},
    } == mask.undoing(PAY, taken)
    assert {"input": None, "output": None} == mask.undoing(PAY, {})


def test_a_correlation_is_as_sensitive_as_the_path_it_comes_from() -> None:
    """Also where it is too short to be looked for elsewhere."""
    short = Mask(SPEC, {**CONTEXT, "card": {"token": "a"}})

    assert MASK == short.correlation(NodeName("settled"), "a")
    assert "a" == short.correlation(PAY, "a")


def test_the_values_that_decided_a_route_are_masked_too() -> None:
    """A condition may read what is sensitive."""
    assert {"pin": MASK, "sku": "MUG"} == mask.decisive({"pin": 4711, "sku": "MUG"})


def test_a_short_secret_masks_no_innocent_words() -> None:
    """A one-letter secret would make every text unreadable; in its place it is masked."""
    short = Mask(SPEC, {**CONTEXT, "card": {"token": "a"}})

    assert "banana" == short.text("banana")
    assert MASK in json.dumps(short.context({"card": {"token": "a"}}), ensure_ascii=False)


def test_what_a_condition_compares_with_something_sensitive_is_masked() -> None:
    """Whatever its type, inside and around it; whether there is a value is no secret."""

    def compared(*path: str, **operator: object) -> dict[str, object]:
        return {"path": list(path), **operator}

    plain = compared("sku", equals="MUG")
    condition = {
        "any": [
            compared("pin", at_least=4000),
            {"not": compared("card", equals={"token": "other"})},
            {"all": [plain, compared("card", "token", "kind", is_in=["x", "y"])]},
            compared("pin", is_missing=False),
        ]
    }

    assert {
        "any": [
            compared("pin", at_least=MASK),
            {"not": compared("card", equals=MASK)},
            {"all": [plain, compared("card", "token", "kind", is_in=MASK)]},
            compared("pin", is_missing=False),
        ]
    } == mask.condition(condition)


def test_a_value_that_was_read_inside_something_sensitive_is_masked() -> None:
    """A number there is found in no text."""
    assert {"card.token.digits": MASK, "card.brand": "visa"} == mask.decisive(
        {"card.token.digits": 4711, "card.brand": "visa"}
    )


@dataclass
class Drawn:
    """What a step puts out."""

    pin: Sensitive[int]


def draw() -> Drawn:
    """A step."""
    return Drawn(4711)


def named(name: str) -> type[Workflow]:
    """A workflow whose only step has this name."""
    builder = WorkflowBuilder("shop.named")
    builder.trigger("asked", manual())
    builder.add(name, step(draw))
    return builder.build()


@pytest.mark.parametrize("name", ["draw", "timeout", "compensate", "deferred"])
def test_an_entry_is_masked_whatever_its_node_is_called(name: str) -> None:
    """Also by a word that keys are made with."""
    workflow = named(name)
    with Mesh.open("memory://", workflows=[workflow]) as mesh:
        run = mesh.start_spec(workflow.spec, "asked", {}, actions=mesh.actions)
        mesh.drain()
        snapshot = mesh.inspect(run)
        entries = {entry.type: entry for entry in mesh.journal(run)}
    completed = entries["attempt_completed"]

    hidden = masked(completed, Mask(snapshot.spec, snapshot.context), run.id)

    assert name == node_of(completed.data, run.id)
    assert {"pin": MASK} == hidden["output"]
