"""The functions behind the steps of a class: whether they fit, and how they are registered."""

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from squidmesh.authoring.assignable import assignable
from squidmesh.authoring.contracts import InvalidContract, wire_type
from squidmesh.authoring.frames import Location, Names
from squidmesh.authoring.hints import name_of
from squidmesh.authoring.notes import note
from squidmesh.authoring.signature import Function, InvalidFunction, Signature
from squidmesh.authoring.steps import Step, Undo
from squidmesh.context import TxContext, UndoContext
from squidmesh_core.definition.spec import StepNode


@frozen(kw_only=True)
class Registration:
    """A function that a workflow needs performed, and the keys it answers to."""

    key: str
    fn: Function
    signature: Signature
    aliases: tuple[str, ...] = ()


def registrations(step: Step[..., Any], compiled: StepNode) -> Iterator[Registration]:
    """The functions that a step needs; what is wrong with them is noted."""
    read = step._signature()
    if read is None:
        return
    _check_context(step, read)
    _check_wire_types(step, read)
    yield Registration(
        key=compiled.action, fn=step._fn, signature=read, aliases=tuple(step._aliases())
    )
    undo = step._undo
    if undo is None or compiled.compensate is None:
        return
    callback = _undo_signature(step, undo, read)
    if callback is not None:
        yield Registration(key=compiled.compensate, fn=undo.callback, signature=callback)


def without_json(read: Signature, names: Names) -> Iterator[str]:
    """
    What goes in or out and has no JSON form.

    Local names are looked up here for the last time.
    """
    hints = [(f"the parameter '{i.name}'", i.hint) for i in read.inputs.values()]
    for what, hint in (*hints, ("the result", read.output)):
        try:
            wire_type(hint, names)
        except InvalidContract as exc:
            yield f"{what} of {read.name}(): {exc}"


def _check_context(step: Step[..., Any], read: Signature) -> None:
    transactional = step._options.get("transaction") is True
    if read.context is UndoContext:
        message = f"{read.name}() takes an UndoContext, which only callbacks of .undo get"
        note(step, "invalid_contract", message, location=step._location)
    elif transactional and read.context is not TxContext:
        message = f"transaction=True, and {read.name}() takes no TxContext"
        hint = f"def {read.name}(tx: TxContext, ...)"
        code = "transaction_without_context"
        note(step, code, message, hint, tail=("transaction",), location=step._location)
    elif read.context is TxContext and not transactional:
        message = f"{read.name}() takes a TxContext, and the step has no transaction"
        code = "transaction_without_context"
        hint = f"step({read.name}, transaction=True)"
        note(step, code, message, hint, tail=("transaction",), location=step._location)


def _check_wire_types(step: Step[..., Any], read: Signature) -> None:
    for message in without_json(read, step._names):
        note(step, "invalid_contract", message, location=step._location)


def _undo_signature(step: Step[..., Any], undo: Undo, read: Signature) -> Signature | None:
    try:
        callback = Signature.of(undo.callback, step._names)
    except InvalidFunction as exc:
        _refuse_undo(step, undo.location, str(exc))
        return None
    taken = list(callback.inputs.values())
    if callback.context is TxContext or not taken:
        expected = f"{callback.name}({name_of(read.output)}) or with an UndoContext first"
        _refuse_undo(step, undo.location, f"an undo callback is called as {expected}")
    elif any(declared.required for declared in taken[1:]):
        message = f"{callback.name}() needs more than the output of {read.name}()"
        _refuse_undo(step, undo.location, message)
    elif not assignable(read.output, taken[0].hint):
        message = f"{callback.name}() takes {name_of(taken[0].hint)}, not {name_of(read.output)}"
        _refuse_undo(step, undo.location, message, f"{read.name}() puts it out")
    return callback


def _refuse_undo(step: Step[..., Any], location: Location, message: str, hint: str = "") -> None:
    note(step, "incompatible_wiring", message, hint, tail=("compensate",), location=location)
