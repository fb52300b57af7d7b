"""What people and systems hand in at a node: forms and messages in their JSON form."""

from collections.abc import Mapping
from typing import Any, TypeVar

from squidmesh.authoring.encode import encode
from squidmesh.authoring.gates import Approval, Receive
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh_core.canonical import storable
from squidmesh_core.errors import PayloadError, StorageError
from squidmesh_core.values.condition import same

F = TypeVar("F")
M = TypeVar("M")


def form_of(node: Approval[F] | str | None, form: F | Mapping[str, object] | None) -> object:
    """
    A filled-in form as JSON; null stays null.

    Raises:
        PayloadError: `invalid_form`: it is not of the contract, or cannot be stored.
    """
    if form is None:
        return None
    contract = node._form if isinstance(node, Approval) else None
    return _written(form, contract, "form")


def message_of(node: Receive[M] | str, payload: M | Mapping[str, object]) -> object:
    """
    A message as JSON.

    Raises:
        PayloadError: `invalid_message`: it is not of the contract, or cannot be stored.
    """
    return _written(payload, node._message if isinstance(node, Receive) else None, "message")


def assumed(node: Approval[F] | Receive[M] | str | None, said: object) -> frozenset[str]:
    """The fields of a form or message that say no more than the default of the node's contract."""
    if not isinstance(node, Approval | Receive) or not isinstance(said, Mapping):
        return frozenset()
    return frozenset(
        field.name
        for field in node._fields
        if field.name in said
        and field.default is not None
        and field.default.clock is None
        and same(said[field.name], field.default.value)
    )


def _written(value: object, contract: object, what: str) -> object:
    # Plain data is judged by the run's own definition, field by field.
    hint = Any if contract is None or type(value) is dict else contract
    try:
        return storable(encode(value, hint), where=f"the {what}")
    except (ContractMismatch, StorageError) as misfit:
        raise PayloadError(
            f"the {what} does not fit: {misfit}; nothing was written",
            f"invalid_{what}",
            misfit.details,
        ) from None
