"""Every adapter keeps every promise: the suite that ships with the package."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_storage.api import Journal
from squidmesh_storage.conformance import Clock, JournalConformance
from squidmesh_storage.conformance.joining import Host
from squidmesh_storage.memory import MemoryJournal
from squidmesh_storage.postgres import PostgresJournal
from squidmesh_storage.sqlite import SqliteJournal
from squidmesh_storage.sqlite.rows import record_values
from support.hosts import PostgresHost, SqliteHost
from support.postgres import of_database, rewrite_rows


class TestMemory(JournalConformance):
    """The reference model."""

    def open_journal(self, clock: Clock, tmp_path: Path) -> Journal:
        return MemoryJournal(clock=clock)

    def rewrite(self, journal: Journal, run_id: RunId, records: Sequence[AppendRecord]) -> None:
        assert isinstance(journal, MemoryJournal)
        journal._tables.journals[run_id] = list(records)
        if not records:
            del journal._tables.journals[run_id]


class TestSqliteFile(JournalConformance):
    """A file, as hosts use it."""

    def open_journal(self, clock: Clock, tmp_path: Path) -> Journal:
        return SqliteJournal(tmp_path / "journal.db", clock=clock)

    def open_host(self, journal: Journal) -> Host | None:
        return SqliteHost(Path(journal.url.removeprefix("sqlite:///")))

    def rewrite(self, journal: Journal, run_id: RunId, records: Sequence[AppendRecord]) -> None:
        assert isinstance(journal, SqliteJournal)
        with journal._process.writer.transaction() as connection:
            connection.execute("delete from squidmesh_journal where run_id = ?", (run_id,))
            for record in records:
                connection.execute(
                    "insert into squidmesh_journal values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*record_values(record, 0), CODEC_VERSION),
                )


class TestSqliteInMemory(TestSqliteFile):
    """One shared connection, for tests and trials."""

    def open_journal(self, clock: Clock, tmp_path: Path) -> Journal:
        return SqliteJournal(":memory:", clock=clock)

    def open_host(self, journal: Journal) -> Host | None:
        return None


class TestPostgres(JournalConformance):
    """A database on a real server."""

    url: str

    @pytest.fixture(autouse=True)
    def _in_an_empty_database(self, emptied_dsn: str) -> None:
        self.url = emptied_dsn

    def open_journal(self, clock: Clock, tmp_path: Path) -> Journal:
        return PostgresJournal(self.url, clock=clock)

    def open_host(self, journal: Journal) -> Host | None:
        return PostgresHost(self.url)

    def rewrite(self, journal: Journal, run_id: RunId, records: Sequence[AppendRecord]) -> None:
        rewrite_rows(self.url, run_id, records)


class TestPostgresBehindPgBouncer(TestPostgres):
    """The same database by way of a pooler: no session lasts longer than a transaction."""

    @pytest.fixture(autouse=True)
    def _by_way_of_a_pooler(self, _in_an_empty_database: None, pgbouncer_server: str) -> None:
        self.url = of_database(pgbouncer_server, self.url)


def test_using_an_adapter_does_not_import_pytest() -> None:
    """Only the conformance suite needs it, and hosts never import that."""
    program = "import sys, squidmesh_storage.sqlite, squidmesh_storage.memory; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert "squidmesh_storage.sqlite" in output.split()
    assert "pytest" not in output.split()
