"""pydantic models are contracts where pydantic is installed; nothing here needs it."""

from typing import Any

import pytest

from squidmesh import DefinitionError, PayloadError, WorkflowBuilder, manual, step
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.signature import Signature
from squidmesh.authoring.triggers import payload_of

pydantic: Any = pytest.importorskip("pydantic")

Order: Any = pydantic.create_model("Order", sku=(str, ...), quantity=(int, 1))


def pack(order):  # type: ignore[no-untyped-def]  # annotated below, with a class made at run time
    return order


pack.__annotations__ = {"order": Order, "return": Order}


def show(sku: str) -> None: ...


def test_a_model_is_a_contract() -> None:
    """Its fields are the payload, and its objects go both ways."""
    placed = manual(Order)

    assert ["sku", "quantity"] == [field.name for field in placed._fields()]
    assert {"sku": "a", "quantity": 1} == payload_of(placed, placed.parse({"sku": "a"}))


def test_a_model_is_read_strictly() -> None:
    """Nothing is coerced, as with every other contract."""
    with pytest.raises(PayloadError):
        manual(Order).parse({"sku": "a", "quantity": "1"})


def test_a_model_is_checked_when_it_is_written() -> None:
    """A mapping is no model, and a model may hold the wrong type."""
    read = Signature.of(pack)

    for wrong in ({"sku": "a"}, Order.model_construct(sku=5)):
        with pytest.raises(ContractMismatch):
            read.result(wrong)


def test_a_misspelt_field_of_a_model_is_reported() -> None:
    """Paths know its fields."""
    builder = WorkflowBuilder("test.Pydantic")
    placed = builder.trigger("placed", manual(Order))
    builder.add("packed", step(show).takes(placed.payload.skuu))

    with pytest.raises(DefinitionError, match="did you mean 'sku'"):
        builder.build()
