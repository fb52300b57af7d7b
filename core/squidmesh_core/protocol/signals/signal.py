"""The envelope of a signal, and its JSON form: strict on the way in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import Factory, frozen

from squidmesh_core.errors import PayloadError
from squidmesh_core.protocol.commands import Verb
from squidmesh_core.protocol.signals.members import (
    INSTANT,
    MAP,
    MEMBERS,
    TEXT,
    Kind,
    UnfitError,
    instant,
    read_member,
    read_payload,
    refuse_others,
)
from squidmesh_core.protocol.wire import instant_to_text

#: The members of the envelope.
ENVELOPE: Final = ("type", "payload", "metadata", "occurred_at", "idempotency_key")
_KEY: Final = "idempotency_key"


@frozen(kw_only=True)
class Signal:
    """A command as data; made by the functions of `making`, or read from JSON."""

    type: Verb
    #: What the verb needs, in plain form; see `members.MEMBERS`.
    payload: Mapping[str, object]
    #: What the sender likes to say; redacted where a journal keeps it.
    metadata: Mapping[str, object] = Factory(dict)
    #: When it was given, by the sender's clock, in UTC.  It is kept, and decides nothing.
    occurred_at: datetime
    #: The same key again is the same command; null: every delivery is one of its own.
    idempotency_key: str | None = None


class UnknownVerbError(UnfitError):
    """The signal asks for something that no run can do."""


def checked(signal: object) -> Signal:
    """
    The signal, once it is sure that it is one: whoever built it by hand is not trusted.

    Raises:
        PayloadError: `invalid_signal` or `unsupported_signal`, with the first field that is wrong.
    """
    if not isinstance(signal, Signal):
        raise refusal(UnfitError("signal", "expected_signal"))
    members = {name: getattr(signal, name) for name in ENVELOPE}
    if signal.idempotency_key is None:
        del members[_KEY]
    try:
        return read_signal(members, Kind(read=instant, schema=INSTANT.schema))
    except UnfitError as unfit:
        raise refusal(unfit) from None


def signal_to_json(signal: Signal) -> dict[str, object]:
    """
    The JSON form; what is absent is left out, never null.

    Raises:
        PayloadError: The signal was built by hand and is none; as for `checked`.
    """
    signal = checked(signal)
    data: dict[str, object] = {"type": signal.type, "payload": signal.payload}
    if signal.metadata:
        data["metadata"] = signal.metadata
    data["occurred_at"] = instant_to_text(signal.occurred_at)
    if signal.idempotency_key is not None:
        data["idempotency_key"] = signal.idempotency_key
    return data


def signal_from_json(data: object) -> Signal:
    """
    Read what `signal_to_json` wrote, or somebody else by its schema.

    Raises:
        PayloadError: `unsupported_signal` if the type is no verb, otherwise
            `invalid_signal`; details `field` and `reason` of the first that is wrong.
    """
    try:
        return read_signal(data, INSTANT)
    except UnfitError as unfit:
        raise refusal(unfit) from None


def read_signal(data: object, instants: Kind[datetime]) -> Signal:
    """
    Read the members of a signal one after the other: type, payload, the rest.

    Args:
        data: The members by name.
        instants: How `occurred_at` is given.

    Raises:
        UnfitError: The first that is wrong.
    """
    if not isinstance(data, Mapping):
        raise UnfitError("signal", "expected_map")
    verb = _verb(read_member("type", TEXT, data))
    if "payload" not in data:
        raise UnfitError("payload", "missing")
    payload = read_payload(verb, data["payload"])
    refuse_others(data, ENVELOPE)
    return Signal(
        type=verb,
        payload=payload,
        metadata=read_member("metadata", MAP, data) if "metadata" in data else {},
        occurred_at=read_member("occurred_at", instants, data),
        idempotency_key=read_member(_KEY, TEXT, data) if _KEY in data else None,
    )


def refusal(unfit: UnfitError) -> PayloadError:
    """How a field that does not fit is said."""
    known = not isinstance(unfit, UnknownVerbError)
    return PayloadError(
        f"the signal cannot be read: {unfit}. Nothing was written.",
        "invalid_signal" if known else "unsupported_signal",
        {"field": unfit.field, "reason": unfit.reason},
    )


def _verb(name: str) -> Verb:
    for verb in MEMBERS:
        if verb == name:
            return verb
    raise UnknownVerbError("type", "unsupported")
