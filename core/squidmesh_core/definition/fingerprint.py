"""
The fingerprint of a spec: its content address.

It is the SHA-256 of the canonical text, which leaves out every optional member
that is at its default.  So an option that is added to the language later
changes the fingerprint of no workflow that does not use it.  Constants,
operands and payload defaults are the host's words and always stay.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final

from squidmesh_core.canonical import encode, storable
from squidmesh_core.definition.spec import Spec
from squidmesh_core.definition.writing import Json, spec_to_dict
from squidmesh_core.ids import Fingerprint
from squidmesh_core.values.condition import same

#: More than any readable spec; what a spec may be is judged when it is read.
_MOST_BYTES: Final = 16 * 1024 * 1024

_SPEC: Final[Json] = {
    "version": None,
    "queue": None,
    "priority": None,
    "transitions": [],
    "sensitive": [],
}
_TRIGGER: Final[Json] = {"timezone": "UTC", "idempotency": None, "payload": []}
_FIELD: Final[Json] = {"required": True}
_NODE: Final[Json] = {
    "after": [],
    "input": None,
    "retry": None,
    "deadline": None,
    "timeout_ms": None,
    "queue": None,
    "priority": None,
    "max_visits": None,
    "compensate": None,
    "compensate_retry": None,
    "irreversible": False,
    "compensatable": True,
    "transaction": False,
    "level": "info",
    "form": None,
    "message": [],
    "correlation": None,
    "join": "all",
}
_RETRY: Final[Json] = {"backoff": None, "jitter": False, "retry_on": []}
_DEADLINE: Final[Json] = {
    "due_soon_ms": None,
    "escalate_after_ms": None,
    "escalation": "diagnostic",
}
_TRANSITION: Final[Json] = {"condition": None, "recovery": None}


def fingerprint(spec: Spec) -> Fingerprint:
    """The SHA-256 of the canonical text, in lower-case hex."""
    return Fingerprint(sha256(spec_to_text(spec).encode()).hexdigest())


def spec_to_text(spec: Spec) -> str:
    """The canonical text of a spec, as `Journal.define` stores it."""
    data = spec_to_dict(spec)
    short = _without(data, _SPEC)
    short["triggers"] = _each(data["triggers"], _trigger)
    short["steps"] = _each(data["steps"], _node)
    if "transitions" in short:
        short["transitions"] = _each(data["transitions"], lambda t: _without(t, _TRANSITION))
    return encode(storable(short, where="the spec", limit_bytes=_MOST_BYTES))


def _trigger(data: Mapping[str, object]) -> Json:
    return _fields_in("payload", _without(data, _TRIGGER))


def _node(data: Mapping[str, object]) -> Json:
    short = _without(data, _NODE)
    if short.get("output") == short["name"]:
        del short["output"]
    # An irreversible step cannot be undone unless it says otherwise.
    if short.get("irreversible") is True:
        short.pop("compensatable", None)
        if data["compensatable"] is True:
            short["compensatable"] = True
    for name, defaults in (
        ("retry", _RETRY),
        ("compensate_retry", _RETRY),
        ("deadline", _DEADLINE),
    ):
        policy = short.get(name)
        if isinstance(policy, Mapping):
            short[name] = _without(policy, defaults)
    return _fields_in("form", _fields_in("message", short))


def _fields_in(name: str, data: Json) -> Json:
    if isinstance(data.get(name), list):
        data[name] = _each(data[name], lambda field: _without(field, _FIELD))
    return data


def _each(items: object, shorten: Callable[[Mapping[str, object]], Json]) -> list[Json]:
    return (
        [shorten(item) for item in items if isinstance(item, Mapping)]
        if isinstance(items, list)
        else []
    )


def _without(data: Mapping[str, object], defaults: Json) -> Json:
    """The members that are not at their default."""
    return {
        name: value
        for name, value in data.items()
        if name not in defaults or not same(value, defaults[name])
    }
