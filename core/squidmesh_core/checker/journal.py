"""Rules J: the stored appends themselves, before anybody asks what they mean."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

from squidmesh_core import canonical
from squidmesh_core.checker.report import Findings, Rule
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import BEGINNING, AppendId, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import entry_from_json
from squidmesh_core.protocol.entries import Entry

#: UTF-8 bytes of one entry.
MOST_BYTES: Final = 4 * 1024 * 1024


class Reader:
    """The appends of one run, judged as they are read."""

    def __init__(self, run_id: RunId, findings: Findings) -> None:
        self._run_id = run_id
        self._findings = findings
        self._previous: AppendRecord | None = None
        self._hash = sha256(run_id.encode()).digest()
        #: The append ids that were seen.
        self.appends: set[AppendId] = set()

    def read(self, records: Iterable[AppendRecord]) -> Iterator[tuple[Entry, ...]]:
        """The entries of each append; ends early at a body that cannot be read."""
        for record in records:
            self._judge_place(record)
            self._judge_hash(record)
            entries = self._decoded(record)
            if entries is None:
                return
            self._judge_entries(record, entries)
            self._previous = record
            self._findings.entries += len(entries)
            yield entries

    def _judge_place(self, record: AppendRecord) -> None:
        last = BEGINNING if self._previous is None else self._previous.last
        if record.run_id != self._run_id:
            self._note("J1", record, f"it belongs to run {record.run_id}")
        if record.first != last + 1 or record.last < record.first:
            self._note("J1", record, f"{record.first} … {record.last} follows {last}")
        if record.append_id in self.appends:
            self._note("J4", record, f"append {record.append_id} is there twice")
        self.appends.add(record.append_id)
        if self._previous is not None and record.at < self._previous.at:
            self._note("J5", record, f"{record.at} follows {self._previous.at}")

    def _judge_hash(self, record: AppendRecord) -> None:
        expected = sha256(self._hash + record.body.encode("utf-8", "surrogatepass")).digest()
        if record.hash != expected.hex():
            self._note("J2", record, f"the hash is {record.hash}, not {expected.hex()}")
        # One harmed row is one violation, so the next one is held against what is stored.
        try:
            self._hash = bytes.fromhex(record.hash)
        except ValueError:
            self._hash = expected

    def _decoded(self, record: AppendRecord) -> tuple[Entry, ...] | None:
        try:
            items = canonical.decode(record.body)
            if not isinstance(items, list) or not items:
                raise ValueError("no list of entries")
            if canonical.encode(items) != record.body:
                self._note("J6", record, "the body is not in canonical form")
            return tuple(
                entry_from_json(item, run_id=self._run_id, revision=Revision(record.first + index))
                for index, item in enumerate(items)
            )
        except (ValueError, RecursionError, StorageError) as error:
            self._note("J6", record, f"the body cannot be read: {error}")
            return None

    def _judge_entries(self, record: AppendRecord, entries: tuple[Entry, ...]) -> None:
        if len(entries) != record.last - record.first + 1:
            self._note("J3", record, f"{len(entries)} entries for {record.first} … {record.last}")
        if any(entry.at != record.at for entry in entries):
            self._note("J5", record, f"not all of its entries are of {record.at}")
        if len(record.body) > MOST_BYTES and (sizes := _oversized(record.body)):
            self._note("J6", record, f"entries of {sizes} bytes, over {MOST_BYTES}")

    def _note(self, rule: Rule, record: AppendRecord, message: str) -> None:
        self._findings.note(rule, self._run_id, record.first, message, append_id=record.append_id)


def _oversized(body: str) -> list[int]:
    items = canonical.decode(body)
    sizes = (
        [len(canonical.encode(item).encode()) for item in items] if isinstance(items, list) else []
    )
    return [size for size in sizes if size > MOST_BYTES]
