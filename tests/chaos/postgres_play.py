"""
A play of chaos on one PostgreSQL: orders come in, workers work them, and things break.

    with playing(url, folder) as play:
        ...                         break something
        play.await_progress()       and see it go on
    assert [] == play.wrong

When the block ends nothing is broken any more: every run has to end, the workers have
to leave when they are asked to, and the books are compared.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from attrs import define, field

from chaos.operation import SPEC, STEPS
from chaos.postgres_worker import ACKNOWLEDGED, LEDGER, open_mesh
from squidmesh import Mesh
from squidmesh_core.errors import StorageError, WaitTimeout
from squidmesh_core.ids import AppendId, RunId
from squidmesh_storage.api import Journal
from squidmesh_storage.postgres import PostgresJournal
from support import naive
from support.stage import entries

#: Seconds after which something that is waited for has not happened.
PATIENCE: Final = 40
#: Runs that are fed ahead of the workers.
AHEAD: Final = 40
_TESTS: Final = Path(__file__).parents[1]


class Crew:
    """Worker processes, forked from one that has imported everything."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        workers: int = 8,
        lease: str = "2s",
        environ: Mapping[str, str] | None = None,
        inherited: bool = False,
    ) -> None:
        words = [url, str(folder), str(workers), lease, *(["inherited"] if inherited else [])]
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "chaos.postgres_worker", *words],
            env={**os.environ, "PYTHONPATH": str(_TESTS), **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pids = [self._line() for _ in range(workers)]
        self._killed = 0

    def kill_one(self) -> None:
        """Kill the oldest worker, and have another one in its place."""
        os.kill(self.pids.pop(0), signal.SIGKILL)
        self._killed += 1
        assert self._nursery.stdin is not None
        self._nursery.stdin.write("another\n")
        self._nursery.stdin.flush()
        self.pids.append(self._line())

    @contextmanager
    def one_stopped(self) -> Iterator[None]:
        """A worker that stands still within the block, and knows nothing of that."""
        os.kill(self.pids[0], signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pids[0], signal.SIGCONT)
            self.pids.append(self.pids.pop(0))

    def leave(self) -> list[str]:
        """Ask all to drain and wait for them; what was wrong with how they ended."""
        said, _ = self._nursery.communicate(timeout=PATIENCE)
        codes = Counter(int(line) for line in said.split())
        expected = Counter({0: len(self.pids), -signal.SIGKILL: self._killed})
        wrong = [] if codes == expected else [f"workers ended with {dict(codes)}"]
        return wrong if self._nursery.returncode == 0 else [*wrong, "their parent failed"]

    def _line(self) -> int:
        assert self._nursery.stdout is not None
        return int(self._nursery.stdout.readline())


@define
class Play:
    """What is going on."""

    #: Past everything that may be broken.
    url: str
    folder: Path
    crew: Crew
    #: Runs whose start was acknowledged.
    started: list[RunId] = field(factory=list)
    #: Who starts them; ends before the play does only if it fails.
    feeding: Future[None] | None = None
    #: Of the play that is over.
    wrong: list[str] = field(factory=list)

    @property
    def effects(self) -> int:
        """How much has been done outside."""
        return len(effects_in(self.folder))

    def await_progress(self, more: int = 24) -> None:
        """Wait until so much more has been done."""
        wanted = self.effects + more

        def progressed() -> bool:
            if self.feeding is not None and self.feeding.done():
                self.feeding.result()
            return self.effects >= wanted

        wait_until(progressed, f"{more} more effects")

    def await_standstill(self) -> None:
        """Wait until all slots have nothing left to do but try again."""
        before = -1
        while before != self.effects:
            before = self.effects
            threading.Event().wait(1)

    def feed(self, mesh: Mesh, stop: threading.Event) -> None:
        """Start runs, not too far ahead of the workers, and try again whatever happens."""
        for number in count():
            while len(self.started) * len(STEPS) > self.effects + AHEAD * len(STEPS):
                if stop.wait(0.01):
                    return
            while not stop.is_set():
                try:
                    run = mesh.start_spec(
                        SPEC, "placed", {}, actions=mesh.actions, key=f"order:{number}"
                    )
                except StorageError:
                    stop.wait(0.02)
                    continue
                self.started.append(RunId(run.id))
                break
            if stop.is_set():
                return


@contextmanager
def playing(
    url: str,
    folder: Path,
    *,
    through: str | None = None,
    workers: int = 8,
    lease: str = "2s",
    environ: Mapping[str, str] | None = None,
    inherited: bool = False,
) -> Iterator[Play]:
    """
    Have orders come in and be worked while the block breaks things.

    Args:
        url: A database with empty tables.
        folder: For the ledger and what was acknowledged.
        through: Another way to the same database, that workers and clients take.
        workers: How many, each with two slots.
        lease: Of their claims.
        environ: What they have besides, in their environment.
        inherited: Whether they are forked from a process that uses the journal.
    """
    (folder / LEDGER).touch()
    (folder / ACKNOWLEDGED).touch()
    crew = Crew(
        through or url, folder, workers=workers, lease=lease, environ=environ, inherited=inherited
    )
    play = Play(url=url, folder=folder, crew=crew)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool, open_mesh(through or url, folder) as client:
        play.feeding = pool.submit(play.feed, client, stop)
        try:
            yield play
        except BaseException:
            stop.set()
            crew.leave()
            raise
        stop.set()
        play.feeding.result()
    play.wrong += _ended(play)
    play.wrong += crew.leave()
    play.wrong += _judged(play)


def wait_until(happened: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something, for so long at most."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        pause.wait(0.01)


def effects_in(folder: Path) -> list[str]:
    """Idempotency keys of what steps have done outside."""
    return (folder / LEDGER).read_text().split()


def _ended(play: Play) -> list[str]:
    """Runs that do not end although nothing is broken any more."""
    with Mesh(PostgresJournal(play.url), workflows=[SPEC]) as mesh:
        for run in _runs(mesh):
            try:
                mesh.wait_for(run, timeout=f"{PATIENCE}s")
            except WaitTimeout:
                return [f"{run} has not ended"]
    return []


def _runs(mesh: Mesh) -> tuple[RunId, ...]:
    """All there are, with those whose start nobody was told of."""
    return mesh.door.journal.run_ids(None, 1_000_000)


def _judged(play: Play) -> list[str]:
    """What does not add up, as somebody sees it who knows nothing of the code."""
    wrong = []
    with Mesh(PostgresJournal(play.url), workflows=[SPEC]) as mesh:
        journal = mesh.door.journal
        for line in (play.folder / ACKNOWLEDGED).read_text().splitlines():
            run_id, append_id = line.split()
            if journal.find(RunId(run_id), AppendId(append_id)) is None:
                wrong.append(f"acknowledged, and gone: {line}")
        runs = _runs(mesh)
        wrong += [f"started, and gone: {run}" for run in {*play.started} - {*runs}]
        statuses = Counter(mesh.inspect(run).status for run in runs)
        if {"completed"} != {*statuses}:
            wrong.append(f"runs ended as {dict(statuses)}")
        report = mesh.verify(checker=True)
        if not report.clean:
            wrong.append(f"the checker says {report.results}")
        for run in runs:
            wrong += _contradictions(journal, run)
    expected = {f"{run}:{step}:1" for run in runs for step in STEPS}
    done = {*effects_in(play.folder)}
    return wrong if done == expected else [*wrong, f"done or not: {done ^ expected}"]


def _contradictions(journal: Journal, run: RunId) -> list[str]:
    history = entries(journal, run)
    try:
        naive.each_attempt_settles_once(history)
        naive.each_visit_is_applied_once(history)
        naive.leases_are_exclusive(history)
    except AssertionError as error:
        return [f"{run}: {error}"]
    return []
