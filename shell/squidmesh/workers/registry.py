"""
Who works on a journal: each worker keeps a record of itself there.

It is written when the worker begins, again every `REFRESH` seconds, and dropped
when the worker has ended.  One that gives no sign for `SILENT_AFTER` is called
silent: it was killed, or cannot reach the storage.  Records are for people; no
lease depends on them.
"""

import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Final

from attrs import asdict, evolve, frozen

from squidmesh.door.door import Door
from squidmesh_core.canonical import decode, encode
from squidmesh_core.errors import StorageError
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.wire import instant_from_text, instant_to_text
from squidmesh_storage.api import Journal, Record

LOG: Final = logging.getLogger("squidmesh.worker")
#: The kind of record that a worker keeps, under its owner's name.
WORKER: Final = "worker"
#: Seconds between signs of life.
REFRESH: Final = 30.0
#: Without a sign for so long a worker is silent.
SILENT_AFTER: Final = timedelta(seconds=90)
#: Without a sign for so long its record is swept away by the next worker that begins.
SWEPT_AFTER: Final = timedelta(days=1)


@frozen(kw_only=True)
class WorkerInfo:
    """A worker, as it described itself."""

    #: The name in its claims.
    owner: str
    host: str
    pid: int
    queues: tuple[str, ...]
    #: Steps at once.
    concurrency: int
    #: The keys of what it performs.
    actions: tuple[str, ...]
    #: Of squidmesh.
    version: str
    #: The newest entries that it understands.
    codec: int
    started_at: datetime
    #: Its last sign of life, by the storage's clock.
    seen_at: datetime
    #: Whether it takes nothing more, and waits for what runs.
    stopping: bool = False
    #: Whether it has given no sign for longer than a living worker would.
    silent: bool = False

    @property
    def takes_work(self) -> bool:
        """Whether it is there and claims."""
        return not self.stopping and not self.silent


def workers(journal: Journal, now: datetime) -> tuple[WorkerInfo, ...]:
    """
    Every worker with a record, by owner.

    Raises:
        StorageError: The storage failed.
    """
    found = (_read(record) for record in journal.records(WORKER))
    return tuple(
        evolve(info, silent=now - info.seen_at >= SILENT_AFTER)
        for info in found
        if info is not None
    )


class Presence:
    """
    One worker's record of itself.

    Args:
        door: Whose journal keeps it.
        owner: The name in the worker's claims.
        queues: What it serves.
        concurrency: Steps at once.
        actions: What it performs by now.
    """

    def __init__(
        self,
        door: Door,
        *,
        owner: str,
        queues: Sequence[str],
        concurrency: int,
        actions: Callable[[], frozenset[str]],
    ) -> None:
        self._journal = door.journal
        self._actions = actions
        self._monotonic = door.ports.monotonic
        now = self._journal.now()
        self._info = WorkerInfo(
            owner=owner,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=tuple(queues),
            concurrency=concurrency,
            actions=(),
            version=version("squidmesh"),
            codec=CODEC_VERSION,
            started_at=now,
            seen_at=now,
        )
        self._written_at = self._monotonic()

    def begin(self) -> None:
        """Say that the worker is here, and sweep away what others have left long ago."""
        self._tell(self._info)
        try:
            for record in self._journal.records(WORKER):
                info = _read(record)
                if info is None or self._info.started_at - info.seen_at >= SWEPT_AFTER:
                    self._journal.drop_record(WORKER, record.key, expected=record.version)
        except StorageError as error:
            LOG.debug("old workers were not swept away: %s", error)

    @property
    def due(self) -> bool:
        """Whether it is time for a sign of life."""
        return self._monotonic() - self._written_at >= REFRESH

    def keep(self) -> None:
        """Give a sign of life, if it is time."""
        if self.due:
            self._tell(self._info)

    def stop(self) -> None:
        """Say that the worker takes nothing more."""
        self._tell(evolve(self._info, stopping=True))

    def end(self) -> None:
        """Forget it: the worker has ended."""
        try:
            self._journal.drop_record(WORKER, self._info.owner)
        except StorageError as error:
            LOG.debug("%s is still registered: %s", self._info.owner, error)

    def _tell(self, info: WorkerInfo) -> None:
        # The worker works all the same: a storage that is away is seen to elsewhere.
        self._written_at = self._monotonic()
        try:
            actions = tuple(sorted(self._actions()))
            self._info = evolve(info, actions=actions, seen_at=self._journal.now())
            self._journal.put_record(WORKER, info.owner, _text(self._info))
        except StorageError as error:
            LOG.debug("%s gave no sign of life: %s", info.owner, error)


def _text(info: WorkerInfo) -> str:
    data = asdict(info, filter=lambda field, _: field.name != "silent")
    for name in ("started_at", "seen_at"):
        data[name] = instant_to_text(data[name])
    return encode(data)


def _read(record: Record) -> WorkerInfo | None:
    """What a worker wrote, whichever release wrote it; null: it cannot be read."""
    try:
        data = decode(record.body)
        if not isinstance(data, Mapping):
            return None
        return WorkerInfo(
            owner=record.key,
            host=str(data["host"]),
            pid=int(data["pid"]),
            queues=tuple(map(str, data["queues"])),
            concurrency=int(data["concurrency"]),
            actions=tuple(map(str, data["actions"])),
            version=str(data["version"]),
            codec=int(data["codec"]),
            started_at=instant_from_text(data["started_at"]),
            seen_at=instant_from_text(data["seen_at"]),
            stopping=bool(data["stopping"]),
        )
    except (ValueError, TypeError, KeyError):
        return None
