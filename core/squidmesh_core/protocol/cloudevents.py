"""
Signals as CloudEvents 1.0, in their JSON form: strict on the way in.

The event's `data` is the signal's own JSON; the attributes around it repeat
what a broker may want to route by, and must agree with it.  A null attribute
counts as absent, as the JSON format of CloudEvents has it.

Brokers add attributes of their own on the way (`traceparent`, `partitionkey`).
They say nothing about the command, so they are let pass if CloudEvents allows
them: lower-case letters and digits as a name, a text, a number or a boolean as
a value.  Anything else is refused.

Nothing here applies a signal or stores one.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from squidmesh_core.canonical import encode, storable
from squidmesh_core.errors import PayloadError
from squidmesh_core.protocol.signals.members import (
    INSTANT,
    MEMBERS,
    TEXT,
    UnfitError,
    read_member,
    shown,
)
from squidmesh_core.protocol.signals.signal import (
    Signal,
    checked,
    read_signal,
    signal_to_json,
)

SPEC_VERSION: Final = "1.0"
SOURCE: Final = "/squidmesh/runtime/commands"
#: Followed by the verb.
TYPE_PREFIX: Final = "squidmesh.runtime.command."
CONTENT_TYPE: Final = "application/vnd.squidmesh.runtime-signal+json"

_VERBS: Final = {f"{TYPE_PREFIX}{verb}": verb for verb in MEMBERS}
_ATTRIBUTES: Final = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
)
_EXTENSION: Final = re.compile("[a-z0-9]+")


def to_cloudevent(signal: Signal) -> dict[str, object]:
    """
    The event that carries a signal: the same signal, the same event.

    Its `id` is a digest of the data.  The idempotency key would not do: it
    belongs to one run and one verb, ids to the source as a whole.

    Raises:
        PayloadError: `invalid_signal` or `unsupported_signal`: it was built by hand, and is none.
    """
    signal = checked(signal)
    data = signal_to_json(signal)
    return {
        "specversion": SPEC_VERSION,
        "id": sha256(encode(storable(data)).encode()).hexdigest(),
        "source": SOURCE,
        "type": f"{TYPE_PREFIX}{signal.type}",
        "subject": _subject(signal),
        "time": data["occurred_at"],
        "datacontenttype": CONTENT_TYPE,
        "data": data,
    }


def from_cloudevent(data: object) -> Signal:
    """
    The signal that an event carries.

    Raises:
        PayloadError: `invalid_signal_adapter`; details `field` and `reason` of
            the first that is wrong, in the event or in its data.
    """
    try:
        return _read(data)
    except UnfitError as unfit:
        raise PayloadError(
            f"the event carries no signal: {unfit}. Nothing was written.",
            "invalid_signal_adapter",
            {"field": unfit.field, "reason": unfit.reason},
        ) from None


def _read(data: object) -> Signal:
    if not isinstance(data, Mapping):
        raise UnfitError("event", "expected_map")
    event = {name: value for name, value in data.items() if value is not None}
    _expect("specversion", SPEC_VERSION, event)
    read_member("id", TEXT, event)
    _expect("source", SOURCE, event)
    verb = _VERBS.get(read_member("type", TEXT, event))
    if verb is None:
        raise UnfitError("type", "unsupported")
    content = event.get("data")
    if not isinstance(content, Mapping) or not content:
        raise UnfitError("data", "missing_signal_payload")
    if read_member("type", TEXT, content) != verb:
        raise UnfitError("type", "mismatch")
    signal = read_signal(content, INSTANT)
    _agree(event, signal)
    _tolerate(event)
    return signal


def _agree(event: Mapping[str, object], signal: Signal) -> None:
    """The attributes say what the data says."""
    subject = read_member("subject", TEXT, event)
    if signal.type != "start":
        subject = subject.lower()
    if subject != _subject(signal):
        raise UnfitError("subject", "mismatch")
    if "time" in event and read_member("time", INSTANT, event) != signal.occurred_at:
        raise UnfitError("time", "mismatch")
    if "datacontenttype" in event:
        _expect("datacontenttype", CONTENT_TYPE, event)


def _tolerate(event: Mapping[object, object]) -> None:
    """What else the event has may be anything that CloudEvents allows."""
    for name, value in event.items():
        if name in _ATTRIBUTES:
            continue
        named = isinstance(name, str) and _EXTENSION.fullmatch(name) is not None
        if not named or not isinstance(value, str | int):
            raise UnfitError(shown(name), "unsupported")


def _expect(name: str, value: str, event: Mapping[str, object]) -> None:
    if read_member(name, TEXT, event) != value:
        raise UnfitError(name, "unsupported")


def _subject(signal: Signal) -> object:
    """Whom the command is for: a run, or a workflow that is to have one more."""
    return signal.payload["workflow" if signal.type == "start" else "run_id"]
