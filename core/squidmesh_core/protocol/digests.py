"""What makes two commands the same: a digest of what was asked."""

from collections.abc import Mapping
from hashlib import sha256

from squidmesh_core import canonical
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.commands import Verb


def command_digest(
    verb: Verb,
    run_id: RunId | None,
    payload: Mapping[str, object],
    actor: object = None,
    comment: str | None = None,
) -> str:
    """
    SHA-256 of a command as given, in lower-case hex (specs/protocol.md §6).

    Neither the key, nor metadata, nor when it was given takes part: the same
    command sent again is the same command.

    Args:
        verb: What is asked for.
        run_id: The run it is asked of; null: it names none.
        payload: Its options; those at their default are left out.
        actor: Who asks, in storable form (`canonical.storable`), as the payload is.
        comment: Why.
    """
    given = {
        "command": verb,
        "run_id": run_id,
        "payload": dict(payload),
        "actor": actor,
        "comment": comment,
    }
    return sha256(canonical.encode(given).encode()).hexdigest()


def start_digest(workflow: str, trigger: str, payload: object) -> str:
    """
    SHA-256 of a start as given, before defaults, in lower-case hex (specs/protocol.md §6).

    So a field that a deploy adds with a default changes no start that was made before.

    Args:
        workflow: What is started.
        trigger: By which of its triggers.
        payload: What was handed in, in storable form, without what goes without saying.
    """
    given = {"workflow": workflow, "trigger": trigger, "payload": payload, "parent": None}
    return sha256(canonical.encode(given).encode()).hexdigest()
