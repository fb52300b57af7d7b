"""The fingerprint changes with the meaning of a spec, and with nothing else."""

import json
from collections.abc import Iterator
from hashlib import sha256

import pytest
from attrs import evolve
from hypothesis import given

from squidmesh_core.definition.form import read_spec, read_text, spec_to_text
from squidmesh_core.definition.spec import (
    ApprovalNode,
    Default,
    Field,
    LogNode,
    ManualTrigger,
    Node,
    ReceiveNode,
    Spec,
    WaitNode,
)
from squidmesh_core.ids import NodeName
from squidmesh_core.values import Constant, DeadlinePolicy, FromPath, RetryPolicy
from support.specs import ORDER_ID, diamond, linear, route, specs, step, workflow


@given(specs(), specs())
def test_equal_fingerprints_mean_equal_specs(left: Spec, right: Spec) -> None:
    """The address names one content."""
    assert (left.fingerprint == right.fingerprint) == (
        json.dumps(left.to_dict(), sort_keys=True) == json.dumps(right.to_dict(), sort_keys=True)
    )


@given(specs())
def test_the_fingerprint_is_the_digest_of_the_stored_text(spec: Spec) -> None:
    """Whoever holds the text can check the address."""
    assert sha256(spec_to_text(spec).encode()).hexdigest() == spec.fingerprint


@given(specs())
def test_an_option_at_its_default_changes_nothing(spec: Spec) -> None:
    """Written in full or as short as can be, it is the same spec."""
    short, _ = read_text(spec_to_text(spec))
    full, _ = read_spec(spec.to_dict())

    assert short is not None
    assert full is not None
    assert spec.fingerprint == short.fingerprint == full.fingerprint


def test_the_address_of_a_known_spec_never_moves() -> None:
    """Stored runs name this fingerprint; a change here strands them."""
    assert (
        '{"entry_steps":["s1"],'
        '"steps":[{"action":"shop.s1","input":{"order_id":["order_id"]},"kind":"step","name":"s1"}],'
        '"transitions":[{"from":"s1","on":"ok","to":"complete"}],'
        '"triggers":[{"name":"placed","payload":[{"name":"order_id","type":"string"},'
        '{"name":"total","required":false,"type":"integer"}],"type":"manual"}],'
        '"workflow":"shop.Linear1"}'
    ) == spec_to_text(linear(1))
    assert (
        "1acb3ac06b2ffafea0feca4ef81738701ed7d2854cb2c4f56d4bca99736fb277" == linear(1).fingerprint
    )


NAME = NodeName("s1")
TEXT = Field(name="f", type="string")
CHARGE = {"name": "s1", "kind": "step", "action": "shop.s1", "input": {"order_id": ["order_id"]}}


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (step("s1", irreversible=True, compensatable=False), {**CHARGE, "irreversible": True}),
        (
            step("s1", irreversible=True),
            {**CHARGE, "irreversible": True, "compensatable": True},
        ),
        (step("s1", compensatable=False), {**CHARGE, "compensatable": False}),
        (
            step(
                "s1",
                retry=RetryPolicy(max_attempts=2),
                compensate_retry=RetryPolicy(max_attempts=3, jitter=True),
                deadline=DeadlinePolicy(within_ms=5),
            ),
            {
                **CHARGE,
                "retry": {"max_attempts": 2},
                "compensate_retry": {"max_attempts": 3, "jitter": True},
                "deadline": {"within_ms": 5},
            },
        ),
        (
            LogNode(name=NAME, message="hello"),
            {"name": "s1", "kind": "log", "message": "hello"},
        ),
        (
            ApprovalNode(name=NAME, question="?", form=(TEXT,)),
            {
                "name": "s1",
                "kind": "approval",
                "output": None,
                "question": "?",
                "form": [{"name": "f", "type": "string"}],
            },
        ),
        (
            ReceiveNode(name=NAME, output="s1", message=(TEXT,), correlation=FromPath(path=("f",))),
            {
                "name": "s1",
                "kind": "receive",
                "message": [{"name": "f", "type": "string"}],
                "correlation": ["f"],
            },
        ),
    ],
)
def test_the_text_of_a_node_never_moves(node: Node, text: dict[str, object]) -> None:
    """What is at its default is not written, policies and fields included."""
    data = json.loads(spec_to_text(workflow(node)))

    assert [text] == data["steps"]


def variants() -> Iterator[tuple[str, Spec]]:
    """Specs that each mean something else than `linear(2)`."""
    base = linear(2)
    first, second = base.steps
    yield "version", evolve(base, version="2")
    yield "queue", evolve(base, queue="slow")
    yield "priority", evolve(base, priority=1)
    yield "timeout", evolve(base, timeout_ms=5)
    yield "sensitive", evolve(base, sensitive=(("order_id",),))
    yield "steps reordered", evolve(base, steps=(second, first))
    yield "routes reordered", evolve(base, transitions=base.transitions[::-1])
    yield "route", evolve(base, transitions=(route("s1", "s2"),))
    for name, option in {
        "action": "shop.other",
        "input": {"order_id": Constant(value="A-1")},
        "output": None,
        "retry": RetryPolicy(max_attempts=1),
        "deadline": DeadlinePolicy(within_ms=5),
        "timeout_ms": 5,
        "queue": "slow",
        "priority": 0,
        "max_visits": 1,
        "max_deliveries": 5,
        "compensate": "shop.undo",
        "irreversible": True,
        "compensatable": False,
        "transaction": True,
    }.items():
        yield name, evolve(base, steps=(step("s1", **{name: option}), second))
    yield "wait", evolve(base, steps=(first, WaitNode(name=NodeName("s2"), duration_ms=1)))
    for field in (
        ORDER_ID,
        evolve(ORDER_ID, required=False),
        evolve(ORDER_ID, nullable=True),
        evolve(ORDER_ID, default=Default()),
        evolve(ORDER_ID, default=Default(value="now")),
        evolve(ORDER_ID, default=Default(clock="now")),
        evolve(ORDER_ID, choices=("a",)),
        Field(name="order_id", type="any"),
    ):
        yield f"{field}", evolve(base, triggers=(ManualTrigger(name="placed", payload=(field,)),))


def test_every_change_of_meaning_changes_the_fingerprint() -> None:
    """No two of many variants share an address."""
    named = [("base", linear(2)), *variants()]
    seen: dict[str, str] = {}
    for name, spec in named:
        assert seen.setdefault(spec.fingerprint, name) == name

    assert len(named) == len(seen)


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_constants_stay_whatever_they_are(value: object) -> None:
    """A constant that looks like a default is still the host's word."""
    spec = workflow(step("s1", input={"x": Constant(value=value)}), transitions=[route("s1")])

    assert json.dumps({"x": {"value": value}}).replace(" ", "") in spec_to_text(spec)


def test_the_order_in_which_inputs_are_written_is_no_meaning() -> None:
    """Parameters have names, so their order says nothing."""
    a, b = Constant(value=1), Constant(value=2)
    one = workflow(step("s1", input={"a": a, "b": b}), transitions=[route("s1")])
    other = workflow(step("s1", input={"b": b, "a": a}), transitions=[route("s1")])

    assert one.fingerprint == other.fingerprint


def test_the_fingerprint_of_a_dependency_workflow() -> None:
    """The order of `after` is kept, it being the order of the host."""
    top, left, right, bottom = diamond().steps
    turned = evolve(bottom, after=bottom.after[::-1])

    assert diamond().fingerprint != evolve(diamond(), steps=(top, left, right, turned)).fingerprint
