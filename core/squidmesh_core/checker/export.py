"""
An exported journal as JSON lines: the appends as they are stored, and the definitions.

    {"append_id", "at", "body", "first", "hash", "last", "run_id"}
    {"definition", "fingerprint"}

`body` and `definition` are the stored texts themselves, so that hash and
fingerprint can be made again from what stands there.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from attrs import frozen

from squidmesh_core import canonical
from squidmesh_core.ids import AppendId, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.wire import instant_from_text, instant_to_text

_APPEND: Final = {"append_id", "at", "body", "first", "hash", "last", "run_id"}
_DEFINITION: Final = {"definition", "fingerprint"}


@frozen(kw_only=True)
class Export:
    """What an export holds."""

    #: The appends of each run, in the order they were found.
    runs: Mapping[RunId, tuple[AppendRecord, ...]]
    #: Fingerprint → canonical text.
    definitions: Mapping[Fingerprint, str]


def write(records: Iterable[AppendRecord], definitions: Iterable[str] = ()) -> Iterator[str]:
    """
    The lines of an export, without line ends: definitions first, then appends.

    Args:
        records: Appends of any runs, those of a run in their order.
        definitions: Canonical texts, as the storage keeps them.
    """
    for text in definitions:
        fingerprint = sha256(text.encode()).hexdigest()
        yield canonical.encode({"fingerprint": fingerprint, "definition": text})
    for record in records:
        yield canonical.encode(
            {
                "run_id": record.run_id,
                "first": record.first,
                "last": record.last,
                "append_id": record.append_id,
                "at": instant_to_text(record.at),
                "body": record.body,
                "hash": record.hash,
            }
        )


def read(lines: Iterable[str]) -> Export:
    """
    Read what `write` wrote; lines in any order but that of a run's appends, empty ones ignored.

    Raises:
        ValueError: A line is neither an append nor a definition, or a definition
            does not have its fingerprint.
    """
    runs: dict[RunId, list[AppendRecord]] = {}
    definitions: dict[Fingerprint, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = _read_line(line, definitions)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if record is not None:
            runs.setdefault(record.run_id, []).append(record)
    return Export(
        runs={run_id: tuple(records) for run_id, records in runs.items()}, definitions=definitions
    )


def _read_line(line: str, definitions: dict[Fingerprint, str]) -> AppendRecord | None:
    data = canonical.decode_strict(line)
    if not isinstance(data, dict) or data.keys() not in (_APPEND, _DEFINITION):
        raise ValueError("neither an append nor a definition")
    if data.keys() == _APPEND:
        return AppendRecord(
            run_id=RunId(_text(data["run_id"])),
            first=Revision(_number(data["first"])),
            last=Revision(_number(data["last"])),
            append_id=AppendId(_text(data["append_id"])),
            at=instant_from_text(data["at"]),
            body=_text(data["body"]),
            hash=_text(data["hash"]),
        )
    text, fingerprint = _text(data["definition"]), Fingerprint(_text(data["fingerprint"]))
    if sha256(text.encode()).hexdigest() != fingerprint:
        raise ValueError(f"the definition is not that of {fingerprint}")
    definitions[fingerprint] = text
    return None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"expected a text, not {value!r}")


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a whole number, not {value!r}")
