"""
Worker processes on one PostgreSQL: `postgres_worker.py URL FOLDER COUNT LEASE [inherited]`.

So many are forked, and one more for each line on standard input; their process ids are
printed.  When the input ends they are told to drain, and their exit codes are printed.
`inherited` opens the journal before the fork, as a host may that forks its servers.

Effects go to `ledger` in the folder, and every append that the storage has
acknowledged to `acknowledged`: what is written there must never be gone.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path

from chaos.operation import SPEC, actions_with
from squidmesh import Mesh, Worker
from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.api import (
    Batch,
    Choice,
    Claimed,
    Committed,
    DecideClaims,
    Offered,
    Outcome,
)
from squidmesh_storage.postgres import PostgresJournal

LEDGER, ACKNOWLEDGED = "ledger", "acknowledged"


class TellingJournal(PostgresJournal):
    """Writes down what it has acknowledged, before anybody acts on it."""

    acknowledged: Path

    def append(self, batches: Sequence[Batch]) -> tuple[Outcome, ...]:
        """Append, and tell."""
        outcomes = super().append(batches)
        self._write_down(batches, outcomes)
        return outcomes

    def claimable(
        self,
        queues: Sequence[str],
        actions: Collection[str],
        limit: int,
        decide: DecideClaims,
        *,
        at: datetime | None = None,
    ) -> Claimed:
        """Claim, and tell."""
        batches: tuple[Batch, ...] = ()

        def decide_and_note(offered: Offered) -> Choice:
            nonlocal batches
            choice = decide(offered)
            batches = tuple(choice.batches)
            return choice

        claimed = super().claimable(queues, actions, limit, decide_and_note, at=at)
        self._write_down(batches, claimed.outcomes)
        return claimed

    def _write_down(self, batches: Sequence[Batch], outcomes: Sequence[Outcome]) -> None:
        lines = "".join(
            f"{batch.record.run_id} {batch.record.append_id}\n"
            for batch, outcome in zip(batches, outcomes, strict=True)
            if isinstance(outcome, Committed)
        )
        descriptor = os.open(self.acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, lines.encode())
        os.close(descriptor)


def _patiently(connect: Callable[[], TellingJournal]) -> TellingJournal:
    for _ in range(50):
        try:
            return connect()
        except StorageUnavailable:
            threading.Event().wait(0.1)
    return connect()


def open_mesh(url: str, folder: Path) -> Mesh:
    """A mesh that tells what was acknowledged; a server that is away just now is waited for."""
    journal = _patiently(lambda: TellingJournal(url))
    journal.acknowledged = folder / ACKNOWLEDGED
    return Mesh(journal, workflows=[SPEC], actions=actions_with(folder / LEDGER))


def _main(url: str, folder: Path, count: int, lease: str, *, inherited: bool) -> None:
    mesh = open_mesh(url, folder) if inherited else None
    if mesh is not None:
        mesh.runs(limit=1)

    def fork() -> int:
        child = os.fork()
        if child == 0:
            _work(mesh or open_mesh(url, folder), lease)
        _say(child)
        return child

    children = [fork() for _ in range(count)]
    children.extend(fork() for _ in sys.stdin)
    for child in children:
        os.kill(child, signal.SIGTERM)  # also a dead one is there until it is waited for
        os.kill(child, signal.SIGCONT)
    for child in children:
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    if mesh is not None:
        mesh.runs(limit=1)
        mesh.close()


def _work(mesh: Mesh, lease: str) -> None:
    """Be a worker, and never come back."""
    code = 0
    try:
        with mesh:
            Worker(mesh, concurrency=2, lease=lease).run()
    except BaseException:
        traceback.print_exc()
        code = 1
    os._exit(code)


def _say(number: int) -> None:
    os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    _url, _folder, _count, _lease, *_more = sys.argv[1:]
    _main(_url, Path(_folder), int(_count), _lease, inherited=_more == ["inherited"])
