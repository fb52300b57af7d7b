"""`kill -9` in a transactional step: its writes and its completion are both there, or neither."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from squidmesh_core.protocol.entries import AttemptCompleted
from squidmesh_storage.api import Journal
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.sqlite import SqliteJournal
from support.books import Books
from support.hosts import file_of
from support.ledger import Ledger, Posting
from support.stage import Clock, entries

RUNS = 40
KILLS = 4
_SCRIPT = Path(__file__).with_name("posting.py")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that another process can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'books.db'}"
    dsn: str = request.getfixturevalue("postgres_dsn")
    return dsn


@pytest.fixture
def books(url: str) -> Iterator[Books]:
    """An empty ledger; its own processes live long after the others' leases."""

    def open_journal(clock: Clock) -> Journal:
        if url.startswith("sqlite"):
            return SqliteJournal(file_of(url), clock=clock)
        return PostgresJournal(url, clock=clock)

    made = Books(url, open_journal)
    made.clock.now = datetime.now(UTC) + timedelta(minutes=2)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("where", "durable"),
    [("perform.after", False), ("append.after", False), ("settle.after", True)],
)
def test_a_killed_process_leaves_both_or_neither(
    books: Books, url: str, where: str, durable: bool
) -> None:
    """After the step's write, after the append, and after the commit."""
    with books.mesh() as mesh:
        run = mesh.start(Ledger.due, Posting("A-1"), now=books.clock.now - timedelta(hours=1))

    died = subprocess.run([sys.executable, str(_SCRIPT), url, where], check=False, timeout=60)

    assert -signal.SIGKILL == died.returncode
    completed = [e for e in entries(books.journal, run.id) if isinstance(e, AttemptCompleted)]
    assert (durable, ["A-1"] if durable else []) == (bool(completed), books.lines())
    with books.mesh() as mesh:
        mesh.drain()
        assert "completed" == mesh.inspect(run).status
    assert ["A-1"] == books.lines()


@pytest.mark.timeout(120)
def test_killed_workers_write_each_line_once(books: Books, url: str) -> None:
    """Wherever they are when it comes."""
    expected = [f"A-{number:02}" for number in range(RUNS)]
    with books.mesh() as mesh:
        early = books.clock.now - timedelta(hours=1)
        for line in expected:
            mesh.start(Ledger.due, Posting(line), now=early)

    for _ in range(KILLS):
        _kill_in_the_middle(books, url)

    with books.mesh() as mesh:
        mesh.drain()
        assert {"completed"} == {run.status for run in mesh.runs(limit=RUNS).items}
    assert expected == books.lines()


def _kill_in_the_middle(books: Books, url: str) -> None:
    """Let a worker write something, and kill it."""
    wanted = len(books.lines()) + 4
    worker = subprocess.Popen([sys.executable, str(_SCRIPT), url, "nowhere"])
    deadline = time.monotonic() + 5
    while len(books.lines()) < wanted and time.monotonic() < deadline:
        os.sched_yield()
    worker.send_signal(signal.SIGKILL)
    worker.wait()
