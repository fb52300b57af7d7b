"""
A ledger on a file: what an outside system wrote down, apart from any journal.

JSON lines that are only ever appended, each forced to the disk before anybody hears
of it.  Several processes may share one ledger; a lock on the file takes them in turns.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

Kind = Literal["busy", "declined", "charged", "refunded", "reserved", "put back", "handed over"]


@dataclass(frozen=True)
class Line:
    """One line of a ledger."""

    kind: Kind
    #: The key by which whoever asked can ask again.
    key: str
    order_id: str
    #: Cents or pieces.
    amount: int
    #: What the system calls it: a payment, a reservation.
    id: str = ""


class Ledger:
    """
    One client's view of a ledger; the file is all that clients share.

    Args:
        path: The file; it is made if it is not there.
        taken: Called with each line that this client writes, when it is on the disk
            and nobody has heard of it yet: the worst moment to pull the plug.
    """

    def __init__(self, path: Path, *, taken: Callable[[Line], None] | None = None) -> None:
        self._path = path
        self._taken = taken
        self._within = Lock()
        self._lines: list[Line] = []
        self._by_key: dict[tuple[Kind, str], list[Line]] = {}
        #: Bytes of the file that were read; always the end of a whole line.
        self._read = 0

    def lines(self) -> tuple[Line, ...]:
        """All lines, the oldest first."""
        with self._turn():
            return tuple(self._lines)

    def write_once(self, line: Line) -> Line:
        """The line of this kind and key: the one that stands there, or else this one, now."""
        with self._turn() as descriptor:
            if found := self._by_key.get((line.kind, line.key)):
                return found[0]
            self._write(descriptor, line)
        if self._taken is not None:
            self._taken(line)
        return line

    def write(self, line: Line) -> None:
        """Write it, whatever stands there."""
        with self._turn() as descriptor:
            self._write(descriptor, line)

    def find(self, kind: Kind, key: str) -> tuple[Line, ...]:
        """What stands there of one kind under one key."""
        with self._turn():
            return tuple(self._by_key.get((kind, key), ()))

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """The file, locked against other threads and processes, and read to its end."""
        with self._within:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._read_on(descriptor)
                yield descriptor
            finally:
                os.close(descriptor)  # lets go of the lock, as would the death of this process

    def _read_on(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        text = os.pread(descriptor, size - self._read, self._read)
        whole = text[: text.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._take(Line(**json.loads(line)))
        self._read += len(whole)
        if len(whole) < len(text):
            # Its writer died within the line, so nobody was ever told of it.
            os.ftruncate(descriptor, self._read)

    def _write(self, descriptor: int, line: Line) -> None:
        data = json.dumps(asdict(line), ensure_ascii=False).encode() + b"\n"
        os.write(descriptor, data)
        os.fsync(descriptor)
        self._read += len(data)
        self._take(line)

    def _take(self, line: Line) -> None:
        self._lines.append(line)
        self._by_key.setdefault((line.kind, line.key), []).append(line)
