"""One transaction for the host's tables and the journal's, on SQLite's side of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squidmesh_storage.api import Outcome
from squidmesh_storage.conformance.kit import first, run_id
from squidmesh_storage.sqlite import SqliteJournal, appends
from squidmesh_storage.sqlite.joined import JoinedSqliteJournal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with tables of a host's."""
    path = tmp_path / "host.db"
    with closing(sqlite3.connect(path)) as host:
        host.executescript(
            "create table parents (id integer primary key);"
            "create table children (parent integer references parents)"
        )
    return path


@pytest.fixture
def journal(file: Path) -> Iterator[SqliteJournal]:
    """A journal beside them."""
    opened = SqliteJournal(file)
    yield opened
    opened.close()


def test_what_the_hosts_tables_declare_holds_where_a_transaction_is_lent(
    journal: SqliteJournal,
) -> None:
    """SQLite leaves foreign keys unchecked unless a connection asks for them."""
    with journal.lend() as lent:
        assert isinstance(lent, JoinedSqliteJournal)
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            lent.connection.execute("insert into children values (7)")


def test_an_append_that_fails_takes_nothing_of_the_host_with_it(
    file: Path, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the append is undone, and the host may commit the rest."""
    honest = appends.write

    def broken(*arguments: Any) -> tuple[Outcome, ...]:
        honest(*arguments)
        raise ZeroDivisionError

    monkeypatch.setattr(appends, "write", broken)
    with closing(sqlite3.connect(file, isolation_level=None)) as host:
        host.execute("begin immediate")
        host.execute("insert into parents values (7)")
        with closing(journal.transaction(host)) as joined, pytest.raises(ZeroDivisionError):
            joined.append((first(run_id(1)),))
        host.execute("commit")

        assert [(7,)] == host.execute("select id from parents").fetchall()
    assert () == journal.run_ids(None, 5)
