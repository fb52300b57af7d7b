"""
What earlier releases stored goes on: `upgrades/stored` has their tables, as SQL.

Each was written by an earlier squidmesh, before the next migration came.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from squidmesh import Mesh, StorageError
from squidmesh_storage import postgres, sqlite
from squidmesh_storage.migrations import Migration
from support.kept import HOUR, LATER, STANDS, Orders, approve, begin, hold, send
from support.postgres import execute

STORED = Path(__file__).parent / "stored"
#: Key of a stored run → how it ends; one has an undo that fails, one a step.
ENDS = dict.fromkeys(STANDS, "completed") | {"busy": "failed", "stuck": "failed"}
NAMES = [
    pytest.param(path.stem, marks=[pytest.mark.postgres] * path.stem.startswith("postgres"))
    for path in sorted(STORED.glob("*.sql"))
]


@pytest.fixture(params=NAMES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A journal with the tables and rows of an earlier release."""
    script = (STORED / f"{request.param}.sql").read_text(encoding="utf-8")
    if request.param.startswith("postgres"):
        dsn = str(request.getfixturevalue("postgres_dsn"))
        execute(dsn, script)
        return dsn
    file = tmp_path / "kept.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)
    return f"sqlite:///{file}"


@pytest.mark.parametrize(
    ("adapter", "migrations"),
    [("sqlite", sqlite.MIGRATIONS), ("postgres", postgres.MIGRATIONS)],
    ids=["sqlite", "postgres"],
)
def test_a_migration_comes_with_the_tables_that_it_finds(
    adapter: str, migrations: tuple[Migration, ...]
) -> None:
    """As the release before it wrote them, rows and all."""
    assert (STORED / f"{adapter}-{migrations[-1].number - 1}.sql").exists()


@pytest.fixture
def mesh(url: str) -> Iterator[Mesh]:
    """A mesh on it, once it is migrated."""
    with Mesh.open(url, workflows=[Orders], migrate=True) as opened:
        yield opened


def test_older_tables_are_left_as_they_are_until_somebody_migrates_them(url: str) -> None:
    """Whoever opens them is told which command does."""
    with pytest.raises(StorageError) as caught:
        Mesh.open(url, workflows=[Orders])

    assert "schema_behind" == caught.value.code
    assert str(caught.value.details["command"]).startswith("squidmesh migrate ")


def test_stored_runs_stand_where_they_stood(mesh: Mesh) -> None:
    """Lists, views and the offline checker agree, and nothing is damaged."""
    mesh.reindex()
    runs = {run.key: run for run in mesh.runs().items}

    assert STANDS == {key: run.status for key, run in runs.items() if key != "gone"}
    assert STANDS == {key: mesh.inspect(run).status for key, run in runs.items() if key != "gone"}
    assert {"ok"} == set(mesh.verify(checker=True).verdicts)
    assert ["asked", "held"] == sorted(str(one.run.key) for one in mesh.deadlines().items)


def test_stored_commands_are_known_again(mesh: Mesh) -> None:
    """Who repeats one to the new release, because the old one did not answer, is told the same."""
    runs = {run.key: run for run in mesh.runs().items}
    again = [begin(mesh, key) for key in (*STANDS, "gone")]
    again += [approve(mesh, runs[key]) for key in ("told", "done")]
    again += [send(mesh, runs[key]) for key in ("early", "done")]
    again.append(hold(mesh, runs["held"]))

    assert [] == [(run.key, run.status) for run in again if not run.duplicate]


def test_stored_runs_go_on_to_their_ends(mesh: Mesh) -> None:
    """Gates, messages, retries, a lost lease, a hold, an undo that fails: each goes on as it stood."""
    runs = {key: begin(mesh, key) for key in STANDS}
    now = max(LATER, datetime.now(UTC))

    mesh.resume(runs["held"], by="olga", now=now)
    work(mesh, now)
    for key in ("fresh", "asked", "early", "held", "lost"):
        approve(mesh, runs[key])
    for key in ("fresh", "asked", "told", "held", "lost"):
        send(mesh, runs[key])
    for hours in (2, 4, 6, 8):
        work(mesh, now + hours * HOUR)

    ends = {key: mesh.inspect(run) for key, run in runs.items()}
    assert ENDS == {key: end.status for key, end in ends.items()}
    assert "the card was stolen" == getattr(ends["stuck"].error, "message", None)
    assert "asked shipped for nothing" == ends["asked"].out(Orders.parcel)
    assert {"ok"} == set(mesh.verify(checker=True).verdicts)


def test_stored_runs_can_be_taken_elsewhere(mesh: Mesh, tmp_path: Path) -> None:
    """What was exported is sound in another storage."""
    count = mesh.export(tmp_path / "all.jsonl")
    with Mesh.open("memory://", workflows=[Orders]) as other:
        assert count == other.restore(tmp_path / "all.jsonl")
        assert {"ok"} == set(other.verify(checker=True).verdicts)


def work(mesh: Mesh, now: datetime) -> None:
    """Perform what may be performed at an instant."""
    for queue in STANDS:
        while mesh.execute_next(queue=queue, now=now):
            pass
