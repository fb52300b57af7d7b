"""
The JSON Schema of signals, drawn from the table of their members.

For senders in other languages; nothing here judges data at run time.  It
leaves to the reader what a schema cannot say: what a journal can store, and
that a date exists.
"""

from collections.abc import Sequence

from squidmesh_core.protocol.commands import Verb
from squidmesh_core.protocol.schemas import DIALECT, object_of
from squidmesh_core.protocol.signals.members import INSTANT, MAP, MEMBERS, TEXT, Member


def signal_schemas() -> dict[str, dict[str, object]]:
    """Every schema under the name of its file."""
    schema: dict[str, object] = {
        "$schema": DIALECT,
        "title": "signal",
        "description": "A command as data; its type says what its payload holds.",
        "oneOf": [_envelope(verb, members) for verb, members in MEMBERS.items()],
    }
    return {"signal.schema.json": schema}


def _envelope(verb: Verb, members: Sequence[Member]) -> dict[str, object]:
    payload = object_of(
        {member.name: member.kind.schema for member in members},
        [member.name for member in members if member.required],
    )
    return object_of(
        {
            "type": {"const": verb},
            "payload": payload,
            "metadata": MAP.schema,
            "occurred_at": INSTANT.schema,
            "idempotency_key": TEXT.schema,
        },
        ["type", "payload", "occurred_at"],
    )
