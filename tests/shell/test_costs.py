"""What a run costs, in numbers that no machine changes; nothing here is timed."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import Factory, frozen

from squidmesh import Mesh, Workflow, manual, step
from squidmesh.ports import Ports
from squidmesh_storage.api import Wakeups
from squidmesh_storage.sqlite import SqliteJournal


@frozen
class Job:
    """The payload of a run."""

    number: int


def add_one(number: int) -> int:
    """As little as a step can do."""
    return number + 1


class FiveSteps(Workflow):
    """Add one, five times."""

    go = manual(Job)

    first = step(add_one).takes(go.payload.number)
    second = step(add_one).takes(first.out)
    third = step(add_one).takes(second.out)
    fourth = step(add_one).takes(third.out)
    fifth = step(add_one).takes(fourth.out)

    first.then(second).then(third).then(fourth).then(fifth)


@frozen
class Traced:
    """The statements of each connection, in the order they were executed."""

    connections: list[list[str]] = Factory(list)

    def forget(self) -> None:
        """Count from here on."""
        for statements in self.connections:
            statements.clear()

    def written(self) -> list[str]:
        """What the writing connection executed."""
        return [
            s for statements in self.connections for s in statements if self._writes(statements)
        ]

    def commits(self) -> int:
        """Write transactions that were committed."""
        return self.written().count("commit")

    @staticmethod
    def _writes(statements: list[str]) -> bool:
        return "begin immediate" in statements


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Traced:
    """Every connection that is opened in this test is listened to."""
    seen, connect = Traced(), sqlite3.connect

    def connect_traced(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        seen.connections.append([])
        connection.set_trace_callback(seen.connections[-1].append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_traced)
    return seen


@pytest.fixture
def working(tmp_path: Path, traced: Traced) -> Iterator[Mesh]:
    """A mesh on SQLite whose worker has looked for work, found none, and rests."""
    resting = threading.Event()

    def rest(wakeups: Wakeups, _seconds: float) -> bool:
        resting.set()
        return wakeups.wait(30)

    journal = SqliteJournal(tmp_path / "costs.db")
    with (
        Mesh(journal, workflows=[FiveSteps], ports=Ports(rest=rest)) as mesh,
        mesh.worker(concurrency=2),
    ):
        assert resting.wait(30)
        # The first run pays for the definition; its slot may be free a little later.
        mesh.wait_for(mesh.start(FiveSteps.go, Job(0)), timeout="60s")
        traced.forget()
        yield mesh


def finished(mesh: Mesh) -> str:
    """The id of a run that was started and has ended."""
    run = mesh.wait_for(mesh.start(FiveSteps.go, Job(0)), timeout="60s")
    assert "completed" == run.status
    return run.id


def stored(tmp_path: Path, run_id: str) -> tuple[int, int, int]:
    """Appends, entries and bytes of one run's journal."""
    query = (
        "select count(*), sum(last - first + 1), sum(length(cast(body as blob))) "
        "from squidmesh_journal where run_id = ?"
    )
    with closing(sqlite3.connect(tmp_path / "costs.db")) as connection:
        appends, entries, size = connection.execute(query, (run_id,)).fetchone()
    return appends, entries, size


def test_five_steps_are_six_appends_and_six_commits(
    working: Mesh, traced: Traced, tmp_path: Path
) -> None:
    """The start claims the first step, each result claims the next, the last one ends the run."""
    run_id = finished(working)

    assert 6 == traced.commits()
    assert 6 == stored(tmp_path, run_id)[0]


def test_five_steps_are_23_entries_of_about_a_kilobyte_a_step(
    working: Mesh, tmp_path: Path
) -> None:
    """Four entries at the start, four a step, three at the end."""
    _, entries, size = stored(tmp_path, finished(working))

    assert 23 == entries
    assert 5 * 1_100 >= size


def test_a_step_costs_six_statements(working: Mesh, traced: Traced) -> None:
    """Begin, append, two to move the index row, one to be sure of the queue, commit."""
    finished(working)
    written = traced.written()

    assert 6 == sum(one.startswith("insert into squidmesh_journal") for one in written)
    assert 6 * 6 + 1 >= len(written)


def test_the_steady_path_reads_no_journal(working: Mesh, traced: Traced) -> None:
    """A run that this process works on is folded forward in memory."""
    finished(working)

    assert [] == [one for one in traced.written() if one.startswith("select")]


def test_a_lone_claim_and_its_completion_are_one_append_each(
    tmp_path: Path, traced: Traced
) -> None:
    """An executor of one's own pays one commit to take work and one to give it back."""
    with Mesh(SqliteJournal(tmp_path / "costs.db"), workflows=[FiveSteps]) as mesh:
        run = mesh.start(FiveSteps.go, Job(0))
        appends = stored(tmp_path, run.id)[0]
        traced.forget()

        claim = mesh.claim(owner="somebody")

        assert claim is not None
        assert (1, appends + 1) == (traced.commits(), stored(tmp_path, run.id)[0])
        mesh.complete(claim, 2)
        assert (2, appends + 2) == (traced.commits(), stored(tmp_path, run.id)[0])


def test_looking_for_work_that_is_not_there_writes_nothing(tmp_path: Path, traced: Traced) -> None:
    """An idle worker only reads."""
    with Mesh(SqliteJournal(tmp_path / "costs.db"), workflows=[FiveSteps]) as mesh:
        traced.forget()

        assert mesh.claim(owner="somebody") is None
        assert 0 == traced.commits()


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        ("import squidmesh", "attr attrs cattrs asyncio sqlite3 psycopg click rich croniter json"),
        (
            "from squidmesh import Mesh, Workflow, manual, step",
            "asyncio sqlite3 psycopg click rich croniter",
        ),
        (
            "from squidmesh import Mesh; Mesh.open('memory://').close()",
            "asyncio sqlite3 psycopg click rich croniter",
        ),
    ],
)
def test_imports_load_only_what_they_need(program: str, unwanted: str) -> None:
    """What a host does not use yet costs it neither time nor memory."""
    ask = f"{program}\nimport sys\nprint(*sorted(set({unwanted.split()}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True)

    assert "" == done.stdout.strip()
