"""
The body of an append: entries as canonical JSON text, and back.

A body is a list of objects, each with `type`, `v` (version of that type) and
members.  What can be restored is not written: members at their default,
revisions (numbered from the append's first), the run id in the run's own
keys, and what equals its twin (`wire.TWINS`).  The definition of this form is
`converter`; this module is the fast way to it and back (specs/protocol.md §1, §8.1).
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from squidmesh_core import canonical
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.members import reader_of, writer_of
from squidmesh_core.protocol.texts import text_writer_of
from squidmesh_core.protocol.upcast import upcast
from squidmesh_core.protocol.wire import CLASSES, VERSIONS, key_prefix, wire_type

__all__ = [
    "CODEC_VERSION",
    "check_codec",
    "damaged",
    "decode",
    "encode",
    "entries_of",
    "entry_from_json",
    "entry_to_json",
    "wire_type",
]

T = TypeVar("T")

#: Raised when any wire form changes; checkpoints name the one they were made under.
CODEC_VERSION: Final = 1


class _Made(dict[type[Entry], T]):
    """Functions by class of entry, each made when it is first needed: an import waits for none."""

    def __init__(self, make: Callable[[type[Entry]], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, cls: type[Entry]) -> T:
        made = self[cls] = self._make(cls)
        return made


_WRITERS: Final = _Made(writer_of)
_TEXT_WRITERS: Final = _Made(text_writer_of)
_READERS: Final = _Made(reader_of)


def encode(entries: Sequence[Entry], run_id: RunId) -> str:
    """
    The body of an append: the same entries, the same bytes.

    User values in the entries are storable already (`canonical.storable`).

    Raises:
        ValueError: An instant has no time zone, or a key no run id.
    """
    prefix = key_prefix(run_id)
    return "[" + ",".join([_TEXT_WRITERS[type(entry)](entry, prefix) for entry in entries]) + "]"


def decode(body: str, *, run_id: RunId, first: Revision) -> tuple[Entry, ...]:
    """
    The entries of an append.

    Args:
        body: What `encode` wrote, in this version of squidmesh or an older one.
        run_id: The run whose journal holds the append.
        first: Revision of the append's first entry.

    Raises:
        StorageError: `newer_entries` if this process is too old for an entry,
            `run_quarantined` if the body is damaged.
    """
    try:
        items = canonical.decode(body)
    except (ValueError, RecursionError) as exc:
        raise damaged(run_id, first, f"its body is no JSON ({exc})") from exc
    if not isinstance(items, list) or not items:
        raise damaged(run_id, first, "its body is no list of entries")
    prefix = key_prefix(run_id)
    return tuple([_read(item, run_id, prefix, first + index) for index, item in enumerate(items)])


def entries_of(record: AppendRecord) -> tuple[Entry, ...]:
    """
    The entries of a stored append, which have to be as many and as old as its row says.

    Raises:
        StorageError: `newer_entries` or `run_quarantined`, as for `decode`.
    """
    entries = decode(record.body, run_id=record.run_id, first=record.first)
    if len(entries) != record.last - record.first + 1:
        why = f"its body holds {len(entries)} entries, its row says otherwise"
        raise damaged(record.run_id, record.first, why)
    if entries[-1].at != record.at:
        why = "its row says another instant than its last entry"
        raise damaged(record.run_id, record.first, why)
    return entries


def check_codec(codec: int, *, run_id: RunId, head: Revision) -> None:
    """
    See that this process may read a run, by the codec that is stored with its last append.

    Whoever appends has read all that came before, so that speaks for the whole run.

    Raises:
        StorageError: `newer_entries` if it is a later one, `run_quarantined` if there
            never was such a one.
    """
    if codec > CODEC_VERSION:
        raise StorageError(
            f"run {run_id} was written with codec {codec}, by a newer squidmesh than this one, "
            f"which knows codec {CODEC_VERSION}; the run is left alone.",
            "newer_entries",
            {"run_id": run_id, "revision": head, "codec": codec, "known": CODEC_VERSION},
        )
    if codec < 1:
        raise damaged(run_id, head, f"its row says codec {codec}, which there never was")


def entry_to_json(entry: Entry, run_id: RunId) -> dict[str, object]:
    """
    One entry as the body of an append holds it.

    Raises:
        ValueError: An instant has no time zone, or a key no run id.
    """
    return _WRITERS[type(entry)](entry, key_prefix(run_id))


def entry_from_json(data: object, *, run_id: RunId, revision: Revision) -> Entry:
    """
    Read what `entry_to_json` wrote.

    Raises:
        StorageError: `newer_entries` or `run_quarantined`, as for `decode`.
    """
    return _read(data, run_id, key_prefix(run_id), revision)


def _read(data: object, run_id: RunId, prefix: str, revision: int) -> Entry:
    if not isinstance(data, dict):
        raise damaged(run_id, revision, f"expected an object, not {data!r}")
    name, version = data.get("type"), data.get("v")
    if not isinstance(name, str) or type(version) is not int:
        raise damaged(run_id, revision, "it has no type and version")
    present = VERSIONS.get(name, 0)
    try:
        if version != present or not present:
            data = _up_to_date(data, run_id, revision, version=version, present=present)
        entry: Entry = _READERS[CLASSES[name]](data, prefix, revision)
    except (ValueError, RecursionError) as exc:
        raise damaged(run_id, revision, f"{name} v{version}: {exc}") from exc
    return entry


def _up_to_date(
    data: dict[str, object], run_id: RunId, revision: int, *, version: int, present: int
) -> dict[str, object]:
    """
    An entry as it is written today.

    Raises:
        StorageError: `newer_entries`: it is written like that only tomorrow.
        ValueError: It was never written like that.
    """
    name = str(data["type"])
    if version > present or not present:
        raise _newer(run_id, revision, name, version)
    members = {member: value for member, value in data.items() if member not in {"type", "v"}}
    return {
        **upcast(members, name, version=version, present=present),
        "type": name,
        "v": present,
    }


def _newer(run_id: RunId, revision: int, name: str, version: int) -> StorageError:
    return StorageError(
        f"run {run_id} holds {name} v{version} at revision {revision}, written by a newer "
        "squidmesh than this one; the run is left alone.",
        "newer_entries",
        {"run_id": run_id, "revision": revision, "type": name, "version": version},
    )


def damaged(run_id: RunId, revision: int, reason: str) -> StorageError:
    """A journal that cannot be read, and where that begins."""
    return StorageError(
        f"run {run_id} cannot be read at revision {revision}: {reason}. Nothing was changed.",
        "run_quarantined",
        {"run_id": run_id, "revision": revision, "reason": reason},
    )
