"""What a signal asks for: a command to a run, or a new run that only a registry can begin."""

from typing import Literal, assert_never, cast

from squidmesh_core.canonical import storable
from squidmesh_core.ids import NodeName, RunId
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.requests import (
    Operation,
    ReplayRequest,
    Request,
    RetryRequest,
    StartRequest,
)
from squidmesh_core.protocol.signals.signal import Signal, checked
from squidmesh_core.values.redaction import redact_map


def command_of(signal: Signal) -> Request:
    """
    What a signal asks for.

    The digest is that of the same command given by its named method, so that
    one key serves both.

    Raises:
        PayloadError: The signal was built by hand and is none; as for `checked`.
    """
    signal = checked(signal)
    match signal.type:
        case "start":
            return StartRequest(
                workflow=_text(signal, "workflow"),
                trigger=_text_or_none(signal, "trigger"),
                input=_map(signal, "input"),
                said=_said(signal),
            )
        case "replay":
            return _replay(signal)
        case "retry_compensation":
            return RetryRequest(run_id=_run_id(signal), said=_said(signal))
        case "cancel":
            compensate, abandon = _flag(signal, "compensate"), _flag(signal, "abandon")
            return requests.cancel(
                _run_id(signal), _said(signal), compensate=compensate, abandon=abandon
            )
        case "pause":
            return requests.pause(_run_id(signal), _said(signal))
        case "resume":
            node = _text_or_none(signal, "node")
            return requests.resume(_run_id(signal), _said(signal), node=node)
        case "approve":
            return _review(signal, "approved")
        case "reject":
            return _review(signal, "rejected")
        case "send":
            message = storable(signal.payload["message"])
            node = _text(signal, "node")
            return requests.send(_run_id(signal), _said(signal), node=node, payload=message)
    assert_never(signal.type)


def receipted_of(signal: Signal) -> Receipted:
    """
    What was said along with a command, as its receipt keeps it: metadata redacted.

    Raises:
        PayloadError: The signal was built by hand and is none; as for `checked`.
    """
    return _said(checked(signal))


# What follows trusts its signal: `checked` has seen it.


def _said(signal: Signal) -> Receipted:
    return Receipted(
        actor=storable(signal.payload.get("actor")),
        comment=_text_or_none(signal, "comment"),
        metadata=cast("dict[str, object]", storable(redact_map(signal.metadata))),
        key=signal.idempotency_key,
        occurred_at=signal.occurred_at,
    )


def _review(signal: Signal, decision: Literal["approved", "rejected"]) -> Operation:
    form = storable(_map(signal, "form")) if "form" in signal.payload else None
    return requests.review(
        _run_id(signal),
        _said(signal),
        decision,
        node=_text_or_none(signal, "node"),
        form=cast("dict[str, object] | None", form),
    )


def _replay(signal: Signal) -> ReplayRequest:
    step = _text_or_none(signal, "from_step")
    return ReplayRequest(
        run_id=_run_id(signal),
        from_step=None if step is None else NodeName(step),
        allow_irreversible=_flag(signal, "allow_irreversible"),
        definition="current" if signal.payload.get("definition") == "current" else "source",
        said=_said(signal),
    )


def _run_id(signal: Signal) -> RunId:
    return RunId(_text(signal, "run_id"))


def _text(signal: Signal, name: str) -> str:
    return cast("str", signal.payload[name])


def _text_or_none(signal: Signal, name: str) -> str | None:
    return cast("str | None", signal.payload.get(name))


def _map(signal: Signal, name: str) -> dict[str, object]:
    return cast("dict[str, object]", signal.payload[name])


def _flag(signal: Signal, name: str) -> bool:
    return signal.payload.get(name) is True
