"""
What the steering verbs ask for, as values: checked, and ready for a door.

`Steering` (on threads) and `AsyncMesh` (on an event loop) say the same with these.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from attrs import frozen

from squidmesh import checks
from squidmesh.authoring.gates import Approval, Receive
from squidmesh.authoring.nodes import BaseNode
from squidmesh.people import By, CommandOptions, said
from squidmesh.steering.answering import assumed, form_of, message_of
from squidmesh.views.reading import run_id_of
from squidmesh.views.snapshot import RunRef
from squidmesh_core.canonical import MAX_BYTES
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import ConfigError, PayloadError
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Command
from squidmesh_core.protocol.requests import (
    DefinitionChoice,
    Operation,
    ReplayRequest,
    RetryRequest,
    StartRequest,
)
from squidmesh_core.protocol.signals import Signal, command_of, signal_from_json

M = TypeVar("M")


@frozen
class Asked:
    """A command on a run that is there."""

    run_id: RunId
    command: Command
    #: The instant to decide at; null: the storage's clock.
    now: datetime | None


def options_of(
    by: By,
    note: str | None,
    metadata: Mapping[str, object] | None,
    key: str | None,
    now: datetime | None,
) -> CommandOptions:
    """What a command says whose verb names each of its options."""
    return {"by": by, "note": note, "metadata": metadata, "key": key, "now": now}


def review(
    decision: Literal["approved", "rejected"],
    run: RunRef,
    node: Approval[Any] | str | None,
    form: object,
    options: CommandOptions,
) -> Asked:
    """
    A yes or no at an approval.

    Raises:
        SquidmeshError: What was said is wrong, as the verbs list it.
    """
    who = said("approve" if decision == "approved" else "reject", options)
    filled = cast("Mapping[str, object] | None", form_of(node, form))
    asked = requests.review(
        run_id_of(run),
        who,
        decision,
        node=named(node),
        form=filled,
        assumed=assumed(node, filled),
    )
    return operation(asked, options)


def pause(run: RunRef, options: CommandOptions) -> Asked:
    """
    A hold.

    Raises:
        SquidmeshError: What was said is wrong, as the verb lists it.
    """
    return operation(requests.pause(run_id_of(run), said("pause", options)), options)


def resume(run: RunRef, node: BaseNode | str | None, options: CommandOptions) -> Asked:
    """
    The end of a hold, or the answer at a pause.

    Raises:
        SquidmeshError: What was said is wrong, as the verb lists it.
    """
    asked = requests.resume(run_id_of(run), said("resume", options), node=named(node))
    return operation(asked, options)


def cancel(run: RunRef, options: CommandOptions, *, compensate: bool, abandon: bool) -> Asked:
    """
    An end.

    Raises:
        SquidmeshError: What was said is wrong, as the verb lists it.
    """
    checks.flag("compensate", compensate)
    checks.flag("abandon", abandon)
    if compensate and abandon:
        raise checks.wrong("abandon", "compensate and abandon ask for the opposite")
    asked = requests.cancel(
        run_id_of(run), said("cancel", options), compensate=compensate, abandon=abandon
    )
    return operation(asked, options)


def send(
    run: RunRef,
    node: Receive[M] | str,
    payload: M | Mapping[str, object],
    options: CommandOptions,
) -> Asked:
    """
    A message.

    Raises:
        SquidmeshError: What was said is wrong, as the verb lists it.
    """
    message = message_of(node, payload)
    who = said("send", options)
    asked = requests.send(
        run_id_of(run),
        who,
        node=named(node) or "",
        payload=message,
        assumed=assumed(node, message),
    )
    return operation(asked, options)


def correlation_key(correlation: str, options: CommandOptions) -> str | None:
    """
    The key of a message that is delivered by its correlation.

    Raises:
        ConfigError: The correlation or an option is wrong.
    """
    checks.text("correlation", correlation, longest=MAX_BYTES)  # whatever a run may wait under
    return said("send", options).key


def replay(
    run: RunRef,
    options: CommandOptions,
    *,
    from_step: BaseNode | str | None,
    allow_irreversible: bool,
    definition: DefinitionChoice,
) -> ReplayRequest:
    """
    A new run of a finished one.

    Raises:
        SquidmeshError: What was said is wrong, as the verb lists it.
    """
    if definition not in ("source", "current"):
        raise checks.wrong("definition", "expected source or current")
    step = named(from_step)
    return ReplayRequest(
        run_id=run_id_of(run),
        from_step=None if step is None else NodeName(step),
        allow_irreversible=allow_irreversible is True,
        definition=definition,
        said=said("replay", options),
    )


def retry_compensation(run: RunRef, options: CommandOptions) -> RetryRequest:
    """
    What an ended run has left, to be undone.

    Raises:
        SquidmeshError: What was said is wrong, as the verb lists it.
    """
    return RetryRequest(run_id=run_id_of(run), said=said("retry_compensation", options))


def signalled(
    signal: Signal | Mapping[str, object],
) -> Operation | StartRequest | ReplayRequest | RetryRequest:
    """
    What a command asks for that came as data.

    Raises:
        PayloadError: `invalid_signal`, `unsupported_signal`: it is none.
    """
    if isinstance(signal, Mapping):
        signal = signal_from_json(signal)
    return command_of(signal)


def start_in(asked: StartRequest, workflows: Mapping[str, Spec]) -> tuple[Spec, str]:
    """
    The definition and the trigger that a start as data means.

    Raises:
        ConfigError: The workflow is not registered.
        PayloadError: Its triggers are several, and none is named.
    """
    spec = workflows.get(asked.workflow)
    if spec is None:
        raise ConfigError(
            f"{asked.workflow!r} is not registered with this mesh; nothing was written",
            "unknown_workflow",
            {"option": "workflow", "reason": asked.workflow},
        )
    names = [trigger.name for trigger in spec.triggers]
    if asked.trigger is None and len(names) != 1:
        raise PayloadError(
            f"{asked.workflow} has several triggers ({', '.join(names)}); name one",
            "invalid_signal",
            {"field": "trigger", "reason": "required"},
        )
    return spec, asked.trigger or names[0]


def operation(asked: Operation, options: CommandOptions) -> Asked:
    """
    An operation, at the instant that the options name.

    Raises:
        ConfigError: That is no instant.
    """
    return Asked(asked.run_id, asked.command, checks.instant("now", options.get("now")))


def named(node: BaseNode | str | None) -> str | None:
    """
    What a command calls a node; null: it names none.

    Raises:
        ConfigError: It is an empty text.
    """
    if node is None or isinstance(node, BaseNode):
        return None if node is None else node.name
    return checks.text("node", node)
