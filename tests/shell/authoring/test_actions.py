"""The allowlist of functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from squidmesh import ActionRegistry, ConfigError, Workflow, manual, step


@dataclass(frozen=True)
class Order:
    sku: str


def pack(sku: str) -> str:
    return sku


def other(sku: str) -> str:
    return sku


class Packing(Workflow):
    placed = manual(Order)
    packed = step(pack, action="shop.pack", aliases=["old.pack"]).undo(other, action="shop.undo")


def test_a_workflow_brings_its_functions() -> None:
    """Steps, undo callbacks and aliases can all be resolved."""
    actions = ActionRegistry()
    actions.add_workflow(Packing)

    found = {key: action.fn for key in actions if (action := actions.resolve(key))}
    assert {"shop.pack": pack, "old.pack": pack, "shop.undo": other} == found
    assert frozenset(found) == actions.performable()


def test_a_key_has_one_function() -> None:
    """The same function again is fine, another one is not, and nothing is half-added."""
    actions = ActionRegistry()
    actions.add("shop.pack", pack)
    actions.add_workflow(Packing)

    with pytest.raises(ConfigError) as caught:
        actions.add("shop.new", other, aliases=["shop.pack"])

    assert ("duplicate_action", 705) == (caught.value.code, caught.value.sm)
    assert "shop.new" not in actions


def test_an_action_can_be_withdrawn() -> None:
    """It stays known, and is not performed."""
    actions = ActionRegistry()
    actions.add("shop.pack", pack, aliases=["old.pack"], enabled=False)

    assert actions.resolve("old.pack") is None
    assert {"shop.pack": False, "old.pack": False} == dict(actions)
    assert frozenset() == actions.performable()


def test_unknown_keys_resolve_to_nothing() -> None:
    """Nothing is ever imported because a definition says so."""
    assert ActionRegistry().resolve("os.system") is None


@pytest.mark.parametrize("key", ["", "a b", "a:b", "x" * 256])
def test_keys_are_validated(key: str) -> None:
    """A key can be stored and shown."""
    with pytest.raises(ConfigError) as caught:
        ActionRegistry().add(key, pack)

    assert "invalid_action_key" == caught.value.code


def test_aliases_are_a_list() -> None:
    """A text is a list of letters to Python, and no worker would ever be asked for one."""
    with pytest.raises(ConfigError, match="expected a list of action keys"):
        ActionRegistry().add("shop.pack", pack, aliases="old.pack")


def test_a_frozen_registry_takes_nothing() -> None:
    """A mesh relies on what it was given."""
    actions = ActionRegistry()
    actions.freeze()

    with pytest.raises(ConfigError, match="nothing was added"):
        actions.add("shop.pack", pack)


def test_local_contracts_are_read_when_a_function_is_added() -> None:
    """The names around the call are visible."""

    @dataclass(frozen=True)
    class Local:
        sku: str

    def send(item: Local) -> Local:
        return item

    actions = ActionRegistry()
    actions.add("send", send)

    action = actions.resolve("send")
    assert action is not None
    assert {"item": Local("a")} == action.signature.bind({"item": {"sku": "a"}})


def test_functions_must_give_what_can_be_stored() -> None:
    """A result without a JSON form could never be kept."""

    def picture() -> bytes:
        return b""

    with pytest.raises(ConfigError, match="the result of picture"):
        ActionRegistry().add("picture", picture)


def test_functions_must_take_inputs_by_name() -> None:
    """What cannot be called by name cannot be an action."""

    def odd(*values: Any) -> None: ...

    with pytest.raises(ConfigError, match="by position only"):
        ActionRegistry().add("odd", odd)
