"""How the runtime calls a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pytest

from squidmesh import Context, Defer, Fail, Retry, Sensitive, TxContext, UndoContext
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.signature import InvalidFunction, Signature


@dataclass(frozen=True)
class Item:
    sku: str


def plain(sku: str, quantity: int = 1) -> Item:
    return Item(sku * quantity)


async def with_context(ctx: Context, item: Item) -> str | Retry | Fail:
    return item.sku


def in_transaction(tx: TxContext, sku: str) -> Item | Defer: ...  # type: ignore[empty-body]  # a signature


def undo(ctx: UndoContext, done: Item) -> None: ...


def later(sku: str) -> Awaitable[Item]: ...  # type: ignore[empty-body]  # a signature


def only_retries() -> Retry: ...  # type: ignore[empty-body]  # a signature


def secret() -> Sensitive[str] | Retry: ...  # type: ignore[empty-body]  # a signature


def untyped(a, b=2):  # type: ignore[no-untyped-def]  # as registries allow
    return a


class Callme:
    """An object that can be called."""

    def __call__(self, sku: str) -> int:
        return len(sku)

    async def method(self, sku: str) -> int:
        return len(sku)


@pytest.mark.parametrize(
    ("fn", "context", "inputs", "output", "is_async"),
    [
        (plain, None, ["sku", "quantity"], Item, False),
        (with_context, Context, ["item"], str, True),
        (in_transaction, TxContext, ["sku"], Item, False),
        (undo, UndoContext, ["done"], type(None), False),
        (later, None, ["sku"], Item, True),
        (only_retries, None, [], type(None), False),
        (secret, None, [], Sensitive[str], False),
        (untyped, None, ["a", "b"], Any, False),
        (Callme(), None, ["sku"], int, False),
        (Callme().method, None, ["sku"], int, True),
        (partial(plain, "vase"), None, ["quantity"], Item, False),
        (partial(with_context, item=Item("a")), Context, ["item"], str, True),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_function_is_read(
    fn: Callable[..., object], context: object, inputs: list[str], output: object, is_async: bool
) -> None:
    """Its context, its inputs and its output without `Retry | Defer | Fail`."""
    read = Signature.of(fn)

    assert (context, inputs, output, is_async) == (
        read.context,
        list(read.inputs),
        read.output,
        read.is_async,
    )


@pytest.mark.parametrize(
    "fn",
    [lambda *values: None, lambda a, /: None, 5],
    ids=["several", "position", "number"],
)
def test_inputs_go_by_name(fn: Any) -> None:
    """A parameter that cannot be named cannot be wired."""
    with pytest.raises(InvalidFunction):
        Signature.of(fn)


def test_inputs_are_structured() -> None:
    """A JSON object becomes the parameter's class."""
    assert {"item": Item("a")} == Signature.of(with_context).bind({"item": {"sku": "a"}})


def test_defaults_are_left_to_the_function() -> None:
    """What is not bound is not passed."""
    assert {"sku": "a"} == Signature.of(plain).bind({"sku": "a"})


def test_every_wrong_input_is_listed() -> None:
    """Missing, unknown and wrong parameters at once, nested paths too."""
    with pytest.raises(ContractMismatch) as caught:
        Signature.of(plain).bind({"quantity": "1", "colour": "red"})
    with pytest.raises(ContractMismatch) as nested:
        Signature.of(with_context).bind({"item": {"sku": 5}})

    assert [(("sku",), "missing"), (("quantity",), "type"), (("colour",), "unknown")] == [
        (problem.path, problem.kind) for problem in caught.value.problems
    ]
    assert [("item", "sku")] == [problem.path for problem in nested.value.problems]


def test_a_whole_context_may_hold_more() -> None:
    """A step without a mapping takes what it names and leaves the rest."""
    whole = {"sku": "a", "total": 5}

    assert {"sku": "a"} == Signature.of(plain).bind(whole, whole=True)


def test_open_functions_take_everything() -> None:
    """`**values` gets what has no parameter of its own."""

    def collect(a: int, **values: object) -> None: ...

    assert {"a": 1, "b": "x"} == Signature.of(collect).bind({"a": 1, "b": "x"})


def test_what_is_not_annotated_passes_through() -> None:
    """Functions of a registry need no annotations."""
    read = Signature.of(untyped)

    assert {"a": [1], "b": {"x": None}} == read.bind({"a": [1], "b": {"x": None}})
    assert {"sku": "a"} == read.result(Item("a"))


@pytest.mark.parametrize("value", [{"sku": "a"}, Item(cast("str", 5)), None, "a"])
def test_a_result_of_another_type_is_refused(value: object) -> None:
    """A step declared `-> Item` returns an `Item` whose fields are right."""
    with pytest.raises(ContractMismatch):
        Signature.of(plain).result(value)


def test_a_result_is_written_as_json() -> None:
    """What the journal keeps is plain."""
    assert {"sku": "a"} == Signature.of(plain).result(Item("a"))
    assert Signature.of(undo).result(None) is None
