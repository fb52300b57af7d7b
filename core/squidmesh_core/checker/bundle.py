"""
One run as a file of its own: a line that says what it is, then an export of that run.

    {"codec", "digest", "revision", "run_id", "schema", "source"}
    {"definition", "fingerprint"}
    {"append_id", "at", "body", …}        see `export`

`digest` is that of all the lines below it, so whoever was sent the file can tell
that it is whole and as it was written.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from attrs import frozen

from squidmesh_core import canonical
from squidmesh_core.checker import export
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import BEGINNING, Fingerprint, RunId
from squidmesh_core.protocol.chain import AppendRecord, first_break, origin
from squidmesh_core.protocol.codec import CODEC_VERSION, entries_of
from squidmesh_core.protocol.entries import RunPruned, RunStarted

#: What the first line says that the file is.
SCHEMA: Final = "squidmesh.bundle/1"
_HEADER: Final = {"codec", "digest", "revision", "run_id", "schema", "source"}


@frozen(kw_only=True)
class Bundle:
    """One run, taken out of its journal."""

    run_id: RunId
    #: All its appends, in order; their chain holds.
    records: tuple[AppendRecord, ...]
    #: Canonical text of the definition that the run follows.
    definition: str
    #: Chain hash of the journal that this was made of: what was redacted changed it.
    source: str


def write(records: Sequence[AppendRecord], definition: str, *, source: str) -> Iterator[str]:
    """
    The lines of a bundle, without line ends.

    Args:
        records: All appends of one run, in order, with a chain that holds.
        definition: Canonical text of its definition.
        source: Chain hash of the journal that they were made of.
    """
    lines = list(export.write(records, [definition]))
    yield canonical.encode(
        {
            "schema": SCHEMA,
            "codec": CODEC_VERSION,
            "run_id": records[0].run_id,
            "revision": records[-1].last,
            "source": source,
            "digest": _digest(lines),
        }
    )
    yield from lines


def read(lines: Iterable[str]) -> Bundle:
    """
    Read what `write` wrote.

    Args:
        lines: With or without line ends.

    Raises:
        ValueError: It is no bundle, or was altered.
        StorageError: `newer_entries`: a newer squidmesh wrote it.
    """
    first, *rest = [line.removesuffix("\n") for line in lines] or [""]
    header = _header(first)
    if header["digest"] != _digest(rest):
        raise ValueError("it is not as it was written: the digest differs")
    found = export.read(rest)
    if len(found.runs) != 1 or len(found.definitions) != 1:
        raise ValueError("expected one run and its definition")
    ((run_id, records),) = found.runs.items()
    ((fingerprint, definition),) = found.definitions.items()
    if (run_id, records[-1].last) != (header["run_id"], header["revision"]):
        raise ValueError("it holds another run than it says")
    if followed_by(run_id, records) != fingerprint:
        raise ValueError("it holds another definition than the run follows")
    return Bundle(
        run_id=run_id, records=records, definition=definition, source=str(header["source"])
    )


def followed_by(run_id: RunId, records: Sequence[AppendRecord]) -> Fingerprint:
    """
    The fingerprint that a whole journal names; all of it is read.

    Raises:
        ValueError: The journal does not hold together, or no run begins in it.
        StorageError: `newer_entries`: a newer squidmesh wrote it.
    """
    broken = first_break(records, previous=origin(run_id), after=BEGINNING)
    if broken is not None:
        raise ValueError(f"run {run_id} does not hold together from revision {broken} on")
    named: Fingerprint | None = None
    for record in records:
        try:
            entries = entries_of(record)
        except StorageError as error:
            if error.code == "newer_entries":
                raise
            raise ValueError(error.message) from error
        begun = (one.definition for one in entries if isinstance(one, RunStarted | RunPruned))
        named = named or next(begun, None)
    if named is None:
        raise ValueError(f"run {run_id} never began")
    return named


def _header(line: str) -> dict[str, object]:
    """
    What the first line says.

    Raises:
        ValueError: It is not the first line of a bundle.
        StorageError: `newer_entries`: this process is too old for what follows.
    """
    try:
        data = canonical.decode_strict(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no bundle") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not str(schema).startswith("squidmesh.bundle/"):
        raise ValueError("it is no bundle")
    codec = data.get("codec")
    if schema != SCHEMA or (type(codec) is int and codec > CODEC_VERSION):
        raise StorageError(
            f"this bundle ({schema}, codec {codec}) was written by a newer squidmesh; "
            "nothing was read of it",
            "newer_entries",
            {"schema": schema, "codec": codec},
        )
    if data.keys() != _HEADER or type(codec) is not int:
        raise ValueError("its first line is not that of a bundle")
    return data


def _digest(lines: Iterable[str]) -> str:
    return sha256(
        "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    ).hexdigest()
