"""
Names, versions and the small forms that every entry's wire form is made of.

`converter` (the definition) and `members` (the fast path) both build on this
module, so what they must agree on is written once (specs/protocol.md §1, §8.2).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import Final, NewType, Union, assert_never, get_args, get_origin

from squidmesh_core.ids import AttemptKey, RunId, VisitKey
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Decided,
    Entry,
    Input,
    InputFrom,
    InputOf,
    InputUndo,
    InputValue,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.values import Exponential, binding_from_json, binding_to_json

#: Entry class → wire type.  Written names outlive class names, so they are data.
WIRE_TYPES: Final[Mapping[type[Entry], str]] = {
    RunSignalReceived: "run_signal_received",
    RunStarted: "run_started",
    AttemptScheduled: "attempt_scheduled",
    AttemptClaimed: "attempt_claimed",
    AttemptHeartbeat: "attempt_heartbeat",
    AttemptCompleted: "attempt_completed",
    AttemptFailed: "attempt_failed",
    StepApplied: "step_applied",
    ManualStepPaused: "manual_step_paused",
    ManualStepResolved: "manual_step_resolved",
    MessageAwaited: "message_awaited",
    MessageReceived: "message_received",
    CompensationStarted: "compensation_started",
    RunTerminal: "run_terminal",
    RunPruned: "run_pruned",
}

#: Wire type → entry class.
CLASSES: Final[Mapping[str, type[Entry]]] = {name: cls for cls, name in WIRE_TYPES.items()}

#: Wire type → the version written today.
VERSIONS: Final[Mapping[str, int]] = dict.fromkeys(WIRE_TYPES.values(), 1)

#: Members that are the same in every record of a class.
CONSTANTS: Final[Mapping[type, Mapping[str, object]]] = {
    **{cls: {"type": name, "v": VERSIONS[name]} for cls, name in WIRE_TYPES.items()},
    Exponential: {"type": "exponential"},
}

#: Members whose name is not that of the field, Python having taken it.
NAMES: Final[Mapping[type, Mapping[str, str]]] = {Decided: {"source": "from", "target": "to"}}

#: Members left out when they equal another one, whose wire form they share.
TWINS: Final[Mapping[type, Mapping[str, str]]] = {
    AttemptScheduled: {"visible_at": "at", "idempotency_key": "attempt_key"},
}

_INSTANT_LENGTH: Final = len("2026-11-21T02:14:25.123456Z")


def wire_type(entry_class: type[Entry]) -> str:
    """The name under which a journal keeps entries of this class."""
    return WIRE_TYPES[entry_class]


# --- instants: six digits and Z, always, so that the order of texts is that of times


def instant_to_text(instant: datetime) -> str:
    """
    The wire form of an instant.

    Raises:
        ValueError: The instant has no time zone.
    """
    if instant.tzinfo is not UTC:
        if instant.utcoffset() is None:
            raise ValueError(f"expected an instant with a time zone, not {instant!r}")
        instant = instant.astimezone(UTC)
    return _utc_to_text(instant)


# All entries of an append have one instant.  In UTC only: elsewhere two instants of
# an hour that comes twice are equal as `datetime`s.
@lru_cache(maxsize=64)
def _utc_to_text(instant: datetime) -> str:
    return instant.isoformat(timespec="microseconds")[:26] + "Z"


def instant_from_text(text: object) -> datetime:
    """
    Read what `instant_to_text` wrote.

    Raises:
        ValueError: The text is no instant in that form.
    """
    if not isinstance(text, str):
        raise _no_instant(text)
    return utc_from_text(text)


@lru_cache(maxsize=64)
def utc_from_text(text: str) -> datetime:
    """
    The same of a text.

    Raises:
        ValueError: The text is no instant in that form.
    """
    # `fromisoformat` takes other forms too, of which these few signs tell ours.
    if (
        len(text) == _INSTANT_LENGTH
        and text[7] == "-"
        and text[10] == "T"
        and text[19] == "."
        and text[26] == "Z"
    ):
        return datetime.fromisoformat(text)
    raise _no_instant(text)


def _no_instant(data: object) -> ValueError:
    return ValueError(f"expected an instant like 2026-11-21T02:14:25.123456Z, not {data!r}")


# --- keys: those of the run itself are written without its id


def key_prefix(run_id: RunId) -> str:
    """What the keys of a run begin with, and what a short key leaves out but for the colon."""
    return f"{run_id}:"


def short_key(key: str, prefix: str) -> str:
    """
    The wire form of a visit or attempt key.

    Raises:
        ValueError: The key has no run id, so that it would be read as another.
    """
    if key.startswith(prefix):
        return key[len(prefix) - 1 :]
    if len(key) == len(prefix) - 1 and prefix.startswith(key):
        return ":"  # the run itself, whose time-out has no other visit
    if key.startswith(":"):
        raise ValueError(f"expected a key that begins with a run id, not {key!r}")
    return key


def long_key(text: object, prefix: str) -> str:
    """
    Read what `short_key` wrote.

    Raises:
        ValueError: The data is no text.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a key, not {text!r}")
    if text == ":":
        return prefix[:-1]
    return prefix + text[1:] if text.startswith(":") else text


# --- inputs: one member says which kind (specs/protocol.md §8.9)


def input_to_json(source: Input, prefix: str) -> dict[str, object]:
    """The wire form of where an attempt's input comes from."""
    match source:
        case InputFrom(bindings=bindings):
            if bindings is None:
                return {"from": []}
            return {"from": {name: binding_to_json(b) for name, b in bindings.items()}}
        case InputOf(attempt_key=key):
            return {"of": short_key(key, prefix)}
        case InputUndo(visit_key=key):
            return {"undo": short_key(key, prefix)}
        case InputValue(value=value):
            return {"value": value}
    assert_never(source)


def input_from_json(data: object, prefix: str) -> Input:
    """
    Read what `input_to_json` wrote.

    Raises:
        ValueError: The data is no input.
    """
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError(f"expected one of from, of, undo and value, not {data!r}")
    ((kind, value),) = data.items()
    match kind:
        case "from" if value == []:
            return InputFrom()
        case "from" if isinstance(value, dict):
            bindings = {name: binding_from_json(b) for name, b in value.items()}
            return InputFrom(bindings=bindings)
        case "of":
            return InputOf(attempt_key=AttemptKey(long_key(value, prefix)))
        case "undo":
            return InputUndo(visit_key=VisitKey(long_key(value, prefix)))
        case "value":
            return InputValue(value=value)
        case _:
            raise ValueError(f"expected one of from, of, undo and value, not {data!r}")


def bare_type(hint: object) -> object:
    """
    An annotation without its null, which is nearly always left out, and without a name of
    ours; keys stay keys.
    """
    if get_origin(hint) in {Union, UnionType}:
        others = [one for one in get_args(hint) if one is not NoneType]
        return bare_type(others[0]) if len(others) == 1 else hint
    while isinstance(hint, NewType) and hint not in {AttemptKey, VisitKey}:
        hint = hint.__supertype__
    return hint
