"""
Commands as data: JSON-safe, for queues, webhooks and whoever has no mesh at hand.

    body = signals.to_cloudevent(signals.approve(run_id, by="ana", idempotency_key="m-1"))
    mesh.apply_signal(signals.from_cloudevent(body))

A signal promises nothing: whether it may be done is decided when it is applied.
Every function raises `PayloadError` (`invalid_signal`, with `field` and
`reason`) where something of it does not fit.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar, Unpack, cast

from squidmesh.authoring.gates import Approval, Pause, Receive
from squidmesh.authoring.nodes import BaseNode
from squidmesh.authoring.triggers import Trigger, payload_of
from squidmesh.people import By, plain_actor
from squidmesh.steering.answering import form_of, message_of
from squidmesh_core.protocol import signals as making
from squidmesh_core.protocol.cloudevents import from_cloudevent, to_cloudevent
from squidmesh_core.protocol.requests import DefinitionChoice
from squidmesh_core.protocol.signals import Signal, signal_from_json, signal_to_json

__all__ = [
    "Signal",
    "approve",
    "cancel",
    "from_cloudevent",
    "pause",
    "reject",
    "replay",
    "resume",
    "retry_compensation",
    "send",
    "signal_from_json",
    "signal_to_json",
    "start",
    "to_cloudevent",
]

F = TypeVar("F")
M = TypeVar("M")
P = TypeVar("P")


class SignalOptions(TypedDict, total=False):
    """What every signal may say."""

    #: The same key again answers with the first time.
    idempotency_key: str | None
    metadata: Mapping[str, object]
    #: When it was given; now, by this host's clock, if it is left out.
    occurred_at: datetime


class Options(SignalOptions, total=False):
    """What a signal to a run may say."""

    by: By | None
    note: str | None


def start(trigger: Trigger[P], payload: P, **options: Unpack[SignalOptions]) -> Signal:
    """Begin a run."""
    given = payload_of(trigger, payload)
    return making.start(trigger._owner or "", trigger.name, given, **_dated(options))


def approve(
    run_id: str,
    *,
    node: Approval[F] | str | None = None,
    form: F | Mapping[str, object] | None = None,
    **options: Unpack[Options],
) -> Signal:
    """Say yes at an approval; `by` is needed."""
    filled = cast("Mapping[str, object] | None", form_of(node, form))
    return making.approve(run_id, node=_named(node), form=filled, **_said(options))


def reject(
    run_id: str,
    *,
    node: Approval[F] | str | None = None,
    form: F | Mapping[str, object] | None = None,
    **options: Unpack[Options],
) -> Signal:
    """Say no at an approval; `by` is needed."""
    filled = cast("Mapping[str, object] | None", form_of(node, form))
    return making.reject(run_id, node=_named(node), form=filled, **_said(options))


def pause(run_id: str, **options: Unpack[Options]) -> Signal:
    """Hold a whole run."""
    return making.pause(run_id, **_said(options))


def resume(run_id: str, *, node: Pause | str | None = None, **options: Unpack[Options]) -> Signal:
    """Lift the hold, or say go on at a pause node."""
    return making.resume(run_id, node=_named(node), **_said(options))


def cancel(
    run_id: str,
    *,
    compensate: bool | None = None,
    abandon: bool | None = None,
    **options: Unpack[Options],
) -> Signal:
    """End a run, perhaps undoing first what was done."""
    return making.cancel(run_id, compensate=compensate, abandon=abandon, **_said(options))


def send(
    run_id: str,
    node: Receive[M] | str,
    payload: M | Mapping[str, object],
    **options: Unpack[Options],
) -> Signal:
    """Hand a message in."""
    message = message_of(node, payload)
    return making.send(run_id, _named(node) or "", message, **_said(options))


def replay(
    run_id: str,
    *,
    from_step: BaseNode | str | None = None,
    allow_irreversible: bool | None = None,
    definition: DefinitionChoice | None = None,
    **options: Unpack[Options],
) -> Signal:
    """Do again, in a new run, what a finished one did."""
    return making.replay(
        run_id,
        from_step=_named(from_step),
        allow_irreversible=allow_irreversible,
        definition=definition,
        **_said(options),
    )


def retry_compensation(run_id: str, **options: Unpack[Options]) -> Signal:
    """Undo, in a new run, what an ended one has left."""
    return making.retry_compensation(run_id, **_said(options))


def _named(node: BaseNode | str | None) -> str | None:
    return node.name if isinstance(node, BaseNode) else node


def _dated(options: Mapping[str, object]) -> Any:
    """The options with an instant; what is not among them is refused by the signal itself."""
    return {"occurred_at": datetime.now(UTC), **options}


def _said(options: Options) -> Any:
    return {**_dated(options), "by": plain_actor(options.get("by"))}
