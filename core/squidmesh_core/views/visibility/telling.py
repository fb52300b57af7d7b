"""
What an explanation tells those who may not read everything.

Its sentences quote what people and steps said, so no part of one is shown below
auditor: each scope gets a sentence of its own, made of the reason and the node, and
operators the facts as data.
"""

import re
from collections.abc import Mapping
from typing import Final

from squidmesh_core.values.redaction import REDACTED
from squidmesh_core.views.visibility.rules import Get, Partly

#: Reason → what it says of a node, and of the whole run.
_SENTENCES: Final[Mapping[str, str]] = {
    "terminal": "the run is over",
    "run_quarantined": "the journal cannot be trusted; nobody works on the run",
    "newer_entries": "a newer squidmesh works on the run",
    "compensating": "what was done is being undone",
    "manual_intervention_required": "a person is waited for",
    "expired_claim": "a worker's lease ran out",
    "queue_paused": "work is ready, but its queue is paused",
    "queue_full": "work is ready, but its queue is full",
    "no_capable_worker": "work is ready, but no worker performs it",
    "attempt_visible": "work is ready and waits for a worker",
    "waiting_for_join": "one dependency is done, another is not",
    "deferred_continuation": "the step asked to go on later",
    "attempt_claimed": "a worker is at it",
    "attempt_scheduled_for_later": "the next attempt comes later",
    "waiting_for_message": "a message is waited for",
    "idle": "nothing is at work, scheduled or awaited",
    "run_started": "nothing was scheduled so far",
}
#: Codes of refusals whose message names nodes and states, and nobody's words.
_OWN_REFUSALS: Final = frozenset({
    "already_received", "ambiguous_gate", "compensating", "invalid_replay_source",
    "invalid_transition", "not_awaited", "terminal_run", "unsafe_replay",
    "unsupported_manual_step",
})  # fmt: skip
#: But for who answered a gate, and what of an input does not fit.
_QUOTES: Final = re.compile(r"( already), by .*|(present definition): .*", re.DOTALL)
#: An action's effect quotes the error that a run would end with.
_ENDS: Final = re.compile(r"(the run ends here, \w+): .*", re.DOTALL)


def _operator(get: Get) -> object:
    said = _SENTENCES.get(str(get("reason")), "the reason is one that this release does not know")
    node = get("node")
    return f"{said[0].upper()}{said[1:]}{f', at {str(node)!r}' if node else ''}."


def _external(get: Get) -> object:
    return f"The run is {get('status')}."


def _effect(get: Get) -> object:
    return _ENDS.sub(r"\1", str(get("effect")))


def _refusal(get: Get) -> object:
    if get("code") not in _OWN_REFUSALS:
        return REDACTED
    return _QUOTES.sub(lambda found: found[1] or found[2], str(get("message")))


SUMMARY: Final = Partly(_operator, _external)
EFFECT: Final = Partly(_effect)
REFUSAL: Final = Partly(_refusal)

#: Names in an explanation's details that operators see, whatever the map they are in.
FACTS: Final = frozenset({
    "action", "attempts", "claimed_at", "deliveries", "error", "gates", "held", "held_back_by",
    "joins", "kind", "lease_until", "limit", "messages", "next_at", "node", "owner", "place",
    "queue", "reason", "recovery", "retries_left", "revision", "since", "standing", "step",
    "until", "visible_at", "visit_key", "waits_for", "workers",
})  # fmt: skip


def _details(get: Get) -> object:
    return _facts(get("details"))


def _facts(value: object) -> object:
    match value:
        case Mapping():
            return {name: _fact(name, value[name]) for name in value if name in FACTS}
        case list() | tuple():
            return [_facts(member) for member in value]
        case _:
            return value


def _fact(name: str, value: object) -> object:
    if isinstance(value, Mapping) and name == "error":
        return {"kind": value.get("kind")}
    if isinstance(value, Mapping) and name == "waits_for":
        return dict(value)  # node → how far it is
    return _facts(value)


DETAILS: Final = Partly(_details)
