"""What was done to queues: a short history of each, kept apart from its settings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from attrs import frozen

from squidmesh_core.canonical import decode, encode, restore
from squidmesh_core.protocol.wire import instant_from_text, instant_to_text
from squidmesh_storage.api import Journal, Record

#: The kind of record that keeps it, under the queue's name.
HISTORY: Final = "queue_history"
#: Changes that are kept of a queue.
MOST_CHANGES: Final = 20
#: Times that it is tried again because somebody else wrote meanwhile.
_TRIES: Final = 20

ChangeKind = Literal["set", "paused", "resumed"]


@frozen(kw_only=True)
class QueueChange:
    """Something that was done to a queue."""

    at: datetime
    what: ChangeKind
    by: object = None
    note: str | None = None
    metadata: Mapping[str, object]
    #: What limited it from then on, as `set_queue` takes it.
    limits: Mapping[str, object]


def histories(journal: Journal) -> Mapping[str, tuple[QueueChange, ...]]:
    """
    By queue, the last change last.

    Raises:
        StorageError: The storage failed.
    """
    return {record.key: _changes(record) for record in journal.records(HISTORY)}


def remember(journal: Journal, name: str, done: QueueChange) -> None:
    """
    Keep a change; one that races with many others may be lost, its effect is not.

    Raises:
        StorageError: The storage failed.
    """
    for _ in range(_TRIES):
        stored = next((one for one in journal.records(HISTORY) if one.key == name), None)
        before = () if stored is None else _changes(stored)
        body = encode([_to_json(one) for one in (*before, done)[-MOST_CHANGES:]])
        version = 0 if stored is None else stored.version
        if journal.put_record(HISTORY, name, body, expected=version):
            return


def _changes(record: Record) -> tuple[QueueChange, ...]:
    """What was kept; changes that cannot be read are left out."""
    try:
        stored = decode(record.body)
    except ValueError:
        return ()
    changes = (_from_json(one) for one in stored) if isinstance(stored, list) else ()
    return tuple(one for one in changes if one is not None)


def _to_json(change: QueueChange) -> dict[str, object]:
    return {
        "at": instant_to_text(change.at),
        "what": change.what,
        "by": change.by,
        "note": change.note,
        "metadata": change.metadata,
        "limits": change.limits,
    }


def _from_json(data: object) -> QueueChange | None:
    if not isinstance(data, dict):
        return None
    try:
        return QueueChange(
            at=instant_from_text(data["at"]),
            what=data["what"],
            by=restore(data["by"]),
            note=data["note"],
            metadata=data["metadata"],
            limits=data["limits"],
        )
    except (KeyError, ValueError, TypeError):
        return None
