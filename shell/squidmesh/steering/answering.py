"""What people and systems hand in at a node: forms and messages in their JSON form."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from squidmesh.authoring.contracts import without_instants
from squidmesh.authoring.encode import encode
from squidmesh.authoring.gates import Approval, Receive
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.records import record_class
from squidmesh_core.canonical import storable
from squidmesh_core.definition.payload import beyond_defaults
from squidmesh_core.errors import PayloadError, StorageError

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
    return frozenset(said.keys() - beyond_defaults(node._fields, said).keys())


def _written(value: object, contract: object, what: str) -> object:
    # Plain data is judged by the run's own definition, field by field.
    hint = type(value) if contract is None else contract
    if type(value) is dict or record_class(hint) is None:
        hint = Any
    try:
        written = encode(value, hint)
        if hint is not Any:
            written = without_instants(cast("dict[str, object]", written), hint)
        return storable(written, where=f"the {what}")
    except (ContractMismatch, StorageError) as misfit:
        raise PayloadError(
            f"the {what} does not fit: {misfit}; nothing was written",
            f"invalid_{what}",
            misfit.details,
        ) from None
