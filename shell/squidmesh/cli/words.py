"""Words that several commands use for the same thing."""

from collections.abc import Iterable, Mapping
from typing import Final

from squidmesh_core.protocol.entries import UnrecoveredReason

#: A command, once it is done.
DONE_WORDS: Final[Mapping[str, str]] = {
    "start": "started",
    "cancel": "cancelled",
    "pause": "held",
    "resume": "resumed",
    "approve": "approved",
    "reject": "rejected",
    "send": "sent",
    "replay": "replayed",
    "retry_compensation": "taken up",
}
#: Why something was left that a person must look after.
LEFT: Final[Mapping[UnrecoveredReason, str]] = {
    "compensation_failed": "its callback failed for good",
    "effect_unknown": "nobody knows whether it took effect",
    "abandoned": "undoing it was given up",
}


def quoted(names: Iterable[str]) -> str:
    """Names in a row: `'charge', 'reserve'`."""
    return ", ".join(repr(str(name)) for name in names)


def actor_name(actor: object) -> str:
    """Whom to name: what they call themselves, else everything that is known of them."""
    if isinstance(actor, Mapping):
        named = actor.get("id") or actor.get("name")
        return str(named) if named else str(dict(actor))
    return str(actor)
