"""
Signals from ready-made values, one function per verb; the instant comes in.

An option that is null is left out.  What does not fit is refused at once:
every function raises `PayloadError`, `invalid_signal` with `field` and `reason`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, Unpack

from squidmesh_core.protocol.commands import Verb
from squidmesh_core.protocol.requests import DefinitionChoice
from squidmesh_core.protocol.signals.members import UnfitError
from squidmesh_core.protocol.signals.signal import Signal, checked, refusal


class Envelope(TypedDict, total=False):
    """What a signal may say besides its payload."""

    metadata: Mapping[str, object] | None
    idempotency_key: str | None


class Said(Envelope, total=False):
    """What one may say along with a command to a run."""

    #: Who gives it, a text or a map.
    by: object
    #: Why.
    note: str | None


def start(
    workflow: str,
    trigger: str | None,
    payload: Mapping[str, object],
    *,
    occurred_at: datetime,
    **said: Unpack[Envelope],
) -> Signal:
    """Begin a run; the trigger may be null where the workflow has one only."""
    needed = {"workflow": workflow, "input": payload}
    return _signal("start", needed, {"trigger": trigger}, occurred_at, said)


def approve(
    run_id: str,
    *,
    node: str | None = None,
    form: Mapping[str, object] | None = None,
    occurred_at: datetime,
    **said: Unpack[Said],
) -> Signal:
    """Approve; `by` is needed."""
    return _to_run("approve", run_id, {"node": node, "form": form}, occurred_at, said)


def reject(
    run_id: str,
    *,
    node: str | None = None,
    form: Mapping[str, object] | None = None,
    occurred_at: datetime,
    **said: Unpack[Said],
) -> Signal:
    """Reject; `by` is needed."""
    return _to_run("reject", run_id, {"node": node, "form": form}, occurred_at, said)


def pause(run_id: str, *, occurred_at: datetime, **said: Unpack[Said]) -> Signal:
    """Hold a whole run."""
    return _to_run("pause", run_id, {}, occurred_at, said)


def resume(
    run_id: str, *, node: str | None = None, occurred_at: datetime, **said: Unpack[Said]
) -> Signal:
    """Lift the hold, or answer a pause node."""
    return _to_run("resume", run_id, {"node": node}, occurred_at, said)


def cancel(
    run_id: str,
    *,
    compensate: bool | None = None,
    abandon: bool | None = None,
    occurred_at: datetime,
    **said: Unpack[Said],
) -> Signal:
    """End a run."""
    options = {"compensate": compensate, "abandon": abandon}
    return _to_run("cancel", run_id, options, occurred_at, said)


def replay(
    run_id: str,
    *,
    from_step: str | None = None,
    allow_irreversible: bool | None = None,
    definition: DefinitionChoice | None = None,
    occurred_at: datetime,
    **said: Unpack[Said],
) -> Signal:
    """Do in a new run what an ended one did, or a part of it."""
    options = {
        "from_step": from_step,
        "allow_irreversible": allow_irreversible,
        "definition": definition,
    }
    return _to_run("replay", run_id, options, occurred_at, said)


def retry_compensation(run_id: str, *, occurred_at: datetime, **said: Unpack[Said]) -> Signal:
    """Undo in a new run what an ended one could not."""
    return _to_run("retry_compensation", run_id, {}, occurred_at, said)


def send(
    run_id: str, node: str, payload: object, *, occurred_at: datetime, **said: Unpack[Said]
) -> Signal:
    """Hand a message in; null is one, too."""
    needed = {"run_id": run_id, "node": node, "message": payload}
    return _signal("send", needed, _said(said), occurred_at, said)


def _to_run(
    verb: Verb, run_id: str, options: Mapping[str, object], occurred_at: datetime, said: Said
) -> Signal:
    needed = {"run_id": run_id}
    return _signal(verb, needed, {**options, **_said(said)}, occurred_at, said)


def _said(said: Said) -> dict[str, object]:
    return {"actor": said.get("by"), "comment": said.get("note")}


def _signal(
    verb: Verb,
    needed: Mapping[str, object],
    options: Mapping[str, object],
    occurred_at: datetime,
    said: Envelope,
) -> Signal:
    known = Envelope if verb == "start" else Said
    if unknown := sorted(set(said) - known.__optional_keys__):
        raise refusal(UnfitError(unknown[0], "unsupported"))
    given = {name: value for name, value in options.items() if value is not None}
    metadata = said.get("metadata")
    return checked(
        Signal(
            type=verb,
            payload={**needed, **given},
            metadata={} if metadata is None else metadata,
            occurred_at=occurred_at,
            idempotency_key=said.get("idempotency_key"),
        )
    )
