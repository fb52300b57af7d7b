"""How a file comes to have its tables, and what happens to older and newer ones."""

import shlex
import sqlite3
from pathlib import Path

import pytest
from attrs import evolve

from squidmesh_core.errors import StorageError
from squidmesh_core.ids import Revision
from squidmesh_core.protocol.rows import IndexRows
from squidmesh_core.values.deadline import Thresholds
from squidmesh_storage.api import Quarantine, RunFilter
from squidmesh_storage.conformance.kit import (
    EPOCH,
    attempt,
    commit,
    first,
    key,
    keys_of,
    look,
    puts,
    records_of,
    run_id,
    run_row,
)
from squidmesh_storage.sqlite import (
    MIGRATIONS,
    Migration,
    Plan,
    SqliteJournal,
    migrate,
    plan,
    schema,
)
from squidmesh_storage.sqlite.rows import attempt_values, record_values, run_values

NEWEST = MIGRATIONS[-1].number
EXTRA = Migration(
    number=NEWEST + 1,
    kind="expand",
    title="a remark on each run",
    sql="alter table squidmesh_runs add column remark text;\n"
    "create index squidmesh_runs_remark on squidmesh_runs (remark);\n",
)
BROKEN = Migration(
    number=NEWEST + 1,
    kind="contract",
    title="one statement that works and one that does not",
    sql="drop table squidmesh_tags;\nselect nonsense;\n",
)


def _tables(file: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(file)
    found = connection.execute("select name, sql from sqlite_schema order by name").fetchall()
    connection.close()
    return found


def test_migrations_are_numbered_from_one_without_gaps() -> None:
    """A file's version says which of them it has."""
    assert list(range(1, len(MIGRATIONS) + 1)) == [one.number for one in MIGRATIONS]


def test_a_new_file_has_the_newest_schema(tmp_path: Path) -> None:
    """There is nothing to migrate."""
    file = tmp_path / "journal.db"
    SqliteJournal(file).close()

    assert Plan(found=NEWEST, wanted=NEWEST, steps=()) == plan(file) == migrate(file)


def test_an_older_schema_is_refused_with_the_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not touched."""
    file = tmp_path / "journal.db"
    SqliteJournal(file).close()
    before = _tables(file)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, EXTRA))

    with pytest.raises(StorageError) as caught:
        SqliteJournal(file)

    command = f"squidmesh migrate sqlite:///{file}"
    assert "schema_behind" == caught.value.code
    assert {"found": NEWEST, "wanted": NEWEST + 1, "command": command} == caught.value.details
    assert command in str(caught.value)
    assert before == _tables(file)


def test_the_command_to_run_can_be_typed_as_it_is(tmp_path: Path) -> None:
    """Also where a folder has a blank in its name."""
    file = tmp_path / "old orders.db"
    sqlite3.connect(file).close()
    migrate(file, MIGRATIONS[:1])

    with pytest.raises(StorageError) as caught:
        SqliteJournal(file)

    assert ["squidmesh", "migrate", f"sqlite:///{file}"] == shlex.split(
        str(caught.value.details["command"])
    )


def test_an_older_schema_is_migrated_when_asked_at_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in it stays."""
    file = tmp_path / "journal.db"
    old = SqliteJournal(file)
    begun = first(run_id(1))
    commit(old, begun)
    old.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, EXTRA))

    journal = SqliteJournal(file, migrate=True)

    assert Plan(found=NEWEST + 1, wanted=NEWEST + 1, steps=()) == plan(file, schema.MIGRATIONS)
    assert records_of(begun) == journal.load(run_id(1)).records
    journal.close()


def test_a_file_of_the_first_schema_keeps_what_it_has(tmp_path: Path) -> None:
    """Its journals, its marks and its attempts, which everybody can read and claim."""
    file = tmp_path / "journal.db"
    sqlite3.connect(file).close()
    migrate(file, MIGRATIONS[:1])
    begun = first(run_id(1), rows=puts(attempt(run_id(1))))
    row = attempt_values(attempt(run_id(1)))
    with sqlite3.connect(file) as old:
        for record in records_of(begun, first(run_id(2))):
            old.execute(
                "insert into squidmesh_journal values (?, ?, ?, ?, ?, ?, ?, ?)",
                record_values(record, 0),
            )
        old.execute("insert into squidmesh_waiting values (?, ?, ?, ?, ?, ?, ?, 1)", row)
        old.execute("insert into squidmesh_quarantine values (?, 'torn')", (run_id(2),))
    old.close()

    journal = SqliteJournal(file, migrate=True)

    assert records_of(begun) == journal.load(run_id(1)).records
    assert (key(run_id(1)),) == keys_of(look(journal))
    assert Quarantine(revision=None, reason="torn") == journal.load(run_id(2)).quarantined
    journal.close()


def test_runs_of_a_file_without_deadlines_have_none(tmp_path: Path) -> None:
    """Until their rows are written again; then they are found by them."""
    file = tmp_path / "journal.db"
    sqlite3.connect(file).close()
    migrate(file, MIGRATIONS[:3])
    row = run_row(run_id(1))
    with sqlite3.connect(file) as old:
        marks = ", ".join("?" * 17)
        old.execute(f"insert into squidmesh_runs values ({marks})", run_values(row)[:17])
    old.close()
    journal = SqliteJournal(file, migrate=True)
    commit(journal, first(run_id(1)))
    assert row == journal.rows_of(run_id(1)).run
    assert journal.deadlines(RunFilter(), None, 5).items == ()

    due = evolve(row, deadline=Thresholds(due_at=EPOCH))
    journal.index(run_id(1), Revision(1), IndexRows(run=due))

    assert [due] == [one.row for one in journal.deadlines(RunFilter(), None, 5).items]
    journal.close()


def test_migrate_says_what_it_does_and_what_it_did(tmp_path: Path) -> None:
    """The plan changes nothing, the second time there is nothing left."""
    file = tmp_path / "journal.db"
    SqliteJournal(file).close()
    both = (*MIGRATIONS, EXTRA)
    expected = Plan(found=NEWEST, wanted=NEWEST + 1, steps=(EXTRA,))

    assert expected == plan(file, both) == plan(file, both)
    assert expected == migrate(file, both)
    assert Plan(found=NEWEST + 1, wanted=NEWEST + 1, steps=()) == migrate(file, both)


def test_a_schema_from_zero_equals_one_that_grew(tmp_path: Path) -> None:
    """Table for table."""
    grown, new = tmp_path / "grown.db", tmp_path / "new.db"
    SqliteJournal(grown).close()
    migrate(grown, (*MIGRATIONS, EXTRA))
    sqlite3.connect(new).close()
    migrate(new, (*MIGRATIONS, EXTRA))

    assert _tables(new) == _tables(grown)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """All statements of it are one transaction."""
    file = tmp_path / "journal.db"
    SqliteJournal(file).close()
    before = _tables(file)

    with pytest.raises(StorageError, match="nonsense"):
        migrate(file, (*MIGRATIONS, BROKEN))

    assert before == _tables(file)
    SqliteJournal(file).close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An older squidmesh must not write into tables it does not know."""
    file = tmp_path / "journal.db"
    SqliteJournal(file).close()
    migrate(file, (*MIGRATIONS, EXTRA))
    before = _tables(file)

    for use in (SqliteJournal, migrate, plan):
        with pytest.raises(StorageError) as caught:
            use(file)
        assert "schema_ahead" == caught.value.code
        assert {"found": NEWEST + 1, "wanted": NEWEST} == caught.value.details
    assert before == _tables(file)


def test_a_file_that_does_not_say_which_tables_it_has_is_refused(tmp_path: Path) -> None:
    """As after half of a restore."""
    path = tmp_path / "orders.db"
    SqliteJournal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("delete from squidmesh_schema")
    connection.close()

    with pytest.raises(StorageError, match=r"squidmesh_schema has 0 rows .* restore it"):
        SqliteJournal(path)


def test_there_is_nothing_to_migrate_without_a_file(tmp_path: Path) -> None:
    """And none is begun."""
    with pytest.raises(StorageError, match="no file"):
        migrate(tmp_path / "missing.db")
    assert [] == list(tmp_path.iterdir())
